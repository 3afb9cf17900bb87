"""Tests the code of lesson 22 on more cases than the lesson shows, and the checkers of its exercises."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from dlkit import explain
from dlkit.models import vision
from tests.lessons.exercise_tests import ExerciseTests
from tests.random_weights import randomize

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (3, 8, 6, 3)).astype("uint8")


@pytest.fixture(scope="module")
def small_resnet():
    return randomize(vision.build_small_resnet((32, 32, 3), 2, channels=(16, 16, 16)))


@pytest.fixture(scope="module")
def network():
    """A convolutional network with random weights, for raw pixels."""
    inputs = keras.Input((8, 6, 3))
    x = layers.Rescaling(1 / 255)(inputs)
    x = layers.Conv2D(5, 3, padding="same", activation="relu")(x)
    x = layers.BatchNormalization()(x)
    x = layers.GlobalAveragePooling2D()(x)
    return randomize(keras.Model(inputs, layers.Dense(4)(x)))


@pytest.fixture(scope="module")
def linear():
    """A linear classifier, whose gradients are its weights."""
    model = keras.Sequential([keras.Input((4, 4, 1)), layers.Flatten(), layers.Dense(3)])
    model.set_weights([RNG.normal(size=(16, 3)), RNG.normal(size=3)])
    return model


def logit(model, images, label):
    return model.predict(np.asarray(images, "float32"), verbose=0)[:, label]


def test_input_gradients_equal_finite_differences(lesson, network):
    found = lesson.input_gradients(network, IMAGES, 3)
    assert found.shape == IMAGES.shape
    for pixel in [(2, 3, 1), (0, 0, 0), (7, 5, 2)]:
        up, down = IMAGES.astype("float32"), IMAGES.astype("float32")
        up[(slice(None), *pixel)] += 0.5
        down[(slice(None), *pixel)] -= 0.5
        gradient = logit(network, up, 3) - logit(network, down, 3)
        np.testing.assert_allclose(found[(slice(None), *pixel)], gradient, atol=2e-5)


def test_gradients_of_a_linear_model_are_its_weights(lesson, linear):
    images = RNG.random((2, 4, 4, 1))
    weights = linear.get_weights()[0][:, 2].reshape(4, 4, 1)
    np.testing.assert_allclose(lesson.input_gradients(linear, images, 2), [weights] * 2, atol=1e-6)
    np.testing.assert_allclose(lesson.smooth_grad(linear, images, 5, label=2), [weights] * 2, atol=1e-6)
    attributions = lesson.integrated_gradients(linear, images, 3, label=2, baseline=0)
    np.testing.assert_allclose(attributions, images * weights, atol=1e-6)


def test_input_gradients_do_not_crash_with_eight_channels(lesson):
    """TensorFlow 2.21 crashes (segmentation fault) when it also computes the gradients of the weights here."""
    model = vision.build_small_resnet((32, 32, 3), 2, channels=(8, 8, 8))
    assert lesson.input_gradients(model, RNG.random((1, 32, 32, 3))).shape == (1, 32, 32, 3)


@pytest.mark.parametrize("baseline", [0, 128.0, IMAGES[0]])
def test_integrated_gradients_are_complete(lesson, network, baseline):
    attributions = lesson.integrated_gradients(network, IMAGES, 200, label=2, baseline=baseline)
    change = logit(network, IMAGES, 2) - logit(network, np.broadcast_to(baseline, IMAGES.shape), 2)
    np.testing.assert_allclose(attributions.sum(axis=(1, 2, 3)), change, atol=2e-3)


def test_integrated_gradients_improve_with_more_steps(lesson, network):
    change = logit(network, IMAGES[1:], 2) - logit(network, IMAGES[:1], 2)
    attributions = [lesson.integrated_gradients(network, IMAGES[1:], n, label=2, baseline=IMAGES[0]) for n in (1, 100)]
    errors = [np.abs(values.sum(axis=(1, 2, 3)) - change).max() for values in attributions]
    assert errors[1] < errors[0]


def test_smooth_grad_depends_on_the_seed(lesson, network):
    first, again, other = (lesson.smooth_grad(network, IMAGES, samples=3, seed=s) for s in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0


@pytest.mark.parametrize("count", [0, -1])
def test_no_steps_and_no_samples_give_no_number(lesson, network, count):
    for method in (lesson.integrated_gradients, lesson.smooth_grad):
        with pytest.raises(ValueError, match="at least one"):
            method(network, IMAGES, count)


def test_grad_cam_by_hand_matches_dlkit(lesson, small_resnet):
    lesson.last = "stage_2_block_1_relu_2"
    images = RNG.integers(0, 256, (3, 32, 32, 3)).astype("uint8")
    small = lesson.grad_cam_by_hand(small_resnet, images, 1)
    resized = tf.image.resize(small[..., None], (32, 32))[..., 0]
    np.testing.assert_allclose(resized, explain.grad_cam(small_resnet, images, 1, layer=lesson.last), atol=1e-6)


def test_occlusion_finds_the_only_pixels_that_matter(lesson):
    model = keras.Sequential([keras.Input((6, 6, 1)), layers.Flatten(), layers.Dense(2, use_bias=False)])
    weights = np.zeros((6, 6, 2))
    weights[4:6, 0:2, 1] = 1
    model.set_weights([weights.reshape(36, 2)])
    images = np.full((1, 6, 6, 1), 10.0)
    expected = np.zeros((1, 6, 6))
    expected[0, 4:6, 0:2] = 40
    np.testing.assert_allclose(lesson.occlusion(model, images, size=2, stride=2, fill=0), expected, atol=1e-5)
    assert images.min() == 10, "the image itself is not changed"


@pytest.mark.parametrize(("size", "stride"), [(4, 3), (5, 4), (8, 8), (6, 6), (1, 1)])
def test_occlusion_covers_every_pixel(lesson, size, stride):
    """Of an image whose pixels all support the class, none may be reported to have no effect."""
    model = keras.Sequential([keras.Input((8, 9, 1)), layers.Flatten(), layers.Dense(2, use_bias=False)])
    model.set_weights([np.ones((72, 2))])
    found = lesson.occlusion(model, np.ones((1, 8, 9, 1)), size=size, stride=stride, fill=0)
    np.testing.assert_allclose(found, np.full((1, 8, 9), size**2), rtol=1e-5)


@pytest.mark.parametrize(("size", "stride"), [(7, 2), (2, 3), (2, 0), (0, 0), (2, -1)])
def test_occlusion_refuses_squares_that_cannot_cover_the_image(lesson, network, size, stride):
    with pytest.raises(ValueError, match="Expected 0 < stride <= size <="):
        lesson.occlusion(network, IMAGES, size=size, stride=stride)


def test_add_sticker_covers_16_pixels_of_a_copy(lesson):
    images = np.zeros((2, 32, 32, 3), "uint8")
    assert (lesson.add_sticker(images).any(axis=-1).sum(axis=(1, 2)) == 16).all()
    assert not images.any()
    assert lesson.on_sticker(lesson.add_sticker(images).max(axis=-1)) == pytest.approx(1)


def test_guided_network_blocks_negative_gradients(lesson, small_resnet):
    guided = keras.models.clone_model(small_resnet, clone_function=lesson.guide)
    guided.set_weights(small_resnet.get_weights())
    images = RNG.random((2, 32, 32, 3)).astype("float32") * 255
    np.testing.assert_allclose(guided(images), small_resnet(images), atol=1e-6)
    x = tf.constant([-1.0, 2.0, 3.0])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.reduce_sum(lesson.guided_relu(x) * [1.0, 1.0, -1.0])
    assert tape.gradient(y, x).numpy().tolist() == [0, 1, 0]


def test_randomize_head_changes_only_last_layer(lesson, small_resnet):
    randomized = lesson.randomize_head(small_resnet, 0)
    for ours, theirs in zip(randomized.get_weights()[:-2], small_resnet.get_weights()[:-2], strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert np.abs(randomized.get_weights()[-2] - small_resnet.get_weights()[-2]).max() > 0.1


def test_similarity_is_rank_correlation(lesson):
    maps = RNG.random((3, 5, 5))
    assert lesson.similarity(maps, maps**3) == pytest.approx(1)
    assert lesson.similarity(maps, -maps) == pytest.approx(-1)
    assert lesson.similarity(maps, 0 * maps) == 0


# Exercises: other correct answers, and mistakes with a word of the hint that each should get


def cover(sign=1, fill=None, fresh=True, in_place=False, difference=True, batch=True):
    """Occlusion square by square."""

    def run(score, image, size, value):
        covered = image if in_place else image.copy()
        before = score(image[None])[0]
        table = np.zeros((image.shape[0] // size, image.shape[1] // size))
        for i, j in np.ndindex(table.shape):
            covered = image.copy() if fresh and not in_place else covered
            covered[i * size : (i + 1) * size, j * size : (j + 1) * size] = value if fill is None else fill
            after = score(covered[None] if batch else covered)
            table[i, j] = sign * (before * difference - np.ravel(after)[0])
        return table

    return run


SHORTCUT = {"row": 23, "column": 7, "with": 0.99, "without": 0.55}


ALTERNATIVES = {
    "22.find_the_shortcut": [SHORTCUT],
    "22.integrated_linear": [np.array([6, 0, 1.0])],
    "22.occlude": [cover()],
}

MISTAKES = {
    "22.find_the_shortcut": [
        ({"row": 23}, "give"),
        (SHORTCUT | {"with": 99}, "between 0 and 1"),
        (SHORTCUT | {"row": 7, "column": 23}, "swapped"),
        (SHORTCUT | {"row": 4, "column": 28}, "not there"),
        (SHORTCUT | {"with": 0.8}, "longer"),
        (SHORTCUT | {"without": 0.9}, "prove it"),
    ],
    "22.integrated_linear": [
        ((3, -2, 0.5), "those are the gradients"),
        ((6, -2, 2), "not by x"),
        ((2, 0, 2), "by the weights"),
        ((-6, 0, -1), "not back"),
        (7, "three numbers"),
        ((1, 1, 1), "the same all along"),
    ],
    "22.occlude": [
        (cover(sign=-1), "a drop is positive"),
        (cover(fill=0), "not with 0"),
        (cover(fresh=False), "a new copy"),
        (cover(in_place=True), "has changed"),
        (cover(difference=False, sign=-1), "subtract"),
        (cover(batch=False), "batch"),
        (lambda score, image, size, value: cover()(score, image, 2, value), "shape (3, 1) for 9 x 3"),
        (lambda score, image, size, value: image, "one number for each square"),
    ],
}


class TestExercises(ExerciseTests):
    pass
