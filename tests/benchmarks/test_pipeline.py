"""All sides of the benchmark of the input pipeline deliver the same number of images of the same size."""

import pytest

from benchmarks import pipeline
from dlkit import data


@pytest.mark.slow
def test_all_sides_deliver_batches_of_224_pixels(tmp_path, monkeypatch):
    monkeypatch.setattr(pipeline, "IMAGE_COUNT", 64)
    pipeline.write_folder(tmp_path, data.load("shapes10"), 32)
    assert data.image_folder(tmp_path).train[0].shape == (64, 32, 32, 3)
    for batches in (
        pipeline.our_batches(tmp_path),
        pipeline.guide_batches(tmp_path),
        pipeline.plain_batches(tmp_path, 32),
    ):
        assert batches.element_spec[0].shape[1:] == (224, 224, 3)
        assert sum(len(labels) for _, labels in batches) == 64
    legacy = [*pipeline.legacy_batches(tmp_path)]
    assert {images.shape[1:] for images, _ in legacy} == {(224, 224, 3)}
    assert sum(len(labels) for _, labels in legacy) == 64
    rates = pipeline.measure(tmp_path, 32, rounds=2)
    assert {name: len(found) for name, found in rates.items()} == {"ours": 2, "legacy": 2, "guides": 2, "plain": 2}
    assert all(rate > 0 for found in rates.values() for rate in found)
