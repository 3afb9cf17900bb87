"""Tests the code of lesson 27 on more cases than the lesson shows, and the checkers of its exercises."""

import keras
import numpy as np
import pytest

from dlkit import models
from tests.lessons.exercise_tests import ExerciseTests
from tests.lessons.helpers import random_weights


@pytest.mark.parametrize(("side", "patch"), [(12, 4), (12, 3), (8, 8)])
def test_join_patches_undoes_cut_patches(lesson, side, patch):
    images = np.arange(2 * side * side * 3).reshape(2, side, side, 3)
    patches = lesson.cut_patches(images, patch)
    assert patches.shape == (2, (side // patch) ** 2, patch * patch * 3)
    np.testing.assert_array_equal(patches[0, 0], images[0, :patch, :patch].ravel())
    np.testing.assert_array_equal(lesson.join_patches(patches, patch), images)


def test_shuffle_patches_moves_the_patches_of_all_images_alike(lesson):
    images = np.random.default_rng(0).normal(size=(2, 12, 12, 3))
    images[1] = images[0]
    shuffled = lesson.shuffle_patches(images)
    np.testing.assert_array_equal(shuffled[0], shuffled[1])
    assert not np.array_equal(shuffled, images)
    assert np.sort(shuffled, axis=None).tolist() == np.sort(images, axis=None).tolist()


@pytest.mark.parametrize(("patch", "heads", "blocks"), [(4, 1, 1), (2, 4, 3)])
def test_vit_by_hand_matches_the_model(lesson, patch, heads, blocks):
    network = lesson.build_vit(side=8, patch=patch, d=8, heads=heads, blocks=blocks, hidden=12)
    random_weights(network)
    images = np.random.default_rng(0).uniform(0, 255, (3, 8, 8, 3)).astype("float32")
    ours = lesson.vit_by_hand(images, network.get_weights(), patch=patch, blocks=blocks)
    theirs = np.asarray(network(images))
    np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-3 * np.abs(theirs).max())


@pytest.mark.parametrize(("side", "patch", "d", "hidden", "blocks"), [(32, 4, 32, 64, 2), (16, 8, 12, 20, 3)])
def test_vit_costs_match_the_model(lesson, side, patch, d, hidden, blocks):
    network = lesson.build_vit(side, patch, d=d, heads=2, blocks=blocks, hidden=hidden)
    parameters, macs = lesson.vit_costs(side, patch, d, hidden, blocks)
    assert parameters == network.count_params() - 10 * (d + 1)
    tokens = (side // patch) ** 2 + 1
    assert (
        macs == blocks * (tokens * (4 * d * d + 2 * d * hidden) + 2 * tokens**2 * d) + (tokens - 1) * 3 * patch**2 * d
    )


def test_rivals_differ_only_in_the_mixing(lesson):
    attention, convolution = (lesson.build_rival(mixer) for mixer in ("attention", "convolution"))
    assert not any(layer.class_token for layer in attention.layers if isinstance(layer, lesson.Tokens))
    per_block = 4 * (32 * 32 + 32) - (49 * 32 + 32)
    assert attention.count_params() - convolution.count_params() == 2 * per_block


def test_convnext_costs_match_the_model(lesson):
    options = {"include_top": False, "weights": None, "pooling": "avg"}
    network = keras.applications.ConvNeXtTiny(input_shape=(32, 32, 3), **options)
    assert lesson.convnext_costs(32)[0] == network.count_params()


def test_train_starts_from_the_weights_of_the_seed(lesson):
    images = np.random.default_rng(0).uniform(0, 255, (20, 32, 32, 3)).astype("float32")
    network, weights = lesson.compiled(lesson.build_step("ConvNeXt", blocks=1)), []
    for seed in (0, 1, 0):
        lesson.train(network, images, np.arange(20) % 10, 1e-3, seed, epochs=1)
        weights.append(np.concatenate([w.ravel() for w in network.get_weights()]))
    np.testing.assert_array_equal(weights[0], weights[2])
    assert not np.allclose(weights[0], weights[1])


def test_steps_with_the_same_stem_need_similar_work(lesson):
    steps = list(lesson.staircase())[1:]  # the stem of the ResNet needs more than its blocks
    work = [sum(models.count_macs(lesson.build_step(step)).values()) for step in steps]
    assert max(work) <= 2 * min(work)


def test_linear_probe_separates_and_uses_the_validation_split(lesson):
    rng = np.random.default_rng(0)
    labels = np.arange(120) % 3
    features = 3 * np.eye(3)[labels] + rng.normal(size=(120, 3))
    predict = lesson.linear_probe((features[:60], labels[:60]), (features[60:], labels[60:]))
    assert np.mean(predict(features) == labels) > 0.8


# Exercises: other correct answers, and mistakes with a word of the hint that each should get


def front(*, inverse=False, strict_in=1, time=1, accuracy=1, itself=False, in_place=False, indices=False):
    def function(milliseconds, accuracies):
        t, a = time * milliseconds, accuracy * accuracies
        result = np.ones(len(t), dtype=bool)
        for j in range(len(t)):
            for i in range(len(t)):
                good = t[i] <= t[j] and a[i] >= a[j]
                strict = int(t[i] < t[j]) + int(a[i] > a[j])
                result[j] &= not (good and strict >= strict_in and (i != j or itself))
        if in_place:
            milliseconds.sort()
        result = ~result if inverse else result
        return np.flatnonzero(result) if indices else result

    return function


def sorted_front(milliseconds, accuracies):
    result, best = [False] * len(milliseconds), (np.inf, -np.inf)
    for k in np.lexsort((-accuracies, milliseconds)):
        option = milliseconds[k], accuracies[k]
        if option[1] > best[1] or option == best:
            best, result[k] = option, True
    return result


def next_front(milliseconds, accuracies):
    order = np.argsort(milliseconds)
    result = np.ones(len(order), dtype=bool)
    result[order[1:]] = accuracies[order[1:]] > accuracies[order[:-1]]
    return result


def count_reach(*, per_channel=False, unchanged=False, change=1.0, in_place=False, swap=False, pixels=1, as_map=False):
    def function(network, image, row, column):
        other = image if in_place else image.copy()
        before = np.asarray(network(image[None]))[0]
        row, column = (column, row) if swap else (row, column)
        other[row : row + pixels, column : column + pixels] += change
        changed = np.abs(np.asarray(network(other[None]))[0] - before) > 1e-6
        changed = changed if per_channel else changed.any(axis=-1)
        count = (~changed).sum() if unchanged else changed.sum()
        return changed if as_map else count

    return function


def reach_with_value(value):
    def function(network, image, row, column):
        other = np.array(image)
        other[row, column] = value
        pair = np.asarray(network(np.stack([image, other])))
        return float(np.any(np.abs(pair[0] - pair[1]) > 1e-6, axis=-1).sum())

    return function


ALTERNATIVES = {
    "27.position_numbers": [443_136.0, np.int64(443_136)],
    "27.reach": [count_reach(), count_reach(change=-3.0), reach_with_value(100)],
    "27.pareto_front": [front(), sorted_front],
}

MISTAKES = {
    "27.position_numbers": [
        (24 * 24 * 768, "class token"),
        (197 * 768, "224 pixels"),
        (577, "768 numbers"),
        (25 * 768, "24 rows"),
        (1, "count the patches"),
        ("many", "give one number"),
    ],
    "27.reach": [
        (count_reach(per_channel=True), "counts once"),
        (count_reach(unchanged=True), "stay the same"),
        (count_reach(change=0.0), "really differ"),
        (reach_with_value(0), "value is 0 or 1"),
        (reach_with_value(1), "value is 0 or 1"),
        (count_reach(in_place=True), "a copy"),
        (count_reach(swap=True), "at this pixel"),
        (count_reach(pixels=2), "compare the outputs"),
        (count_reach(as_map=True), "one number"),
    ],
    "27.pareto_front": [
        (front(inverse=True), "these are the dominated"),
        (front(strict_in=2), "equal in one respect"),
        (front(strict_in=0), "equal do not dominate"),
        (front(strict_in=0, itself=True), "dominates itself"),
        (front(time=-1), "less time"),
        (front(accuracy=-1), "more accuracy"),
        (front(in_place=True), "a copy"),
        (front(indices=True), "5 Boolean values"),
        (lambda t, a: front()(t, a).astype(int), "type int64"),
        (next_front, "all others"),
        (lambda t, a: t[:2] > 0, "5 Boolean values"),
    ],
}


class TestExercises(ExerciseTests):
    pass
