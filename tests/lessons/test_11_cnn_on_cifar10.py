"""Tests the code of lesson 11 on more cases than the lesson shows, and the checkers of its exercises."""

import keras
import numpy as np
import pytest

from dlkit import models
from tests.lessons.exercise_tests import ExerciseTests
from tests.lessons.helpers import assigned
from tests.random_weights import assert_equal_models, layer_settings, randomize


@pytest.mark.parametrize("size", [2, 4])
def test_extract_patches_cuts_a_grid_of_windows(lesson, size):
    images = np.random.default_rng(0).integers(0, 256, (3, 8, 12, 2))
    grid = np.lib.stride_tricks.sliding_window_view(images, (size, size), axis=(1, 2))[:, ::size, ::size]
    patches = lesson.extract_patches(images, size)
    assert patches.shape == (3 * (8 // size) * (12 // size), size * size * 2)
    np.testing.assert_array_equal(patches, grid.transpose(0, 1, 2, 4, 5, 3).reshape(patches.shape))


def test_classic_has_the_layers_of_build_classic_cnn(lesson):
    assert layer_settings(assigned(lesson, "classic")) == layer_settings(models.build_classic_cnn((32, 32, 3), 10))


def test_residual_block_matches_dlkit(lesson):
    inputs = keras.Input((4, 5, 3))
    ours, theirs = lesson.residual_block(inputs), models.residual_block(inputs, 3, name="block")
    noise = np.random.default_rng(0).normal(size=(3, 4, 5, 3)).astype("float32")
    assert_equal_models(keras.Model(inputs, ours), keras.Model(inputs, theirs), noise)


def test_residual_block_is_identity_when_branch_is_zero(lesson):
    inputs = keras.Input((4, 4, 3))
    block = randomize(keras.Model(inputs, lesson.residual_block(inputs)))
    *_, norm = [layer for layer in block.layers if isinstance(layer, keras.layers.BatchNormalization)]
    norm.gamma.assign(0 * norm.gamma)
    norm.beta.assign(0 * norm.beta)
    x = np.random.default_rng(0).normal(size=(2, 4, 4, 3)).astype("float32")
    np.testing.assert_allclose(block(x), np.maximum(x, 0), atol=1e-6)


# Exercises: other correct answers, and mistakes with a word of the hint that each should get


def cutout_with_masks(images, size, rng):
    height, width = images.shape[1:3]
    top = rng.integers(0, height - size + 1, (len(images), 1, 1))
    left = rng.integers(0, width - size + 1, (len(images), 1, 1))
    y, x = np.mgrid[0:height, 0:width]
    hole = (y >= top) & (y < top + size) & (x >= left) & (x < left + size)
    return np.where(hole[..., None], np.uint8(0), images)


def cutout_mistake(kind):
    def mistaken(images, size, rng):
        result = images if kind == "in place" else images.copy()
        for image in result:
            top, left = (2, 2) if kind == "same position" else rng.integers(0, 16 - size + 1, 2)
            if kind == "one channel":
                image[top : top + size, left : left + size, 0] = 0
            elif kind == "too large":
                image[top : top + size + 1, left : left + size + 1] = 0
            else:
                image[top : top + size, left : left + size] = 0
        return result.astype("float32") if kind == "float" else None if kind == "no return" else result

    return mistaken


def cutout_at(positions):
    """Cutout whose corners are at `positions(height, width, size, count, rng)`, a pair of rows and columns."""

    def cut(images, size, rng):
        result = images.copy()
        corners = np.broadcast_arrays(*positions(*images.shape[1:3], size, len(images), rng))
        for image, top, left in zip(result, *corners, strict=True):
            image[max(top, 0) : top + size, max(left, 0) : left + size] = 0
        return result

    return cut


def anywhere(height, width, size, count, rng):
    return rng.integers(height - size + 1, size=count), rng.integers(width - size + 1, size=count)


def by_centers(height, width, size, count, rng):
    """Draws centers anywhere and moves the squares inside."""
    tops, lefts = (rng.integers(side, size=count) - size // 2 for side in (height, width))
    return tops.clip(0, height - size), lefts.clip(0, width - size)


ALTERNATIVES = {
    "11.cutout": [cutout_with_masks, cutout_at(anywhere), cutout_at(by_centers)],
    "11.five_points": [{"before": [0.5, 10], "after": [0.551, 59.9]}],
    "11.count_macs": [np.int64(3_115_008)],
}

MISTAKES = {
    "11.cutout": [
        (cutout_mistake("in place"), "work on a copy"),
        (cutout_mistake("same position"), "same position"),
        (cutout_mistake("one channel"), "all three channels"),
        (cutout_mistake("too large"), "6 x 6"),
        (cutout_mistake("float"), "keep their type"),
        (cutout_mistake("no return"), "work on a copy|return"),
        (lambda images, size, rng: images.copy(), "no pixel"),
        (lambda images, size, rng: np.zeros_like(images), "6 x 6"),
        (cutout_at(lambda *given: [values - 1 for values in anywhere(*given)]), "inside the image"),
        (cutout_at(lambda *given: [values + 1 for values in anywhere(*given)]), "inside the image"),
        (cutout_at(lambda h, w, size, n, rng: anywhere(h - 1, w, size, n, rng)), "never occur"),
        (cutout_at(lambda h, w, size, n, rng: (rng.integers(size + 1, size=n), 0)), "never occur"),
        (cutout_at(lambda h, w, size, n, rng: (np.arange(n) % 2, np.arange(n) % 2)), "another generator"),
        (cutout_at(lambda h, w, size, n, rng: (rng.integers(h - size + 1, size=n),) * 2), "inside the image"),
        (cutout_at(lambda *given: anywhere(*given[:-1], np.random.default_rng())), "the same generator"),
        (cutout_at(lambda *given: anywhere(*given[:-1], np.random.default_rng(0))), "another generator"),
    ],
    "11.five_points": [
        ({"before": (0.5, 10), "after": (0.52, 30)}, "+2.0 points"),
        ({"before": (0.5, 10), "after": (0.6, 75)}, "budget is 60 s"),
        ({"before": (50, 10), "after": (60, 30)}, "not percentages"),
        ({"after": (0.6, 30)}, "give"),
        ({"before": 0.5, "after": 0.6}, "pair of numbers"),
    ],
    "11.count_macs": [
        (3 * 3 * 32 * 64, "every position"),
        (13 * 13 * 64 * 9, "32 input channels"),
        (15 * 15 * 64 * 9 * 32, "13 times"),
        (2 * 3_115_008, "count as one"),
        (1, "positions of the output"),
    ],
}


class TestExercises(ExerciseTests):
    pass
