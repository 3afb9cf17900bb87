"""Tests the code of lesson 17 on more cases than the lesson shows, and the checkers of its exercises."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.lessons.exercise_tests import ExerciseTests
from tests.lessons.helpers import random_weights

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def lesson(lesson):
    lesson.NAMES = ("i", "f", "g", "o")
    return lesson


@pytest.mark.parametrize(("steps", "inputs", "units"), [(1, 1, 1), (12, 4, 6)])
def test_lstm_forward_and_lstm_backward_match_keras(lesson, steps, inputs, units):
    x, last = RNG.normal(size=(steps, inputs)).astype("float32"), RNG.normal(size=units).astype("float32")
    layer = keras.layers.LSTM(units, return_sequences=True)
    layer.build((1, steps, inputs))
    weights = lesson.from_keras(random_weights(layer))
    record = lesson.lstm_forward(x, weights)
    with tf.GradientTape() as tape:
        outputs = layer(x[None])[0]
        loss = tf.reduce_sum(outputs[-1] * last)
    np.testing.assert_allclose([step[3] for step in record], outputs, atol=1e-5)
    ours, dcs = lesson.lstm_backward(record, weights, last)
    theirs = tape.gradient(loss, [weight.value for weight in layer.weights])
    for our, their in zip(lesson.to_keras(ours), theirs, strict=True):
        np.testing.assert_allclose(our, their, atol=1e-5)
    assert dcs.shape == (steps, units)


def test_from_keras_and_to_keras_are_inverse(lesson):
    layer = keras.layers.LSTM(3)
    layer.build((1, 4, 2))
    kernels = random_weights(layer)
    weights = lesson.from_keras(kernels)
    assert list(weights) == list(lesson.NAMES)
    assert [array.shape for array in weights["f"]] == [(2, 3), (3, 3), (3,)]
    for ours, theirs in zip(lesson.to_keras(weights), kernels, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("reset_after", [True, False])
def test_gru_step_matches_keras(lesson, reset_after):
    lesson.rng = np.random.default_rng(7)
    assert lesson.gru_error(reset_after) <= 1e-5


def test_gru_step_depends_on_reset_after(lesson):
    kernels = [RNG.normal(size=shape).astype("float32") for shape in ((2, 9), (3, 9), (9,))]
    x, h = RNG.normal(size=(4, 2)).astype("float32"), RNG.normal(size=(4, 3)).astype("float32")
    before = lesson.gru_step(x, h, *kernels, False)
    after = lesson.gru_step(x, h, kernels[0], kernels[1], [kernels[2], 0 * kernels[2]], True)
    assert np.abs(before - after).max() > 0.01


def test_adding_marks_one_number_in_each_half(lesson):
    x, sums = lesson.adding(500, 11, np.random.default_rng(0))
    assert x.shape == (500, 11, 2)
    assert (x[:, :5, 1].sum(axis=1) == 1).all()
    assert (x[:, 5:, 1].sum(axis=1) == 1).all()
    np.testing.assert_allclose((x[..., 0] * x[..., 1]).sum(axis=1), sums, rtol=1e-6)
    assert np.mean((sums - 1) ** 2) == pytest.approx(1 / 6, rel=0.2)


def test_windows_do_not_leak_into_the_test(lesson):
    lesson.values, lesson.months, lesson.ahead = np.arange(100.0), 24, 6
    x, y = lesson.windows(0, 80)
    assert (y - x[:, -1] == 6).all()
    assert (y[0], y[-1], x.shape[1]) == (29, 79, 24)
    x, y = lesson.windows(80, 100)
    assert y.tolist() == list(range(80, 100))
    assert (y - x[:, -1] == 6).all()


# Exercises: other correct answers, and mistakes with a word of the hint that each should get


def minimal_gated(flipped=False, inside=True, after=False, squeeze=np.tanh):
    def step(x, h, gate, content):
        f = 0.5 * (1 + np.tanh((x @ gate[0] + h @ gate[1] + gate[2]) / 2))
        recurrent = f * (h @ content[1]) if after else (f * h if inside else h) @ content[1]
        new = squeeze(x @ content[0] + recurrent + content[2])
        return h + (new - h) * (1 - f if flipped else f)

    return step


ALTERNATIVES = {
    "17.cell": [1.381],
    "17.honest_forecast": [{"naive": 41.957, "linear": 32.3, "yours": 45.0}],
    "17.mgu_step": [minimal_gated()],
}

MISTAKES = {
    "17.cell": [
        (np.tanh(1.3808), "the output of the cell"),
        (1.5, "tanh(1)"),
        (2.7616, "half open"),
        (0.381, "old 2"),
        (0.0, "closed"),
        (3.0, "sigmoid(0)"),
    ],
    "17.honest_forecast": [
        ({"naive": 41.957, "linear": 32.3}, "yours"),
        ({"naive": 30.568, "linear": 25.1, "yours": 27.0}, "6 months ahead"),
        ({"naive": 1760.4, "linear": 1042.0, "yours": 1000.0}, "root"),
        ({"naive": 41.957, "linear": 32.3, "yours": 21.0}, "too good"),
        ({"naive": 41.957, "linear": 44.0, "yours": 33.0}, "aligned"),
        ({"naive": 60.0, "linear": 44.0, "yours": 33.0}, "which months"),
        ({"naive": [41.957], "linear": 44.0, "yours": 33.0}, "one positive number"),
    ],
    "17.mgu_step": [
        (minimal_gated(flipped=True), "reversed"),
        (minimal_gated(inside=False), "inside"),
        (minimal_gated(after=True), "before the product with W_h"),
        (minimal_gated(squeeze=lambda z: z), "lacks its tanh"),
        (lambda x, h, gate, content: x, "shape of h"),
        (lambda x, h, gate, content: np.resize(minimal_gated()(x, h, gate, content), (6, 4)), "this has shape (6, 4)"),
        (lambda x, h, gate, content: h, "line by line"),
    ],
}


class TestExercises(ExerciseTests):
    pass
