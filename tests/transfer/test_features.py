"""dlkit.transfer.features: computed once, never out of date, never incomplete."""

import os
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest

from dlkit import data, evaluate, transfer
from tests.random_weights import randomize
from tests.transfer.helpers import IMAGES, backbone_with_head, build_classifier, build_tiny


class PredictionCounter:
    """Counts the images that a model predicts for, by replacing its `predict_on_batch`.

    With `stop_after`, the method raises `KeyboardInterrupt` after so many images, as if the user had stopped the
    process.
    """

    def __init__(self, model, monkeypatch, stop_after=None):
        self.count, self.stop_after, original = 0, stop_after, model.predict_on_batch

        def predict(images):
            if self.stop_after is not None and self.count >= self.stop_after:
                raise KeyboardInterrupt
            self.count += len(images)
            return original(images)

        monkeypatch.setattr(model, "predict_on_batch", predict)


def test_cached_features_are_computed_once(tmp_path, monkeypatch):
    model = randomize(build_tiny())
    counter = PredictionCounter(model, monkeypatch)
    features = transfer.cached_features(model, IMAGES, tmp_path, batch_size=4)
    assert (features.dtype, features.shape, counter.count) == (np.float16, (10, 6), 10)
    np.testing.assert_allclose(features, model(IMAGES), rtol=1e-2, atol=1e-3)
    again = transfer.cached_features(randomize(build_tiny()), IMAGES, tmp_path)
    assert isinstance(again, np.memmap)
    np.testing.assert_array_equal(features, again)
    np.testing.assert_array_equal(transfer.cached_features(model, IMAGES, tmp_path), features)
    assert counter.count == 10
    assert len(list(tmp_path.iterdir())) == 1


def test_cached_features_creates_the_folder(tmp_path):
    features = transfer.cached_features(build_tiny(), IMAGES, tmp_path / "runs" / "first" / "features")
    assert len(features) == len(IMAGES)


def test_cached_features_of_flipped_images_come_second(tmp_path):
    model = build_tiny()
    both = transfer.cached_features(model, IMAGES, tmp_path, flipped=True)
    assert both.shape == (2, 10, 6)
    np.testing.assert_allclose(both[1], model(IMAGES[:, :, ::-1]), rtol=1e-2, atol=1e-3)
    np.testing.assert_array_equal(both[0], transfer.cached_features(model, IMAGES, tmp_path))


@pytest.mark.skipif(os.name == "nt", reason="Windows does not have this lock")
def test_cached_features_of_two_callers_are_computed_once(tmp_path, monkeypatch):
    model = build_tiny()
    expected = transfer.cached_features(model, IMAGES, tmp_path / "expected", batch_size=2)
    counter = PredictionCounter(model, monkeypatch)
    with ThreadPoolExecutor(2) as pool:
        tasks = [pool.submit(transfer.cached_features, model, IMAGES, tmp_path / "run", batch_size=2) for _ in range(2)]
        found = [task.result() for task in tasks]
    for features in found:
        np.testing.assert_array_equal(features, expected)
    assert counter.count == 10


def test_cached_features_accepts_the_file_of_another_process(tmp_path, monkeypatch):
    def replace_twice(part, target, replace=os.replace):
        replace(part, target)  # by the other process
        replace(part, target)

    monkeypatch.setattr("dlkit.transfer.features.os.replace", replace_twice)
    found = transfer.cached_features(build_tiny(), IMAGES, tmp_path / "run", batch_size=2)
    assert len(found) == len(IMAGES)
    assert [path.suffix for path in (tmp_path / "run").iterdir()] == [".npy"]


@pytest.mark.parametrize("rows", [0, 4, 8])
@pytest.mark.parametrize("torn", [0, 5])
def test_cached_features_resume_after_a_kill(tmp_path, monkeypatch, rows, torn):
    model = build_tiny()
    expected = transfer.cached_features(model, IMAGES, tmp_path / "expected", batch_size=4)
    with monkeypatch.context() as patch:
        PredictionCounter(model, patch, stop_after=rows)
        with pytest.raises(KeyboardInterrupt):
            transfer.cached_features(model, IMAGES, tmp_path / "run", batch_size=4)
    (part,) = (tmp_path / "run").iterdir()
    assert part.suffix == ".part", "an incomplete file does not have the final name"
    with open(part, "ab") as file:
        file.write(b"\1" * torn)  # a kill in the middle of a row
    counter = PredictionCounter(model, monkeypatch)
    found = transfer.cached_features(model, IMAGES, tmp_path / "run", batch_size=4)
    np.testing.assert_array_equal(found, expected)
    assert counter.count == 10 - rows


def test_cached_features_after_a_kill_in_the_file_header(tmp_path):
    model = build_tiny()
    (tmp_path / f"{transfer.cache_key(model, IMAGES)}.part").write_bytes(b"\x93NUMPY\x01")
    np.testing.assert_allclose(transfer.cached_features(model, IMAGES, tmp_path), model(IMAGES), rtol=1e-2, atol=1e-3)


def test_cache_key_depends_on_layers_weights_and_pixels():
    model = build_tiny()
    key = transfer.cache_key(model, IMAGES)
    assert transfer.cache_key(build_tiny(), IMAGES) == key, "layer names that Keras numbers do not matter"
    frozen = build_tiny()
    transfer.freeze(frozen)
    assert transfer.cache_key(frozen, IMAGES) == key, "which layers are trainable does not matter"
    assert transfer.cache_key(build_tiny(image_size=24), IMAGES) != key
    assert transfer.cache_key(model, IMAGES[:9]) != key
    assert transfer.cache_key(model, IMAGES.astype("float32")) != key
    other = IMAGES.copy()
    other[3, 2, 1, 0] ^= 1
    assert transfer.cache_key(model, other) != key
    model.get_layer("conv1_bn").moving_mean.assign([0.0, 0.0, 0.0, 1e-6])
    assert transfer.cache_key(model, IMAGES) != key


def test_cached_features_of_an_inner_layer_train_the_rest(tmp_path):
    model = build_classifier()
    lower, upper = transfer.split_model(model, "conv3")
    inner = transfer.cached_features(lower, IMAGES, tmp_path)
    assert inner.shape == (10, 16, 16, 4)
    transfer.unfreeze(model, "conv3")
    before = np.array(model.get_layer("conv3_conv").kernel)
    upper.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    upper.fit(inner.astype("float32"), np.arange(10) % 3, verbose=0)
    assert (np.array(model.get_layer("conv3_conv").kernel) != before).any(), "training upper trains the model"


def test_cached_features_reports_an_unwritable_folder(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(data.DataError, match=r"could not be saved in .*file: .*choose another folder"):
        transfer.cached_features(build_tiny(), IMAGES, tmp_path / "file")


@pytest.mark.slow
def test_cached_features_linear_head_reaches_70_percent(real_cifar10, tmp_path):
    backbone, head = backbone_with_head(real_cifar10, 128, tmp_path)
    features = transfer.cached_features(backbone, real_cifar10.test[0], tmp_path)
    accuracy = evaluate.accuracy(real_cifar10.test[1], evaluate.predict_probs(head, np.asarray(features, "float32")))
    print(f"linear head on 10,000 images at 128 px: {accuracy:.4f} on {len(features):,} test images")
    assert accuracy >= 0.70
