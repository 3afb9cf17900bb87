"""dlkit.explain on models whose class activation maps are known beforehand."""

import keras
import numpy as np
import pytest
from keras import layers

from dlkit import explain
from tests.random_weights import randomize

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (3, 8, 6, 3)).astype("uint8")


@pytest.fixture(scope="module")
def network():
    """A convolutional network with random weights, for raw pixels."""
    inputs = keras.Input((8, 6, 3))
    x = layers.Rescaling(1 / 255)(inputs)
    x = layers.Conv2D(5, 3, padding="same", activation="relu", name="conv")(x)
    x = layers.BatchNormalization(name="norm")(x)
    x = layers.GlobalAveragePooling2D(name="mean")(x)
    return randomize(keras.Model(inputs, layers.Dense(4)(x)))


def class_activation_maps(network, label):
    """Before global pooling, the gradient at each position is the weight of the dense layer over their number."""
    maps = keras.Model(network.inputs, network.get_layer("norm").output).predict_on_batch(IMAGES)
    weights = network.layers[-1].get_weights()[0][:, label]
    return np.maximum((maps * weights).sum(axis=-1) / (8 * 6), 0)


def test_grad_cam_before_pooling_is_the_class_activation_map(network):
    found = explain.grad_cam(network, IMAGES, 3, layer="norm")
    np.testing.assert_allclose(found, class_activation_maps(network, 3), atol=1e-6)


def test_grad_cam_explains_the_predicted_class_by_default(network):
    expected = [class_activation_maps(network, k)[i] for i, k in enumerate(network.predict_on_batch(IMAGES).argmax(1))]
    np.testing.assert_allclose(explain.grad_cam(network, IMAGES, layer="norm"), expected, atol=1e-6)


def test_grad_cam_takes_a_class_for_each_image(network):
    expected = [class_activation_maps(network, k)[i] for i, k in enumerate([0, 3, 1])]
    np.testing.assert_allclose(explain.grad_cam(network, IMAGES, [0, 3, 1], layer="norm"), expected, atol=1e-6)


def test_grad_cam_of_a_sequential_that_was_loaded(tmp_path):
    """Keras adds its layers one by one and calls the earlier ones anew, so `layer.output` belongs to another call."""
    body = [layers.Conv2D(5, 3, name="conv"), layers.Flatten(), layers.Dense(4)]
    model = randomize(keras.Sequential([keras.Input((8, 6, 3)), *body]))
    expected = explain.grad_cam(keras.Model(model.inputs, model.outputs), IMAGES, 3, layer="conv")
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(explain.grad_cam(loaded, IMAGES, 3, layer="conv"), expected, atol=1e-6)
    assert expected.max() > 0


def test_grad_cam_has_the_size_of_the_images():
    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, strides=4, padding="same", name="small")(inputs)
    model = keras.Model(inputs, layers.Dense(2)(layers.Flatten()(x)))
    cam = explain.grad_cam(model, RNG.random((2, 8, 8, 3)), layer="small")
    assert cam.shape == (2, 8, 8)
    assert cam.min() >= 0


def test_grad_cam_does_not_crash_with_eight_channels():
    """TensorFlow 2.21 crashes (segmentation fault) when it also computes the gradients of the weights here."""
    convolutions = [layers.Conv2D(8, 3, padding="same", activation="relu", name=f"conv_{k}") for k in range(3)]
    head = [layers.GlobalAveragePooling2D(), layers.Dense(2)]
    model = keras.Sequential([keras.Input((32, 32, 3)), *convolutions, *head])
    assert explain.grad_cam(model, RNG.random((1, 32, 32, 3)), layer="conv_0").shape == (1, 32, 32)


@pytest.mark.parametrize(
    ("images", "options", "message"),
    [
        (IMAGES[0], {}, r"images\[None\]` for one image"),
        (IMAGES[:, :4], {}, "count, 8, 6, 3"),
        (IMAGES / 255, {}, "pixels from 0 to 255"),
        (np.where(IMAGES > 9, IMAGES, np.nan), {}, "finite images"),
        (IMAGES, {"classes": 4}, "classes of shape .*, integers from 0 to 3"),
        (IMAGES, {"classes": [0, -1, 2]}, "integers from 0 to 3"),
        (IMAGES, {"classes": [0, 1]}, r"classes of shape \(3,\)"),
        (IMAGES, {"layer": "convolution"}, "No such layer: convolution.*'conv', 'norm', 'mean'"),
        (IMAGES, {"layer": "mean"}, "rows, columns"),
    ],
)
def test_grad_cam_refuses_wrong_arguments(network, images, options, message):
    with pytest.raises(ValueError, match=message):
        explain.grad_cam(network, images, **{"layer": "conv"} | options)


def test_grad_cam_refuses_a_softmax_and_says_how_to_remove_it(network):
    model = keras.models.clone_model(network)
    model.layers[-1].activation = keras.activations.softmax
    with pytest.raises(ValueError, match=r"Received: probabilities.*activation = keras.activations.linear"):
        explain.grad_cam(model, IMAGES, layer="conv")
    model.layers[-1].activation = keras.activations.linear
    assert explain.grad_cam(model, IMAGES, layer="conv").shape == (3, 8, 6)
