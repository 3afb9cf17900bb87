"""Both ways to train a head on a frozen backbone give the same head."""

import keras
import pytest

from benchmarks import frozen
from tests.arrays import assert_same_arrays


@pytest.mark.slow
def test_both_sides_train_the_same_head_and_nothing_else(tmp_path, small_cifar10, monkeypatch):
    monkeypatch.setattr(frozen, "EPOCHS", 2)
    monkeypatch.setattr(frozen, "IMAGE_SIZE", 32)
    training = frozen.HeadTraining(tmp_path, image_count=100, backbone="mobilenet")
    for layer in training.backbone.layers:  # otherwise the features of random weights are too small to tell heads apart
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.gamma.assign(keras.ops.full_like(layer.gamma, 3.0))
    before = training.backbone.get_weights()
    assert training.baseline_rate() > 0
    assert training.our_rate() > 0
    assert len(training.cached_seconds) == 1
    baseline, computed, cached = *training.losses["baseline"], *training.losses["ours"]
    assert computed == cached
    assert computed == pytest.approx(baseline, rel=1e-3), "features are saved with 16 bits"
    assert_same_arrays(training.backbone.get_weights(), before)
    assert frozen.extraction_rate(training.backbone, training.images, tmp_path / "rate") > 0
