"""Tests the code of lesson 07 on more cases than the lesson shows, and the checkers of its exercises."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.lessons.exercise_tests import ExerciseTests
from tests.lessons.helpers import taped
from tools.notebooks import definitions


@pytest.mark.parametrize("strength", [0.0, 0.01, 3.0])
@pytest.mark.parametrize(("name", "keras_name"), [("l1_penalty", "L1"), ("l2_penalty", "L2")])
def test_penalties_and_gradients_match_keras(lesson, strength, name, keras_name):
    w = np.random.default_rng(0).normal(size=(5, 4)).astype("float32")
    value, (gradient,) = taped(getattr(keras.regularizers, keras_name)(strength), w)
    ours = getattr(lesson, name)(w, strength)
    np.testing.assert_allclose(ours[0], value, rtol=1e-5)
    np.testing.assert_allclose(ours[1], gradient, atol=1e-5)


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_dropout_matches_keras_in_both_modes(lesson, rate):
    x = np.random.default_rng(0).normal(size=(40, 30)).astype("float32")
    mask = keras.layers.Dropout(rate, seed=7)(np.ones_like(x), training=True).numpy() > 0
    for training in (True, False):
        theirs = keras.layers.Dropout(rate, seed=7)(x, training=training)
        np.testing.assert_allclose(lesson.dropout(x, rate, training, mask), theirs, rtol=1e-5)


@pytest.mark.parametrize(("count", "momentum", "epsilon"), [(2, 0.99, 1e-3), (64, 0.9, 1e-5), (7, 0.5, 0.1)])
def test_batch_norm_and_gradients_match_keras(lesson, count, momentum, epsilon):
    rng = np.random.default_rng(0)
    layer = keras.layers.BatchNormalization(momentum=momentum, epsilon=epsilon, dtype="float64")
    layer.build((None, 3))
    gamma, beta = rng.normal(size=(2, 3))
    moving = rng.normal(size=3), rng.random(3) + 0.5
    layer.set_weights([gamma, beta, *moving])
    for _ in range(3):
        x, dy = rng.normal(1, 2, (count, 3)), rng.normal(size=(count, 3))
        y, moving = lesson.batch_norm(x, gamma, beta, moving, True, momentum, epsilon)
        with tf.GradientTape() as tape:
            inputs = tf.Variable(x)
            output = layer(inputs, training=True)
            loss = tf.reduce_sum(output * dy)
        theirs = tape.gradient(loss, [inputs, layer.gamma.value, layer.beta.value])
        np.testing.assert_allclose(y, output, atol=1e-6)
        for ours, gradient in zip(lesson.batch_norm_backward(x, gamma, dy, epsilon), theirs, strict=True):
            np.testing.assert_allclose(ours, gradient, atol=1e-6)
    np.testing.assert_allclose(moving[0], layer.moving_mean.numpy(), atol=1e-6)
    np.testing.assert_allclose(moving[1], layer.moving_variance.numpy(), atol=1e-6)
    inference_output, same = lesson.batch_norm(x, gamma, beta, moving, False, momentum, epsilon)
    np.testing.assert_allclose(inference_output, layer(x, training=False), atol=1e-6)
    assert same is moving


@pytest.mark.parametrize("patience", [1, 2, 4])
def test_solution_early_stopping_matches_keras(lesson_path, patience):
    solution = definitions(lesson_path.parent / "solutions" / lesson_path.name)
    losses = 1 / np.arange(1, 31) + 0.15 * np.random.default_rng(3).random(30)
    callback = keras.callbacks.EarlyStopping(patience=patience)
    network = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    callback.set_model(network)
    network.stop_training = False
    callback.on_train_begin()
    run = 0
    while run < len(losses) and not network.stop_training:
        callback.on_epoch_end(run, {"val_loss": losses[run]})
        run += 1
    assert solution.early_stopping(losses, patience) == (run, callback.best_epoch + 1)


# Exercises: other correct answers, and mistakes with a word of the hint that each should get


def swapped_at_the_end(losses, patience):
    run, best = early_stopping(since=1)(losses, patience)
    return (best, run) if run == len(losses) and run - best < patience else (run, best)


def early_stopping(since=0, strict=True, late=0, best_of=None):
    def answer(losses, patience):
        best, waited = 0, 0
        for k, loss in enumerate(losses):
            better = k == 0 or (loss < losses[best] if strict else loss <= losses[best])
            best, waited = (k, 0) if better else (best, waited + 1)
            if waited >= patience + late:
                break
        return k + since, (best if best_of is None else best_of(losses[: k + 1])) + since

    return answer


ALTERNATIVES = {
    "07.combined_tricks": [{"mine": np.array([0.9, 0.91, 0.92]), "plain": (0.87, 0.88, 0.87), "seconds": 40}],
    "07.early_stopping": [early_stopping(since=1)],
    "07.l2_step": [2.944],
}

MISTAKES = {
    "07.combined_tricks": [
        ({"plain": [0.87, 0.88, 0.87]}, "give a dictionary"),
        ({"plain": [0.87, 0.88], "mine": [0.9, 0.91]}, "at least three seeds"),
        ({"plain": [87, 88, 87], "mine": [90, 91, 92]}, "percentages"),
        ({"plain": [0.87, 0.88, 0.87], "mine": [0.9, 0.9, 0.9]}, "the same accuracy"),
        ({"plain": [0.87, 0.88, 0.87], "mine": [0.88, 0.88, 0.87]}, "gained most"),
    ],
    "07.early_stopping": [
        (early_stopping(since=0), "counted from 1"),
        (early_stopping(since=1, strict=False), "equal loss"),
        (early_stopping(since=1, late=1), "too long|too many"),
        (early_stopping(since=1, best_of=lambda losses: len(losses) - 1), "the lowest loss so far"),
        (lambda losses, patience: (1, 1), "Count epochs since"),
        (lambda losses, patience: 3, "two numbers"),
        (swapped_at_the_end, "wrong order"),
    ],
    "07.l2_step": [
        (2.95, "a gradient too"),
        (2.947, "factor 2"),
        (2.941, "the penalty itself"),
        (2.956, "towards zero"),
        (3.056, "against the gradient"),
        (2.44, "learning rate is missing"),
        (1.0, "0.5 + 2λw"),
    ],
}


class TestExercises(ExerciseTests):
    pass
