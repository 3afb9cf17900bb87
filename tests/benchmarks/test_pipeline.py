"""Both sides of the benchmark of the input pipeline deliver images of the same size."""

import pytest

from benchmarks import pipeline
from dlkit import data


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Please import `affine_transform`")
def test_both_sides_deliver_batches_of_224_pixels(tmp_path, monkeypatch):
    monkeypatch.setattr(pipeline, "IMAGE_COUNT", 64)
    monkeypatch.setattr(pipeline, "BASELINE_BATCHES", 1)
    pipeline.write_folder(tmp_path, data.load("shapes10"), 32)
    assert data.image_folder(tmp_path).train[0].shape == (64, 32, 32, 3)
    made = []
    original = data.pipeline
    monkeypatch.setattr(data, "pipeline", lambda *args, **options: made.append(original(*args, **options)) or made[-1])
    assert pipeline.our_rate(tmp_path) > 0
    assert made[0].element_spec[0].shape[1:] == (224, 224, 3)
    assert pipeline.make_baseline(tmp_path)() > 0
