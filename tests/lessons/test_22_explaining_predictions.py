"""Tests the code of lesson 22 on more cases than the lesson shows, and the checkers of its exercises."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from dlkit import explain
from dlkit.models import vision
from tests.lessons.exercise_tests import ExerciseTests
from tests.random_weights import randomize

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def small_resnet():
    return randomize(vision.build_small_resnet((32, 32, 3), 2, channels=(16, 16, 16)))


def test_methods_by_hand_match_dlkit_explain(lesson, small_resnet):
    lesson.last = "stage_2_block_1_relu_2"
    images = RNG.integers(0, 256, (3, 32, 32, 3)).astype("uint8")
    gradients = lesson.gradients_by_hand(small_resnet, images, 1)
    np.testing.assert_allclose(gradients, explain.input_gradients(small_resnet, images, 1), atol=1e-7)
    attributions = lesson.integrated_by_hand(small_resnet, images, 0, 8)
    theirs = explain.integrated_gradients(small_resnet, images, 0, baseline=128, steps=8)
    np.testing.assert_allclose(attributions, theirs, atol=1e-5)
    small = lesson.grad_cam_by_hand(small_resnet, images, 1)
    resized = tf.image.resize(small[..., None], (32, 32))[..., 0]
    np.testing.assert_allclose(resized, explain.grad_cam(small_resnet, images, 1, layer=lesson.last), atol=1e-6)


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
