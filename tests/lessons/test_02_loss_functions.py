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
    total = 0.0
    for label, row in zip(labels, logits, strict=True):
        row = [float(value) for value in row]
        total += max(row) + np.log(sum(np.exp(value - max(row)) for value in row)) - row[label]
    return total / len(labels)


def naive_cross_entropy(labels, logits):
    probs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return -np.mean(np.log(probs[np.arange(len(labels)), labels]))


ALTERNATIVES = {
    "02.best_confidence": [lambda epsilon, K: 1 - epsilon * (K - 1) / K],
    "02.cross_entropy_on_paper": [np.float64(1.498)],
    "02.sparse_cross_entropy": [cross_entropy_with_a_loop],
}

MISTAKES = {
    "02.best_confidence": [
        (lambda epsilon, K: 1 - epsilon, "also gets ε/K"),
        (lambda epsilon, K: 1 - epsilon + epsilon / (K - 1), "not over the K − 1"),
        (lambda epsilon, K: epsilon / K, "wrong class"),
        (lambda epsilon, K: 0.85, "lowest loss"),
        (lambda epsilon, K: print(end=""), "`return` missing"),
    ],
    "02.cross_entropy_on_paper": [
        (2.996, "that is the sum"),
        (0.4993, "examples times classes"),
        (0.458, "is 0.1, not 0.8"),
        (-1.498, "the sign"),
        (2.161, "bits"),
        (0.6505, "base 10"),
        (1.0, "minus the natural logarithm"),
    ],
    "02.sparse_cross_entropy": [
        (naive_cross_entropy, "subtract each row's largest"),
        (lambda y, z: cross_entropy_with_a_loop(y, z) * len(y), "sum over the examples"),
        (lambda y, z: -cross_entropy_with_a_loop(y, z), "the sign"),
        (lambda y, z: cross_entropy_with_a_loop(y, z) / 4, "examples times classes"),
        (lambda y, z: np.mean(z[np.arange(len(y)), y]), "log of the sum"),
        (lambda y, z: z[:, 0], "return their mean"),
        (lambda y, z: z, "return one number; this"),
        (lambda y, z: print(end=""), "`return` missing"),
    ],
}


class TestExercises(ExerciseTests):
    pass
