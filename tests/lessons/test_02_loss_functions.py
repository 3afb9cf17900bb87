"""Tests the code of lesson 02 on more cases than the lesson shows, and the checkers of its exercises."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.lessons.exercise_tests import ExerciseTests
from tests.lessons.helpers import taped


def test_mse_and_gradient_match_keras(lesson):
    rng = np.random.default_rng(0)
    y, y_hat = rng.normal(size=50), rng.normal(size=50)
    loss, (gradient,) = taped(lambda p: keras.losses.mean_squared_error(y, p), y_hat)
    np.testing.assert_allclose(lesson.mse(y, y_hat), loss, atol=1e-12)
    np.testing.assert_allclose(lesson.mse_gradient(y, y_hat), gradient, atol=1e-12)


@pytest.mark.parametrize("scale", [0.1, 5.0, 500.0])
def test_binary_cross_entropy_from_logits_matches_keras(lesson, scale):
    rng = np.random.default_rng(0)
    y, z = rng.integers(0, 2, 50).astype(float), scale * rng.normal(size=50)
    loss, (gradient,) = taped(lambda logits: keras.losses.binary_crossentropy(y, logits, from_logits=True), z)
    np.testing.assert_allclose(lesson.binary_cross_entropy_from_logits(y, z), loss, rtol=1e-9)
    with np.errstate(over="ignore"):  # of the plain sigmoid for large |z|; its value 0 is correct
        np.testing.assert_allclose(lesson.gradient_in_logits(y, z), gradient, atol=1e-9)


def test_binary_cross_entropy_from_probs_and_logits_agree(lesson):
    rng = np.random.default_rng(0)
    y, z = rng.integers(0, 2, 50).astype(float), rng.normal(size=50)
    from_probs = lesson.binary_cross_entropy(y, lesson.sigmoid(z))
    np.testing.assert_allclose(from_probs, lesson.binary_cross_entropy_from_logits(y, z), atol=1e-12)


@pytest.mark.parametrize("scale", [0.1, 5.0, 5_000.0])
@pytest.mark.parametrize("epsilon", [0.0, 0.1, 0.5])
def test_cross_entropy_with_label_smoothing_matches_keras(lesson, scale, epsilon):
    rng = np.random.default_rng(0)
    z, y = scale * rng.normal(size=(9, 5)), np.eye(5)[rng.integers(0, 5, 9)]

    def keras_loss(logits):
        losses = keras.losses.categorical_crossentropy(y, logits, from_logits=True, label_smoothing=epsilon)
        return tf.reduce_mean(losses)

    loss, (gradient,) = taped(keras_loss, z)
    ours = lesson.cross_entropy_and_gradient(lesson.smooth(y, epsilon), z)
    np.testing.assert_allclose(ours[0], loss, rtol=1e-6)
    np.testing.assert_allclose(ours[1], gradient, atol=1e-7)


def test_naive_log_softmax_matches_log_softmax(lesson):
    z = np.random.default_rng(0).normal(size=(5, 4))
    np.testing.assert_allclose(lesson.naive_log_softmax(z), lesson.log_softmax(z), atol=1e-12)
    assert np.isnan(lesson.naive_log_softmax(np.array([[1000.0, 0.0]]))).any()


# Exercises: other correct answers, and mistakes with a word of the hint that each should get


def cross_entropy_with_a_loop(labels, logits):
    losses = []
    for label, row in zip(labels, logits, strict=True):
        row = [float(value) for value in row]
        if label != -1:
            losses.append(max(row) + np.log(sum(np.exp(value - max(row)) for value in row)) - row[label])
    return sum(losses) / len(losses)


def naive_cross_entropy(labels, logits):
    labels, logits = labels[labels >= 0], logits[labels >= 0]
    probs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return -np.mean(np.log(probs[np.arange(len(labels)), labels]))


def cross_entropy_that_indexes_with_minus_one(labels, logits):
    return cross_entropy_with_a_loop(np.where(labels < 0, logits.shape[1] - 1, labels), logits)


def cross_entropy_over_all(labels, logits):
    return cross_entropy_with_a_loop(labels, logits) * np.mean(labels >= 0)


def best_of_many(demand, cost_missing, cost_left):
    numbers = np.linspace(demand.min(), demand.max(), 2_000)
    gaps = demand[:, None] - numbers
    costs = np.where(gaps > 0, cost_missing * gaps, -cost_left * gaps).mean(axis=0)
    return numbers[costs.argmin()]


ALTERNATIVES = {
    "02.best_number": [best_of_many, lambda demand, m, left: np.quantile(demand, m / (m + left))],
    "02.find_the_mistake": [(0.2231, 0.3185), np.array([0.22314, 0.31845])],
    "02.sparse_cross_entropy": [cross_entropy_with_a_loop],
}

MISTAKES = {
    "02.best_number": [
        (lambda demand, m, left: demand.mean(), "squared error"),
        (lambda demand, m, left: np.median(demand), "both costs are equal"),
        (lambda demand, m, left: np.quantile(demand, left / (m + left)), "exchanged"),
        (lambda demand, m, left: demand.max(), "finer steps"),
        (lambda demand, m, left: demand, "one number"),
        (lambda demand, m, left: print(end=""), "`return` missing"),
    ],
    "02.find_the_mistake": [
        ((0.0744, 0.3185), "not divided by their number"),
        ((-0.2231, 0.3185), "the sign"),
        ((0.3219, 0.3185), "bits"),
        ((0.0969, 0.3185), "base 10"),
        ((0.7226, 0.3185), "the number of the tutorial"),
        ((0.3185, 0.3185), "as they are"),
        ((1.0, 0.3185), "only the term"),
        ((0.2231, 0.2231), "sum to more than 1"),
        ((0.2231, 0.1062), "not divided by their number"),
        ((0.2231, 0.1278), "do not multiply"),
        ((0.2231, 1.0), "add the three numbers"),
        (0.2231, "both numbers"),
    ],
    "02.sparse_cross_entropy": [
        (naive_cross_entropy, "subtract each row's largest"),
        (cross_entropy_that_indexes_with_minus_one, "the index -1"),
        (cross_entropy_over_all, "do not count"),
        (lambda y, z: cross_entropy_with_a_loop(y, z) * np.sum(y >= 0), "sum over the examples"),
        (lambda y, z: -cross_entropy_with_a_loop(y, z), "the sign"),
        (lambda y, z: cross_entropy_with_a_loop(y, z) / z.shape[1], "times classes"),
        (lambda y, z: np.mean(z[np.arange(len(y)), y]), "log of the sum"),
        (lambda y, z: z[:, 0], "return their mean"),
        (lambda y, z: z, "return one number; this"),
        (lambda y, z: print(end=""), "`return` missing"),
    ],
}


class TestExercises(ExerciseTests):
    pass
