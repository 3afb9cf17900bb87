"""dlkit.explain on models whose attributions are known beforehand, and compared with finite differences."""

import keras
import numpy as np
import pytest
from keras import layers

from dlkit import explain, models
from tests.random_weights import randomize

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def network():
    """A convolutional network with random weights, for raw pixels."""
    inputs = keras.Input((8, 6, 3))
    x = layers.Rescaling(1 / 255)(inputs)
    x = layers.Conv2D(5, 3, padding="same", activation="relu", name="conv")(x)
    x = layers.BatchNormalization(name="norm")(x)
    x = layers.GlobalAveragePooling2D(name="mean")(x)
    return randomize(keras.Model(inputs, layers.Dense(4)(x)))


@pytest.fixture(scope="module")
def linear():
    """A linear classifier, whose gradients are its weights."""
    model = keras.Sequential([keras.Input((4, 4, 1)), layers.Flatten(), layers.Dense(3)])
    model.set_weights([RNG.normal(size=(16, 3)), RNG.normal(size=3)])
    return model


IMAGES = RNG.integers(0, 256, (3, 8, 6, 3)).astype("uint8")


def logit(model, images, classes):
    return model.predict(np.asarray(images, "float32"), verbose=0)[np.arange(len(images)), classes]


def test_input_gradients_equal_finite_differences(network):
    classes, step = [0, 3, 1], 0.5
    found = explain.input_gradients(network, IMAGES, classes)
    assert found.shape == IMAGES.shape
    for pixel in [(2, 3, 1), (0, 0, 0), (7, 5, 2)]:
        up, down = IMAGES.astype("float32"), IMAGES.astype("float32")
        up[(slice(None), *pixel)] += step
        down[(slice(None), *pixel)] -= step
        gradient = (logit(network, up, classes) - logit(network, down, classes)) / (2 * step)
        np.testing.assert_allclose(found[(slice(None), *pixel)], gradient, atol=2e-5)


def test_input_gradients_explain_the_predicted_class_by_default(network):
    predicted = network.predict(IMAGES.astype("float32"), verbose=0).argmax(axis=1)
    np.testing.assert_array_equal(
        explain.input_gradients(network, IMAGES), explain.input_gradients(network, IMAGES, predicted)
    )


def test_gradients_of_a_linear_model_are_its_weights(linear):
    images = RNG.random((2, 4, 4, 1))
    weights = linear.get_weights()[0][:, 2].reshape(4, 4, 1)
    for method in (explain.input_gradients, explain.smooth_grad):
        np.testing.assert_allclose(method(linear, images, 2), [weights] * 2, atol=1e-6)
    attributions = explain.integrated_gradients(linear, images, 2, steps=3)
    np.testing.assert_allclose(attributions, images * weights, atol=1e-6)


@pytest.mark.parametrize("baseline", [0, 128.0, IMAGES[0]])
def test_integrated_gradients_are_complete(network, baseline):
    attributions = explain.integrated_gradients(network, IMAGES, 2, baseline=baseline, steps=200)
    baselines = np.broadcast_to(baseline, IMAGES.shape)
    change = logit(network, IMAGES, [2] * 3) - logit(network, baselines, [2] * 3)
    np.testing.assert_allclose(attributions.sum(axis=(1, 2, 3)), change, atol=2e-3)


def test_integrated_gradients_improve_with_more_steps(network):
    others = IMAGES[1:]
    change = logit(network, others, [2] * 2) - logit(network, IMAGES[:1], [2])
    options = {"baseline": IMAGES[0].astype("float32")}
    errors = [
        np.abs(explain.integrated_gradients(network, others, 2, steps=n, **options).sum(axis=(1, 2, 3)) - change).max()
        for n in (1, 100)
    ]
    assert errors[1] < errors[0]


def test_smooth_grad_depends_on_the_seed(network):
    first, again, other = (explain.smooth_grad(network, IMAGES, 1, samples=3, seed=s) for s in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0


def test_grad_cam_before_pooling_is_the_class_activation_map(network):
    """There the gradient at each position is the weight of the dense layer, divided by the number of positions."""
    maps = explain.feature_maps(network, IMAGES, "norm")
    weights = network.layers[-1].get_weights()[0][:, 3]
    expected = np.maximum((maps * weights).sum(axis=-1) / (8 * 6), 0)
    np.testing.assert_allclose(explain.grad_cam(network, IMAGES, 3, layer="norm"), expected, atol=1e-6)


def test_grad_cam_has_the_size_of_the_images():
    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, strides=4, padding="same", name="small")(inputs)
    model = keras.Model(inputs, layers.Dense(2)(layers.Flatten()(x)))
    cam = explain.grad_cam(model, RNG.random((2, 8, 8, 3)), layer="small")
    assert cam.shape == (2, 8, 8)
    assert cam.min() >= 0


def test_occlusion_finds_the_only_pixels_that_matter():
    model = keras.Sequential([keras.Input((6, 6, 1)), layers.Flatten(), layers.Dense(2, use_bias=False)])
    weights = np.zeros((6, 6, 2))
    weights[4:6, 0:2, 1] = 1
    model.set_weights([weights.reshape(36, 2)])
    images = np.full((1, 6, 6, 1), 10.0)
    found = explain.occlusion(model, images, 1, size=2, stride=2, fill=0)[0]
    expected = np.zeros((6, 6))
    expected[4:6, 0:2] = 40
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert images.min() == 10, "the image itself is not changed"


def test_feature_maps_are_the_output_of_the_layer(network):
    assert explain.feature_maps(network, IMAGES, "conv").shape == (3, 8, 6, 5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: explain.input_gradients(m, IMAGES[0]), r"image\[None\]"),
        (lambda m: explain.input_gradients(m, IMAGES[:, :4]), "count, 8, 6, 3"),
        (lambda m: explain.input_gradients(m, IMAGES, 4), "from 0 to 3"),
        (lambda m: explain.input_gradients(m, IMAGES, [0, -1, 2]), "from 0 to 3"),
        (lambda m: explain.feature_maps(m, IMAGES, "convolution"), "conv, norm, mean"),
        (lambda m: explain.grad_cam(m, IMAGES, layer="mean"), "rows, columns"),
    ],
)
def test_explain_functions_refuse_wrong_arguments(network, call, message):
    with pytest.raises(ValueError, match=message):
        call(network)


def test_input_gradients_do_not_crash_with_eight_channels():
    """TensorFlow 2.21 crashes (segmentation fault) when it also computes the gradients of the weights here."""
    model = models.build_small_resnet((32, 32, 3), 2, channels=(8, 8, 8))
    assert explain.input_gradients(model, RNG.random((1, 32, 32, 3))).shape == (1, 32, 32, 3)
