"""dlkit.models.fast_cnn: the network written out in Keras, and its whitening filters."""

import keras
import numpy as np
import pytest
from keras import layers

from dlkit import models
from tests.arrays import assert_same_arrays
from tests.models.helpers import SHAPE, save_images
from tests.random_weights import assert_equal_models


def test_fast_cnn_equals_the_network_written_out():
    inputs = keras.Input(SHAPE)
    x = layers.Rescaling(1 / 64, offset=-2)(inputs)
    x = layers.Conv2D(6, 4, strides=2, padding="same", activation="relu", trainable=False)(x)
    for channels in (8, 12):
        x = layers.Conv2D(channels, 3, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization(momentum=0.9)(layers.MaxPooling2D()(x))
        x = layers.ReLU()(x)
        y = layers.Conv2D(channels, 3, padding="same", use_bias=False)(x)
        y = layers.BatchNormalization(momentum=0.9)(y)
        x = layers.Add()([x, layers.ReLU()(y)])
    theirs = keras.Model(inputs, layers.Dense(10, use_bias=False)(layers.GlobalMaxPooling2D()(x)) / 5)
    ours = models.build_fast_cnn(SHAPE, 10, channels=(6, 8, 12))
    noise = np.random.default_rng(0).integers(0, 256, (3, *SHAPE))
    assert_equal_models(ours, theirs, noise, atol=1e-4)


def test_fast_cnn_has_the_documented_resolutions():
    default = models.build_fast_cnn(SHAPE, 10)
    stride_one = models.build_fast_cnn(SHAPE, 10, channels=(24, 8, 8, 8), patch=2, stride=1)
    sizes = [
        [each.output.shape[1] for each in model.layers if each.name == "stem" or isinstance(each, layers.MaxPooling2D)]
        for model in (default, stride_one)
    ]
    assert sizes == [[16, 8, 4], [31, 15, 7, 3]]


def test_fast_cnn_cannot_have_more_filters_than_directions():
    with pytest.raises(ValueError, match="even number of first channels, 2 to 32. Received: 48"):
        models.build_fast_cnn((28, 28, 1), 10, channels=(48, 64))
    with pytest.raises(ValueError, match="2 to 24. Received: 32"):
        models.build_fast_cnn(SHAPE, 10, patch=2)


@pytest.mark.parametrize("count", [2, 24])
def test_fast_cnn_takes_the_smallest_and_largest_filter_count(count):
    assert models.build_fast_cnn(SHAPE, 10, channels=(count, 8), patch=2).get_layer("stem").filters == count


@pytest.mark.parametrize("count", [3, 26])
def test_fast_cnn_refuses_an_odd_or_too_large_number_of_filters(count):
    with pytest.raises(ValueError, match=f"an even number of first channels, 2 to 24. Received: {count}"):
        models.build_fast_cnn(SHAPE, 10, channels=(count, 8), patch=2)


@pytest.mark.parametrize("channels", [3, 1])
@pytest.mark.parametrize(("patch", "count"), [(4, 16), (2, 4)])
def test_whiten_makes_outputs_uncorrelated_with_variance_one(channels, patch, count):
    rng = np.random.default_rng(0)
    smooth = rng.integers(0, 256, (300, 8, 8, channels)).repeat(4, axis=1).repeat(4, axis=2)
    images = (0.7 * smooth + rng.integers(0, 77, smooth.shape)).astype("uint8")
    model = models.build_fast_cnn(images.shape[1:], 10, channels=(count, 8), patch=patch)
    models.whiten(model, images)
    stem = model.get_layer("stem")
    linear = keras.layers.Conv2D(count, patch, patch)  # the same filters on the same patches, without ReLU
    outputs = linear(np.zeros((1, *images.shape[1:])))
    linear.set_weights(stem.get_weights())
    outputs = keras.ops.convert_to_numpy(linear(model.get_layer("scale")(images))).reshape(-1, count)
    half = count // 2
    np.testing.assert_allclose(np.cov(outputs[:, :half].T), np.eye(half), atol=0.02)
    np.testing.assert_allclose(outputs[:, :half], -outputs[:, half:], atol=1e-3)
    np.testing.assert_allclose(outputs.mean(axis=0), 0, atol=1e-2)
    assert not stem.trainable


@pytest.mark.parametrize(("size", "options"), [(7, {}), (10, {"stride": 1, "patch": 7})])
def test_fast_cnn_refuses_images_that_pooling_would_remove(size, options):
    assert models.build_fast_cnn((size, size, 3), 10, **options).output_shape == (None, 10)
    with pytest.raises(ValueError, match=rf"Expected input_shape .*at least {size} x {size} pixels"):
        models.build_fast_cnn((size - 1, 32, 3), 10, **options)


NOISE = np.random.default_rng(0).integers(0, 256, (20, *SHAPE)).astype("uint8")
IMAGE_WITH_NAN = np.where(np.arange(20 * 32 * 32 * 3).reshape(NOISE.shape) == 70, np.nan, NOISE)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (NOISE / np.float32(255), "pixels from 0 to 255.*Received: float32 from 0 to 1"),
        (NOISE[..., 0], r"of shape \(count, 32, 32, 3\)"),
        (NOISE[..., :1], r"of shape \(count, 32, 32, 3\)"),
        (IMAGE_WITH_NAN, "Expected finite images"),
        (NOISE[:0], r"Received: \(0, 32, 32, 3\)"),
    ],
    ids=["scaled", "gray", "one_channel", "nan", "none"],
)
def test_whiten_refuses_images_that_do_not_fit(images, message):
    with pytest.raises(ValueError, match=message):
        models.whiten(models.build_fast_cnn(SHAPE, 10), images)


def test_whiten_takes_images_that_stay_on_disk(tmp_path, monkeypatch):
    monkeypatch.setattr("dlkit.models.fast_cnn.WHITENING_IMAGES", 5)
    stems = []
    for images in (save_images(NOISE, tmp_path), NOISE[::4]):
        model = models.build_fast_cnn(SHAPE, 10)
        models.whiten(model, images)
        stems.append(model.get_layer("stem").get_weights())
    assert_same_arrays(*stems)


def test_whiten_takes_uniform_images():
    model = models.build_fast_cnn(SHAPE, 10)
    models.whiten(model, np.full((10, *SHAPE), 255, "uint8"))
    assert all(np.isfinite(values).all() for values in model.get_weights())
