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
    weights = lesson.starting_weights(rng)
    weights[1] += rng.normal(size=64) * 0.1
    x, y = rng.random((12, 784)), rng.integers(0, 10, 12)

    def loss(W1, b1, W2, b2):
        logits = tf.nn.relu(x @ W1 + b1) @ W2 + b2
        return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits))

    value, gradients = taped(loss, *weights)
    ours = lesson.loss_and_gradients(x, y, weights)
    np.testing.assert_allclose(ours[0], value, atol=1e-12)
    for mine, theirs in zip(ours[1], gradients, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-12)


@pytest.mark.parametrize("curvature", [0.5, 3.0, 40.0])
def test_descend_with_sgd_is_stable_below_two_over_curvature(lesson, curvature):
    start, bound = np.array([1.0]), 2 / curvature
    for factor, is_stable in ((0.99, True), (1.01, False)):
        path = lesson.descend(lesson.sgd, factor * bound, np.array([curvature]), start, 300)
        assert (abs(path[-1, 0]) < 1) == is_stable


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


ALTERNATIVES = {
    "04.adagrad": [adagrad(), lambda *args: np.float32(adagrad()(*args))],
    "04.largest_rates": [{1: 3.75, 2: 1.9, 10: np.float64(0.381), 50: 0.0755}],
    "04.two_momentum_steps": [np.float32(0.46)],
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
    "04.largest_rates": [
        ([1, 2], "a dictionary"),
        ({1.0: 3.8}, "at least three"),
        ({1.0: 3.8, 2.0: 1.9, 100.0: 0.038}, "between 0.5 and 50"),
        ({1.0: 2.0, 2.0: 1.0, 4.0: 0.5}, "allows larger rates"),
        ({1.0: 3.0, 2.0: 1.9, 4.0: 0.95}, "try larger"),
        ({1.0: 3.8, 2.0: 1.9, 4.0: 1.1}, "does not converge"),
    ],
    "04.two_momentum_steps": [
        (0.8, "that is one step"),
        (0.64, "plain gradient descent"),
        (0.44, "multiply the velocity by 0.9"),
        (0.2224, "Nesterov"),
        (0.42, "second gradient at w = 0.8"),
        (1.62, "signs"),
        (0.5, "first step: m"),
    ],
}


class TestExercises(ExerciseTests):
    pass
