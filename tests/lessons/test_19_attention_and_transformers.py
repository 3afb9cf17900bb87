"""Tests the code of lesson 19 on more cases than the lesson shows, and the checkers of its exercises."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras_hub.layers import SinePositionEncoding

from tests.lessons.exercise_tests import ExerciseTests
from tests.lessons.helpers import changed, random_weights, softmax

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def lesson(lesson):
    lesson.rng = np.random.default_rng(11)
    return lesson


MASKS = [None, np.tril(np.ones((6, 6), bool)), RNG.uniform(size=(2, 1, 6, 6)) < 0.6, np.eye(6, dtype=bool)]


@pytest.mark.parametrize("mask", MASKS, ids=["none", "causal", "random", "diagonal"])
def test_attention_matches_keras(lesson, mask):
    assert lesson.attention_max_error(mask) <= 1e-5


def test_masked_key_has_zero_attention_weight(lesson):
    query, key, value = RNG.normal(size=(3, 4, 8)).astype("float32")
    mask = np.array([True, False, True, True])
    result, weights = lesson.attention(query, key, value, mask)
    assert (np.asarray(weights)[:, 1] == 0).all()
    value[1] = 1e6
    np.testing.assert_array_equal(lesson.attention(query, key, value, mask)[0], result)


def test_to_keras_inverts_from_keras(lesson):
    layer = keras.layers.MultiHeadAttention(3, 4)
    layer(np.zeros((1, 2, 12)), np.zeros((1, 2, 12)))
    arrays = random_weights(layer)
    for ours, theirs in zip(lesson.to_keras(lesson.from_keras(arrays), 3), arrays, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("normalize_first", [True, False])
def test_encoder_block_matches_keras_hub(lesson, normalize_first):
    assert lesson.block_max_error(normalize_first) <= 1e-5


def test_layer_norm_matches_keras(lesson):
    layer = keras.layers.LayerNormalization(epsilon=1e-5)
    layer.build((None, 3, 7))
    random_weights(layer)
    x, upstream = (tf.constant(RNG.normal(2, 3, (5, 3, 7)), "float32") for _ in range(2))
    variables = [weight.value for weight in layer.weights]
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        results = lesson.layer_norm(x, *variables), layer(x)
        losses = [tf.reduce_sum(result * upstream) for result in results]
    np.testing.assert_allclose(*results, atol=1e-5)
    for ours, theirs in zip(*(tape.gradient(loss, [x, *variables]) for loss in losses), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("length", "size"), [(1, 2), (40, 7), (200, 64)])
def test_sinusoidal_encoding_matches_keras_hub(lesson, length, size):
    theirs = SinePositionEncoding()(np.zeros((1, length, size)))[0]
    np.testing.assert_allclose(lesson.sinusoidal_encoding(length, size), theirs, atol=2e-5)


def test_largest_weight_grows_with_size_unless_divided(lesson):
    lesson.rt = SimpleNamespace(seed=0)
    undivided = [lesson.largest_weight(size, False)[0] for size in (2, 32, 512)]
    assert undivided == sorted(undivided)
    divided = [lesson.largest_weight(size, True)[0] for size in (8, 32, 512)]
    assert np.ptp(divided) < 0.05


# Exercises: other correct answers, and mistakes with a word of the hint that each should get


def weights_row_by_row(scores, last=lambda i: i + 1, normalize=True, stable=True, mask_first=True):
    n = len(scores)
    weights = np.zeros((n, n))
    for i, row in enumerate(scores):
        visible = row[: last(i)] if mask_first else row
        exponentials = np.exp(visible - visible.max() * stable) if len(visible) else visible
        exponentials = exponentials / exponentials.sum() if normalize else exponentials
        weights[i, : last(i)] = exponentials[: last(i)]
    return weights


def masked_softmax(scores, softmax):
    return softmax(np.where(np.tri(len(scores), dtype=bool), scores, -np.inf))


ALTERNATIVES = {
    "19.causal_attention": [
        weights_row_by_row,
        lambda scores: masked_softmax(scores, lambda z: np.asarray(keras.ops.softmax(z))),
    ],
    "19.quadratic": [{100: 0.2, 500: 0.6, 1000: 2.0, 2000: 9}, {512: 0.6, 1024: 2.0, 2048: 9.0, 4096: 40.0}],
    "19.three_keys": [16.36],
}

MISTAKES = {
    "19.causal_attention": [
        (changed(weights_row_by_row, last=lambda i: 5), "words after it"),
        (changed(weights_row_by_row, mask_first=False), "no longer sum"),
        (changed(weights_row_by_row, last=lambda i: i + 2), "too many"),
        (changed(weights_row_by_row, stable=False), "largest visible score"),
        (lambda scores: np.nan_to_num(masked_softmax(scores, softmax)), "wrong for scores of 1000"),
        (lambda scores: masked_softmax(np.clip(scores, -50, 50), softmax), "wrong for scores of 1000"),
        (lambda scores: masked_softmax(scores - scores.max(), softmax), "wrong for scores of 1000"),
        (lambda scores: weights_row_by_row(np.where(scores == 0, -np.inf, scores)), "exactly 0|-inf"),
        (changed(weights_row_by_row, normalize=False), "-inf"),
        (lambda scores: weights_row_by_row(scores[::-1, ::-1])[::-1, ::-1], "other triangle"),
        (lambda scores: scores[0], "shape"),
    ],
    "19.quadratic": [
        ({512: 1.0}, "four lengths"),
        ({64: 1, 128: 2, 256: 4, 512: 16}, "2,000"),
        ({512: 6e-4, 1024: 2e-3, 2048: 9e-3, 4096: 0.04}, "give milliseconds"),
        ({512: 600, 1024: 2000, 2048: 9000, 4096: 40_000}, "give milliseconds"),
        ({512: 1, 1024: 1.1, 2048: 1.3, 4096: 2}, "longer sequences"),
        ({512: 1, 1024: 1.1, 2048: 1.3, 4096: 90}, "more runs"),
        ({512: 1, 1024: 1.1, 2048: -1.3, 4096: 90}, "positive"),
    ],
    "19.three_keys": [
        (13.195, "d_k = 4"),
        (18.226, "not by d_k"),
        (10.533, "not multiplied"),
        (10.0, "mixes"),
        (20.0, "plain mean"),
        (16.0, "mix the values"),
    ],
}


class TestExercises(ExerciseTests):
    pass
