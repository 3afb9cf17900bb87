"""Tests the code of lesson 04 on more cases than the lesson shows, and the checkers of its exercises."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.lessons.exercise_tests import ExerciseTests
from tests.lessons.helpers import taped

KERAS_OPTIMIZERS = {
    "sgd": lambda rate: keras.optimizers.SGD(rate),
    "momentum": lambda rate: keras.optimizers.SGD(rate, momentum=0.9),
    "nesterov": lambda rate: keras.optimizers.SGD(rate, momentum=0.9, nesterov=True),
    "rmsprop": lambda rate: keras.optimizers.RMSprop(rate),
    "adam": lambda rate: keras.optimizers.Adam(rate),
    "adamw": lambda rate: keras.optimizers.AdamW(rate, weight_decay=0.01),
}


@pytest.mark.parametrize("name", KERAS_OPTIMIZERS)
@pytest.mark.parametrize("rate", [0.001, 0.01])
def test_optimizers_match_keras_for_fifty_noisy_steps(lesson, name, rate):
    rng = np.random.default_rng(0)
    weights = [rng.normal(size=(4, 3)), rng.normal(size=3)]
    variables = [keras.Variable(w, dtype="float64") for w in weights]
    states, keras_optimizer = [{}, {}], KERAS_OPTIMIZERS[name](rate)
    for t in range(1, 51):
        gradients = [w + rng.normal(size=w.shape) * 10.0 ** rng.integers(-4, 2) for w in weights]
        weights = [
            getattr(lesson, name)(w, g, state, t, rate) for w, g, state in zip(weights, gradients, states, strict=True)
        ]
        keras_optimizer.apply([keras.ops.convert_to_tensor(g) for g in gradients], variables)
    for ours, theirs in zip(weights, variables, strict=True):
        np.testing.assert_allclose(ours, theirs.numpy(), atol=1e-5)


def test_loss_and_gradients_match_tensorflow(lesson):
    rng = np.random.default_rng(0)
    weights = [w.astype("float64") for w in lesson.starting_weights(rng)]
    weights[1] += rng.normal(size=weights[1].shape) * 0.1
    x, y = rng.random((12, 196)), rng.integers(0, 10, 12)

    def loss(W1, b1, W2, b2):
        logits = tf.nn.relu(x @ W1 + b1) @ W2 + b2
        return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits))

    value, gradients = taped(loss, *weights)
    ours = lesson.loss_and_gradients(x, y, weights)
    np.testing.assert_allclose(ours[0], value, atol=1e-12)
    for mine, theirs in zip(ours[1], gradients, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-12)


@pytest.mark.parametrize("curvature", [0.5, 3.0, 40.0])
@pytest.mark.parametrize(("name", "limit"), [("sgd", 2), ("momentum", 3.8), ("nesterov", 3.8 / 2.8)])
def test_descend_is_stable_below_the_limit(lesson, name, limit, curvature):
    for factor, is_stable in ((0.99, True), (1.01, False)):
        rate = factor * limit / curvature
        path = lesson.descend(getattr(lesson, name), rate, lambda w: curvature * w, np.array([1.0]), 1000)
        assert (abs(path[-1, 0]) < 1) == is_stable


@pytest.mark.parametrize("degrees", [0, 30, 135])
def test_make_ravine_turns_and_moves(lesson, degrees):
    minimum = np.array([20.0, 10.0])
    gradient, starts = lesson.make_ravine((1.0, 100.0), degrees, minimum)
    axis = np.array([np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))])
    np.testing.assert_allclose(gradient(minimum + 2 * axis), 2 * axis, atol=1e-12)
    across = np.array([-axis[1], axis[0]])
    np.testing.assert_allclose(gradient(minimum + 2 * across), 200 * across, atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(starts - minimum, axis=1), 9)


def test_race_counts_steps_until_the_distance_stays_small(lesson):
    minimum = np.array([20.0, 10.0])
    ravine = lesson.make_ravine((1.0, 1.0), 30, minimum)  # each step of SGD multiplies the distance by 1 - rate
    rates = np.array([0.01, 0.5, 1.9])
    rate, steps = lesson.race(lesson.sgd, ravine, minimum, 50, rates)
    assert rate == 0.5
    np.testing.assert_array_equal(steps, 5)  # 9 / 2^5 is below 0.5, 9 / 2^4 is not
    rate, steps = lesson.race(lesson.sgd, ravine, minimum, 50, rates[[0]])
    np.testing.assert_array_equal(steps, 51)  # not arrived


@pytest.mark.parametrize(("factor", "patience"), [(0.5, 2), (0.1, 1), (0.3, 3)])
def test_reduce_on_plateau_matches_keras(lesson, factor, patience):
    rng = np.random.default_rng(patience)
    losses = 1 / np.arange(1, 41) ** 0.3 + 0.05 * rng.normal(size=40)
    callback = keras.callbacks.ReduceLROnPlateau(factor=factor, patience=patience)
    network = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    network.compile(keras.optimizers.SGD(0.1), "mse")
    callback.set_model(network)
    callback.on_train_begin()
    theirs = []
    for epoch, loss in enumerate(losses):
        callback.on_epoch_end(epoch, {"val_loss": loss})
        theirs.append(float(network.optimizer.learning_rate))
    ours = lesson.reduce_on_plateau(losses, 0.1, factor, patience)
    np.testing.assert_allclose(ours, theirs, rtol=1e-5)


# Exercises: other correct answers, and mistakes with a word of the hint that each should get


def adagrad(start=0.1, stores=True, sign=-1, factor=1.0, epsilon=1e-7):
    def answer(w, g, state, t, rate):
        v = state.get("sum", start) + g * g
        if stores:
            state["sum"] = v
        return w + sign * factor * rate * g * (v + epsilon) ** -0.5

    return answer


def nesterov_limit(factor=1.0, lookahead=2.0, curvature_power=1):
    def answer(curvature, beta):
        return factor * (2 + 2 * beta) / (1 + lookahead * beta) / curvature**curvature_power

    return answer


ALTERNATIVES = {
    "04.adagrad": [adagrad(), lambda *args: np.float32(adagrad()(*args))],
    "04.adam_uncorrected": [4.25, np.float32(4.2496)],
    "04.nesterov_limit": [
        nesterov_limit(),
        nesterov_limit(0.985),
        lambda *args: np.float32(nesterov_limit(1.01)(*args)),
    ],
}

MISTAKES = {
    "04.adagrad": [
        (adagrad(start=0.0), "v starts at 0.1"),
        (adagrad(stores=False), "is lost after each step"),
        (adagrad(sign=1), "against the gradient"),
        (adagrad(factor=2.0), "v = v + g²"),
        (adagrad(start=0.0, epsilon=0.0), "NaN"),
        (adagrad(epsilon=0.0), "under the root"),
        (adagrad(epsilon=-1e-7), "under the root"),
        (lambda w, g, state, t, rate: w.sum(), "new w, of shape"),
    ],
    "04.adam_uncorrected": [
        (1, "with the correction"),
        (10**0.5, "first step"),
        (0.19 / 0.001**0.5, "update v"),
        (0.1 / 0.001999**0.5, "update m"),
        (20**0.5, "multiplied by beta"),
        (0.19 / 0.001999, "square root"),
        (0.001999**0.5 / 0.19, "other way round"),
        (7.0, "0.19"),
    ],
    "04.nesterov_limit": [
        (nesterov_limit(lookahead=0.0), "ordinary momentum"),
        (lambda curvature, beta: 2 / curvature, "plain gradient descent"),
        (nesterov_limit(curvature_power=0), "return the rate alone|try smaller"),
        (lambda curvature, beta: (2 + 2 * beta) / (1 + 2 * beta), "return the rate alone"),
        (nesterov_limit(0.9), "still converges"),
        (nesterov_limit(1.1), "try smaller"),
        (lambda curvature, beta: np.array([1.0, 2.0]), "one number"),
    ],
}


class TestExercises(ExerciseTests):
    pass
