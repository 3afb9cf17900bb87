"""Tests the code of lesson 01 on more cases than the lesson shows, and the checkers of its exercises."""

from itertools import pairwise

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.lessons.exercise_tests import ExerciseTests
from tests.lessons.helpers import taped


@pytest.mark.parametrize(
    ("name", "keras_name"),
    [("sigmoid", "sigmoid"), ("relu", "relu"), ("leaky_relu", "leaky_relu"), ("gelu", "gelu")],
)
def test_activations_and_gradients_match_keras(lesson, name, keras_name):
    z = np.concatenate([np.linspace(-30, 30, 301), [0.0, 1e-9, -1e-9]]).reshape(4, -1)
    values, (gradients,) = taped(getattr(keras.activations, keras_name), z)
    np.testing.assert_allclose(getattr(lesson, name)(z), values, atol=1e-6)
    np.testing.assert_allclose(getattr(lesson, f"{name}_gradient")(z), gradients, atol=1e-6)


def test_tanh_gradient_matches_keras(lesson):
    z = np.linspace(-10, 10, 101)
    np.testing.assert_allclose(lesson.tanh_gradient(z), taped(keras.activations.tanh, z)[1][0], atol=1e-9)


@pytest.mark.parametrize("z", [[0.0, 0.0], [3.0, -1.0, 0.5, 2.0], [1000.0, 1001.0, -1000.0]])
def test_softmax_matches_tensorflow(lesson, z):
    np.testing.assert_allclose(lesson.softmax(np.array(z)), tf.nn.softmax(tf.constant(z, tf.float64)), atol=1e-12)


@pytest.mark.parametrize("knots", [[-1.0, 0.0, 2.0], [0.0, 0.5, 0.7, 3.0]])
def test_hinge_network_interpolates_at_knots(lesson, knots):
    knots = np.array(knots)
    np.testing.assert_allclose(lesson.hinge_network(np.cos, knots)(knots), np.cos(knots), atol=1e-12)


def test_exercise_on_hinges_counts_the_pieces(lesson):
    x = np.arange(0, 12, 1 / 96)  # the knots 2/3, 5/3, 2 and 5 lie on this grid
    f = 3 * lesson.relu(x) - 2 * lesson.relu(x - 2) - lesson.relu(x - 5)
    assert lesson.count_pieces(f) == 3
    assert lesson.count_pieces(3 * lesson.relu(f) - 2 * lesson.relu(f - 2) - lesson.relu(f - 5)) == 3


def test_tent_doubles_the_pieces(lesson):
    values = lesson.tent(np.linspace(0, 1, 257))
    assert lesson.count_pieces(values) == 2
    assert lesson.count_pieces(lesson.tent(values)) == 4


@pytest.mark.parametrize("widths", [(3, 1), (4, 7, 2), (2, 3, 5, 3, 1)])
def test_collapse_matches_run_stack(lesson, widths):
    rng = np.random.default_rng(0)
    stack = [(rng.normal(size=pair), rng.normal(size=pair[1])) for pair in pairwise(widths)]
    x = rng.normal(size=(6, widths[0]))
    W, b = lesson.collapse(stack)
    np.testing.assert_allclose(lesson.run_stack(x, stack), x @ W + b, atol=1e-12)


def test_forward_matches_keras_for_a_batch(lesson):
    rng = np.random.default_rng(1)
    weights = [rng.normal(size=shape) for shape in ((3, 2), (2,), (2, 1), (1,))]
    x = rng.normal(size=(20, 3))
    network = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, "relu"), keras.layers.Dense(1, "sigmoid")])
    network.set_weights(weights)
    np.testing.assert_allclose(lesson.forward(x, *weights)[1], network(x), atol=1e-6)


# Exercises: other correct answers, and mistakes with a word of the hint that each should get


def silu(sigmoid=lambda z: 0.5 + 0.5 * np.tanh(z / 2), gradient=lambda z, s: s + z * s * (1 - s)):
    def answer(z):
        s = sigmoid(z)
        return [z * s, gradient(z, s)]

    return answer


def overflowing(z):
    return 1 / (1 + np.exp(-z))


def xor(**changed):
    tent = {"W1": [[1, 1], [1, 1]], "b1": [0, -1], "W2": [[1], [-2]], "b2": [0]}
    return tuple((tent | changed).values())


ALTERNATIVES = {
    "01.hinges": [[3.0, -2.0, -1.0, 3], np.array([3, -2, -1, 3])],
    "01.silu": [silu()],
    "01.xor": [xor(W1=[[1, -1], [-1, 1]], b1=[0, 0], W2=[[1], [1]])],
}

MISTAKES = {
    "01.hinges": [
        ((3, -2, -1), "four numbers"),
        ((3, 1, 0, 3), "these are the slopes"),
        ((3, 2, 1, 3), "becomes smaller"),
        ((3, -2, 0, 3), "change of the slope"),
        ((3, -2, -1, 9), "runs through them once"),
        ((3, -2, -1, 4), "join neighbors"),
        ((3, -2, -1, 5), "no new piece"),
        ((3, -2, -1, 2), "Mark the x"),
    ],
    "01.silu": [
        (lambda z: silu()(z)[0], "two arrays"),
        (lambda z: (z.sum(), z), "have that shape"),
        (lambda z: (silu()(z)[0] + 1, z), "the value is"),
        (silu(gradient=lambda z, s: s * (1 - s)), "derivative of σ(z) alone"),
        (silu(gradient=lambda z, s: z * s * (1 - s)), "lacks 1·σ"),
        (silu(gradient=lambda z, s: s), "lacks z·σ'"),
        (silu(gradient=lambda z, s: s + z), "use the product rule: "),
        (silu(sigmoid=overflowing), "NumPy warns"),
        (silu(sigmoid=lambda z: overflowing(np.maximum(z, -40)) + 1e-9), "very negative z"),
    ],
    "01.xor": [
        (xor()[:3], "four arrays"),
        (xor(b1=[0]), "b1 has shape"),
        (xor(W2=[[-1], [2]], b2=[1]), "1 − b2 = 0"),
        (xor(W1=[[1, -1], [-1, 1]], b1=[0, 0], W2=[[-1], [-1]], b2=[1]), "opposite"),
        (xor(b1=[0, 0]), "between the four inputs"),
        (xor(W1=[[1, -1], [1, -1]], b1=[0, 0]), "between the four inputs"),
        (xor(W2=[[1], [-1]]), "expected 0, 1, 1, 0"),
    ],
}


class TestExercises(ExerciseTests):
    pass
