"""Tests the code of lesson 11 on more cases than the lesson shows, and the checkers of its exercises."""

import keras
import numpy as np
import pytest

from dlkit import models, training
from tests.lessons.exercise_tests import ExerciseTests
from tests.random_weights import assert_equal_models, layer_settings, randomize


@pytest.mark.parametrize("size", [2, 4])
def test_extract_patches_cuts_a_grid_of_windows(lesson, size):
    images = np.random.default_rng(0).integers(0, 256, (3, 8, 12, 2))
    grid = np.lib.stride_tricks.sliding_window_view(images, (size, size), axis=(1, 2))[:, ::size, ::size]
    patches = lesson.extract_patches(images, size)
    assert patches.shape == (3 * (8 // size) * (12 // size), size * size * 2)
    np.testing.assert_array_equal(patches, grid.transpose(0, 1, 2, 4, 5, 3).reshape(patches.shape))


def test_classic_has_the_layers_of_build_classic_cnn(lesson):
    assert layer_settings(lesson.build_classic()) == layer_settings(models.build_classic_cnn((32, 32, 3), 10))


@pytest.mark.parametrize(("stride", "channels"), [(1, 3), (2, 3), (1, 5), (2, 6)])
def test_residual_block_matches_dlkit(lesson, stride, channels):
    inputs = keras.Input((4, 6, 3))
    ours = lesson.residual_block(inputs, channels, stride=stride)
    theirs = models.residual_block(inputs, channels, stride=stride, name="block")
    noise = np.random.default_rng(0).normal(size=(3, 4, 6, 3)).astype("float32")
    assert_equal_models(keras.Model(inputs, ours), keras.Model(inputs, theirs), noise)


def test_residual_block_without_shortcut_matches_dlkit(lesson):
    inputs = keras.Input((4, 6, 3))
    ours = lesson.residual_block(inputs, 4, stride=2, shortcut=False)
    theirs = models.residual_block(inputs, 4, stride=2, shortcut=None, name="block")
    noise = np.random.default_rng(0).normal(size=(3, 4, 6, 3)).astype("float32")
    assert_equal_models(keras.Model(inputs, ours), keras.Model(inputs, theirs), noise)


def test_residual_block_is_identity_when_branch_is_zero(lesson):
    inputs = keras.Input((4, 4, 3))
    block = randomize(keras.Model(inputs, lesson.residual_block(inputs, 3)))
    *_, norm = [layer for layer in block.layers if isinstance(layer, keras.layers.BatchNormalization)]
    norm.gamma.assign(0 * norm.gamma)
    norm.beta.assign(0 * norm.beta)
    x = np.random.default_rng(0).normal(size=(2, 4, 4, 3)).astype("float32")
    np.testing.assert_allclose(block(x), np.maximum(x, 0), atol=1e-6)


@pytest.mark.parametrize("steps", [8, 100, 101])
def test_one_cycle_matches_dlkit(lesson, steps):
    schedule = training.OneCycle(1.0, steps)
    ours = [lesson.one_cycle(step, steps) for step in range(1, steps + 1)]
    np.testing.assert_allclose(ours, [float(schedule(step)) for step in range(steps)], atol=1e-6)


def test_whitened_outputs_are_uncorrelated_with_mean_0_and_variance_1(lesson):
    rng = np.random.default_rng(0)
    patches = rng.normal(size=(500, 6)) @ rng.normal(size=(6, 6)) + 3
    filters, biases = lesson.whitening(patches, 6, epsilon=0)
    outputs = patches @ filters + biases
    np.testing.assert_allclose(np.cov(outputs.T), np.eye(6), atol=1e-8)
    np.testing.assert_allclose(outputs.mean(axis=0), 0, atol=1e-8)


def test_stem_holds_the_filters_of_whiten(lesson):
    lesson.channels = (8, 4)
    images = np.random.default_rng(0).integers(0, 256, (50, 32, 32, 3)).astype("uint8")
    fast = models.build_fast_cnn((32, 32, 3), 10, channels=(8, 4))
    models.whiten(fast, images)
    for ours, theirs in zip(lesson.whitened_stem(images), fast.get_layer("stem").get_weights(), strict=True):
        ours, theirs = (np.abs(x[..., :4]) for x in (ours, theirs))  # a direction has no sign
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("step", "cycle", "smoothing", "norms"),
    [
        ("MLP", False, 0.0, 0),
        ("classic", False, 0.0, 0),
        ("classic + one cycle + smoothing", True, 0.1, 0),
        ("compact", False, 0.0, 0),
        ("+ batch normalization", False, 0.0, 4),
        ("+ one cycle", True, 0.0, 4),
        ("+ label smoothing", True, 0.1, 4),
        ("+ whitened first layer", True, 0.1, 4),
    ],
)
def test_steps_switch_on_what_they_name(lesson, step, cycle, smoothing, norms):
    lesson.channels = (8, 4, 6)
    images = np.random.default_rng(0).integers(0, 256, (20, 32, 32, 3)).astype("uint8")
    model, options = lesson.prepare_step(step, images)
    kinds = [type(layer) for layer in model.layers]
    assert bool(options["cycle"]) is cycle
    assert model.loss.label_smoothing == smoothing
    assert kinds.count(keras.layers.BatchNormalization) == norms
    assert ("first_layer" in options) == (step == "+ whitened first layer")


def test_train_sets_the_rate_of_every_step(lesson):
    rng = np.random.default_rng(0)
    train_set = rng.integers(0, 256, (70, 32, 32, 3)).astype("uint8"), rng.integers(0, 10, 70)
    model, _ = lesson.prepare_step("MLP", train_set[0])
    lesson.train(model, train_set, 0.01, 2, cycle=True)
    assert int(model.optimizer.iterations) == 6
    np.testing.assert_allclose(model.optimizer.learning_rate, 0.01 * lesson.one_cycle(6, 6), rtol=1e-5)
    lesson.train(model, train_set, 0.02, 1)
    np.testing.assert_allclose(model.optimizer.learning_rate, 0.02, rtol=1e-5)


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


def flip_in_one_batch(predict, images):
    both = predict(np.concatenate([images, images[:, :, ::-1]]))
    return both.reshape(2, len(images), -1).mean(axis=0)


def flip_in_place(predict, images):
    plain = predict(images)
    images[:] = images[:, :, ::-1].copy()
    return (plain + predict(images)) / 2


ALTERNATIVES = {
    "11.cutout": [cutout_with_masks, cutout_at(anywhere), cutout_at(by_centers)],
    "11.predict_with_flip": [
        lambda predict, images: np.mean([predict(images), predict(np.flip(images, axis=2))], axis=0),
        flip_in_one_batch,
    ],
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
    "11.predict_with_flip": [
        (lambda predict, images: predict(images), "as they are"),
        (lambda predict, images: predict(images[:, :, ::-1]), "only the prediction for the mirror"),
        (lambda predict, images: predict(images) + predict(images[:, :, ::-1]), "not their sum"),
        (lambda predict, images: (predict(images) + predict(images[:, ::-1])) / 2, "upside down"),
        (lambda predict, images: (predict(images) + predict(images[::-1])) / 2, "order of the images"),
        (lambda predict, images: (predict(images) + predict(images[..., ::-1])) / 2, "color channels"),
        (lambda predict, images: predict((images.astype(float) + images[:, :, ::-1]) / 2), "not the pixels"),
        (lambda predict, images: (predict(images) + predict(images[:, :, ::-1])).mean(axis=0), "shape"),
        (lambda predict, images: np.sqrt(predict(images) * predict(images[:, :, ::-1])), "reversed order"),
        (flip_in_place, "flip a copy"),
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
