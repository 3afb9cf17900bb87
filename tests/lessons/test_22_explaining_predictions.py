"""The code of lesson 22 on more cases than the lesson shows, and the checkers of its exercises."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.lessons.exercise_tests import ExerciseTests
from tests.random_weights import randomize

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def small_resnet():
    from dlkit.models import vision

    return randomize(vision.build_small_resnet((32, 32, 3), 2, channels=(16, 16, 16)))


def test_the_lessons_own_methods_equal_dlkit_explain(lesson, small_resnet):
    from dlkit import explain

    lesson.last = "stage_2_block_1_relu_2"
    images = RNG.integers(0, 256, (3, 32, 32, 3)).astype("uint8")
    slopes = lesson.gradients_by_hand(small_resnet, images, 1)
    np.testing.assert_allclose(slopes, explain.input_gradients(small_resnet, images, 1), atol=1e-7)
    shares = lesson.integrated_by_hand(small_resnet, images, 0, 8)
    theirs = explain.integrated_gradients(small_resnet, images, 0, baseline=128, steps=8)
    np.testing.assert_allclose(shares, theirs, atol=1e-5)
    small = lesson.grad_cam_by_hand(small_resnet, images, 1)
    enlarged = tf.image.resize(small[..., None], (32, 32))[..., 0]
    np.testing.assert_allclose(enlarged, explain.grad_cam(small_resnet, images, 1, layer=lesson.last), atol=1e-6)


def test_the_sticker_covers_sixteen_pixels_of_a_copy(lesson):
    images = np.zeros((2, 32, 32, 3), "uint8")
    assert (lesson.mark(images).any(axis=-1).sum(axis=(1, 2)) == 16).all()
    assert not images.any()
    assert lesson.on_sticker(lesson.mark(images).max(axis=-1)) == pytest.approx(1)


def test_the_guided_network_answers_the_same_and_lets_no_negative_slope_through(lesson, small_resnet):
    guided = keras.models.clone_model(small_resnet, clone_function=lesson.guide)
    guided.set_weights(small_resnet.get_weights())
    images = RNG.random((2, 32, 32, 3)).astype("float32") * 255
    np.testing.assert_allclose(guided(images), small_resnet(images), atol=1e-6)
    x = tf.constant([-1.0, 2.0, 3.0])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.reduce_sum(lesson.guided_relu(x) * [1.0, 1.0, -1.0])
    assert tape.gradient(y, x).numpy().tolist() == [0, 1, 0]


def test_another_last_layer_leaves_all_others_as_they_were(lesson, small_resnet):
    headless = lesson.without_head(small_resnet, 0)
    for ours, theirs in zip(headless.get_weights()[:-2], small_resnet.get_weights()[:-2], strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert np.abs(headless.get_weights()[-2] - small_resnet.get_weights()[-2]).max() > 0.1


def test_likeness_is_about_the_order_of_pixels(lesson):
    maps = RNG.random((3, 5, 5))
    assert lesson.likeness(maps, maps**3) == pytest.approx(1)
    assert lesson.likeness(maps, -maps) == pytest.approx(-1)
    assert lesson.likeness(maps, 0 * maps) == 0


# --- exercises: other correct answers, and mistakes with a word of the hint that each should get


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


PLACE = {"row": 23, "column": 7, "with": 0.99, "without": 0.55}


ALTERNATIVES = {
    "22.find_the_shortcut": [PLACE],
    "22.integrated_linear": [np.array([6, 0, 1.0])],
    "22.occlude": [cover()],
}

MISTAKES = {
    "22.find_the_shortcut": [
        ({"row": 23}, "give"),
        (PLACE | {"with": 99}, "between 0 and 1"),
        (PLACE | {"row": 7, "column": 23}, "swapped"),
        (PLACE | {"row": 4, "column": 28}, "not there"),
        (PLACE | {"with": 0.8}, "longer"),
        (PLACE | {"without": 0.9}, "prove it"),
    ],
    "22.integrated_linear": [
        ((3, -2, 0.5), "those are the gradients"),
        ((6, -2, 2), "not with x"),
        ((2, 0, 2), "with the weights"),
        ((-6, 0, -1), "not back"),
        (7, "three numbers"),
        ((1, 1, 1), "the same all along"),
    ],
    "22.occlude": [
        (cover(sign=-1), "a fall is positive"),
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
