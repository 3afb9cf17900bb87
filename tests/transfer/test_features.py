"""dlkit.transfer.features: computed once, never out of date, never incomplete."""

import errno
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest
from keras import layers
from sklearn.metrics import accuracy_score

from dlkit import data, evaluate, transfer
from dlkit.transfer.features import cache_key
from tests.models.helpers import save_images
from tests.random_weights import randomize
from tests.transfer.helpers import IMAGES, LOSS, backbone_with_head, build_classifier, build_tiny


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


def test_cached_features_of_two_callers_are_the_same(tmp_path):
    expected = transfer.cached_features(build_tiny(), IMAGES, tmp_path / "expected", batch_size=2)
    with ThreadPoolExecutor(2) as pool:
        models = [build_tiny(), build_tiny()]
        tasks = [
            pool.submit(transfer.cached_features, model, IMAGES, tmp_path / "run", batch_size=2) for model in models
        ]
        found = [task.result() for task in tasks]
    for features in found:
        np.testing.assert_array_equal(features, expected)
    assert len(list((tmp_path / "run").iterdir())) == 1


@pytest.mark.parametrize("rows", [0, 4, 8])
@pytest.mark.parametrize("torn", [0, 5])
def test_cached_features_resume_after_a_kill(tmp_path, monkeypatch, rows, torn):
    model = build_tiny()
    expected = transfer.cached_features(model, IMAGES, tmp_path / "expected", batch_size=4)
    with monkeypatch.context() as patch:
        PredictionCounter(model, patch, stop_after=rows)
        with pytest.raises(KeyboardInterrupt):
            transfer.cached_features(model, IMAGES, tmp_path / "run", batch_size=4)
    (file,) = (tmp_path / "run").iterdir()
    with open(file, "ab") as part:
        part.write(b"\1" * torn)  # a kill in the middle of a batch
    counter = PredictionCounter(model, monkeypatch)
    found = transfer.cached_features(model, IMAGES, tmp_path / "run", batch_size=4)
    np.testing.assert_array_equal(found, expected)
    assert counter.count == 10 - rows


KILLED = """
import os, signal, sys
from dlkit import transfer
from tests.transfer.helpers import IMAGES, build_tiny

model = build_tiny()
predict, calls = model.predict_on_batch, []

def predict_and_die(images):
    calls.append(len(images))
    if len(calls) == 4:
        os.kill(os.getpid(), signal.SIGKILL)
    return predict(images)

model.predict_on_batch = predict_and_die
transfer.cached_features(model, IMAGES, sys.argv[1], batch_size=2)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_cached_features_of_a_killed_process_are_continued_by_another(tmp_path, monkeypatch):
    killed = subprocess.run([sys.executable, "-c", KILLED, tmp_path / "run"], capture_output=True)
    assert killed.returncode == -9, killed.stderr.decode()
    model = build_tiny()
    expected = transfer.cached_features(model, IMAGES, tmp_path / "expected", batch_size=2)
    counter = PredictionCounter(model, monkeypatch)
    found = transfer.cached_features(model, IMAGES, tmp_path / "run", batch_size=2)
    np.testing.assert_array_equal(found, expected)
    assert counter.count == 10 - 6, "three batches were saved"


def test_cached_features_above_the_range_of_16_bits_are_kept_in_32(tmp_path, monkeypatch):
    model = build_tiny()
    model.get_layer("conv3_bn").gamma.assign([1.0, 1.0, 1.0, 1.0, 1.0, 1e7])
    features = transfer.cached_features(model, IMAGES, tmp_path, batch_size=4)
    assert features.dtype == "float32"
    assert np.abs(features).max() > 65_504
    np.testing.assert_allclose(features, model(IMAGES), rtol=1e-5, atol=1e-4)
    counter = PredictionCounter(model, monkeypatch)
    np.testing.assert_array_equal(transfer.cached_features(model, IMAGES, tmp_path), features)
    assert counter.count == 0
    assert [path.suffix for path in tmp_path.iterdir()] == [".float32"]


def test_cached_features_refuse_nan_and_infinity(tmp_path):
    model = build_tiny()
    images = IMAGES.astype("float32")
    images[3, 2, 1, 0] = np.nan
    with pytest.raises(ValueError, match=r"Expected finite images. Received: nan at position \[3, 2, 1, 0\]"):
        transfer.cached_features(model, images, tmp_path)
    overflow = keras.Sequential([keras.Input((16, 16, 3)), layers.Flatten(), layers.Rescaling(1e38)])
    with pytest.raises(ValueError, match="Expected finite features. Received: inf"):
        transfer.cached_features(overflow, IMAGES, tmp_path)
    model.get_layer("conv1_conv").bias.assign([0, 0, 0, np.inf])
    with pytest.raises(ValueError, match="finite weights"):
        transfer.cached_features(model, IMAGES, tmp_path)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (IMAGES / np.float32(255), "pixels from 0 to 255"),
        (IMAGES[0], r"`images\[None\]`"),
        (IMAGES[:0], r"Received: \(0, 16, 16, 3\)"),
    ],
    ids=["scaled", "one", "none"],
)
def test_cached_features_refuse_images_that_do_not_fit(tmp_path, images, message):
    with pytest.raises(ValueError, match=message):
        transfer.cached_features(build_tiny(), images, tmp_path)
    assert not list(tmp_path.iterdir())


def test_cached_features_refuse_models_without_one_output_of_fixed_shape(tmp_path):
    inputs = keras.Input((16, 16, 3))
    two = keras.Model(inputs, [layers.Flatten()(inputs), inputs])
    with pytest.raises(ValueError, match="one output of a fixed shape"):
        transfer.cached_features(two, IMAGES, tmp_path)
    free = keras.Sequential([keras.Input((None, None, 3)), layers.Conv2D(4, 3)])
    with pytest.raises(ValueError, match=r"one output of a fixed shape. Received: .* with \(None, None, None, 4\)"):
        transfer.cached_features(free, IMAGES, tmp_path)


def test_cached_features_of_a_sequential_model(tmp_path):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((16, 16, 3)), build_tiny(), layers.Dense(4)])
    features = transfer.cached_features(model, IMAGES, tmp_path)
    np.testing.assert_allclose(features, model(IMAGES), rtol=1e-2, atol=1e-3)
    again = keras.models.clone_model(model)
    again.set_weights(model.get_weights())
    assert cache_key(again, IMAGES) == cache_key(model, IMAGES)


def test_cached_features_of_images_that_stay_on_disk(tmp_path):
    (tmp_path / "images").mkdir()
    images, model = save_images(IMAGES, tmp_path / "images"), build_tiny()
    assert cache_key(model, images) == cache_key(model, IMAGES)
    features = transfer.cached_features(model, images, tmp_path / "lazy", batch_size=4)
    np.testing.assert_array_equal(features, transfer.cached_features(model, IMAGES, tmp_path / "array", batch_size=4))


def test_cache_key_depends_on_how_layers_are_connected():
    def build(order):
        inputs = keras.Input((16, 16, 3))
        doubled = layers.Rescaling(2.0, name="double")(inputs)
        pair = [inputs, doubled]
        return keras.Model(inputs, layers.Subtract(name="subtract")([pair[k] for k in order]))

    keys = [cache_key(build(order), IMAGES) for order in ((0, 1), (1, 0), (0, 1))]
    assert keys[0] == keys[2] != keys[1]


def test_cache_key_depends_on_the_precision():
    models = [
        transfer.build_backbone("mobilenet", (16, 16, 3), image_size=32, weights=None, precision=precision)
        for precision in ("float32", "mixed_bfloat16")
    ]
    models[1].set_weights(models[0].get_weights())
    assert cache_key(models[0], IMAGES) != cache_key(models[1], IMAGES)


def test_cache_key_depends_on_layers_weights_and_pixels():
    model = build_tiny()
    key = cache_key(model, IMAGES)
    assert cache_key(build_tiny(), IMAGES) == key, "layer names that Keras numbers do not matter"
    frozen = build_tiny()
    transfer.freeze(frozen)
    assert cache_key(frozen, IMAGES) == key, "which layers are trainable does not matter"
    assert cache_key(build_tiny(image_size=24), IMAGES) != key
    assert cache_key(model, IMAGES[:9]) != key
    assert cache_key(model, IMAGES.astype("float32")) != key
    other = IMAGES.copy()
    other[3, 2, 1, 0] ^= 1
    assert cache_key(model, other) != key
    model.get_layer("conv1_bn").moving_mean.assign([0.0, 0.0, 0.0, 1e-6])
    assert cache_key(model, IMAGES) != key


def test_cached_features_of_an_inner_layer_train_the_rest(tmp_path):
    model = build_classifier()
    lower, upper = transfer.split_model(model, "conv3")
    inner = transfer.cached_features(lower, IMAGES, tmp_path)
    assert inner.shape == (10, 16, 16, 4)
    transfer.unfreeze(model, "conv3")
    before = np.array(model.get_layer("conv3_conv").kernel)
    upper.compile("sgd", LOSS, run_eagerly=True)
    upper.fit(inner.astype("float32"), np.arange(10) % 3, verbose=0)
    assert (np.array(model.get_layer("conv3_conv").kernel) != before).any(), "training upper trains the model"


def test_cached_features_reports_an_unwritable_folder(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(data.DataError, match=r"could not be saved in .*file: .*Choose another folder"):
        transfer.cached_features(build_tiny(), IMAGES, tmp_path / "file")


def test_cached_features_gives_advice_that_fits_a_full_disk(tmp_path, monkeypatch):
    def fsync(handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", fsync)
    with pytest.raises(data.DataError, match=r"No space left on device. Free some space.$"):
        transfer.cached_features(build_tiny(), IMAGES, tmp_path)


@pytest.mark.slow
def test_cached_features_linear_head_reaches_70_percent(real_cifar10, tmp_path):
    backbone, head = backbone_with_head(real_cifar10, 128, tmp_path)
    features = transfer.cached_features(backbone, real_cifar10.test[0], tmp_path)
    probs = evaluate.predict_probs(head, np.asarray(features, "float32"))
    accuracy = accuracy_score(real_cifar10.test[1], probs.argmax(axis=1))
    print(f"linear head on 10,000 images at 128 px: {accuracy:.4f} on {len(features):,} test images")
    assert accuracy >= 0.70
