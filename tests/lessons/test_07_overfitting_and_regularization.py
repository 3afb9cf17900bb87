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


@pytest.mark.parametrize(("width", "count"), [(3, 7), (40, 1), (17, 50)])
@pytest.mark.parametrize(("decay", "r"), [(0.0, 0.0), (0.02, 0.0), (0.003, 0.5)])
def test_gradients_match_tensorflow(lesson, width, count, decay, r):
    rng = np.random.default_rng(0)
    params = [rng.normal(size=shape) for shape in ((196, width), (width,), (width, 10), (10,))]
    x, y = rng.normal(size=(count, 196)), rng.dirichlet(np.ones(10), size=count)
    mask = (rng.random((count, width)) >= r) / (1 - r)
    variables = [tf.Variable(w) for w in params]
    with tf.GradientTape() as tape:
        W1, b1, W2, b2 = variables
        z = (tf.nn.relu(x @ W1 + b1) * mask) @ W2 + b2
        penalty = decay * (tf.reduce_sum(W1**2) + tf.reduce_sum(W2**2))
        loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(y, z)) + penalty
    for ours, theirs in zip(lesson.gradients(params, x, y, decay, mask), tape.gradient(loss, variables), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-9)


def test_adam_step_matches_keras(lesson):
    rng = np.random.default_rng(0)
    start = rng.normal(size=(4, 3)).astype("float32")
    variable, optimizer = keras.Variable(start), keras.optimizers.Adam(0.01)
    params, m, v = [start.copy()], [np.zeros_like(start)], [np.zeros_like(start)]
    for t in range(1, 6):
        g = rng.normal(size=start.shape).astype("float32")
        lesson.adam_step(params, [g], m, v, t, 0.01)
        optimizer.apply([tf.constant(g)], [variable])
    np.testing.assert_allclose(params[0], variable.numpy(), atol=1e-5)
    assert np.abs(params[0] - start).max() > 0.01


@pytest.mark.parametrize("s", [1, 2])
def test_random_shift_draws_every_variant_and_no_other(lesson, s):
    image = np.random.default_rng(0).random((14, 14)).astype("float32")
    found = lesson.random_shift(np.tile(image.ravel(), (2_000, 1)), s, np.random.default_rng(1))
    padded = np.pad(image, s)
    expected = {padded[i : i + 14, j : j + 14].tobytes() for i in range(2 * s + 1) for j in range(2 * s + 1)}
    assert {row.tobytes() for row in found} == expected


@pytest.mark.parametrize(
    ("scores", "chosen", "not_tried"),
    [
        ((0.1, 0.5, 0.6, 0.9, 0.2), 3, {0}),  # one step up
        ((0.7, 0.8, 0.6, 0.5, 0.2), 1, {4}),  # one step down
        ((0.1, 0.5, 0.9, 0.7, 0.2), 2, {0, 4}),  # the middle one
        ((0.1, 0.5, 0.6, 0.7, 0.8), 4, {0}),  # the edge: the lesson's claim would fail
        ((0.5, 0.5, 0.5, 0.5, 0.5), 0, {4}),  # equal scores end the search too
    ],
)
def test_choose_rate_moves_until_neither_neighbor_is_better(lesson, monkeypatch, scores, chosen, not_tried):
    rates = (1, 2, 3, 4, 5)
    monkeypatch.setattr(lesson, "rates", rates, raising=False)
    monkeypatch.setattr(lesson, "tuning_seeds", (0, 1), raising=False)
    monkeypatch.setattr(lesson, "run", lambda width, seed, rate: {"val": scores[rate - 1] + (seed - 0.5) / 8})
    rate, runs, tried = lesson.choose_rate(8)
    assert rate == rates[chosen]
    assert set(runs) == {0, 1}
    assert set(rates) - set(tried) == {rates[k] for k in not_tried}


def test_shrink_averages_blocks(lesson):
    image = np.zeros((1, 28, 28), "uint8")
    image[0, 2:4, 4:6] = [[255, 0], [255, 255]]
    small = lesson.shrink(image).reshape(14, 14)
    assert small[1, 2] == pytest.approx(0.75)
    assert small.sum() == pytest.approx(0.75)


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


def ridge(on_training=False, choose=min, factor=1, index=False, by_svd=False):
    def weights(h, y, strength):
        if by_svd:
            u, s, vt = np.linalg.svd(h, full_matrices=False)
            return vt.T @ ((s / (s**2 + strength))[:, None] * (u.T @ y))
        return np.linalg.solve(h.T @ h + factor * strength * np.eye(h.shape[1]), h.T @ y)

    def answer(h, y, val_h, val_y, strengths):
        x, target = (h, y) if on_training else (val_h, val_y)
        errors = [np.mean((x @ weights(h, y, s) - target) ** 2) for s in strengths]
        k = errors.index(choose(errors))
        return k + 10 if index else strengths[k]

    return answer


ALTERNATIVES = {
    "07.best_strength": [ridge(), ridge(by_svd=True)],
    "07.early_stopping": [early_stopping(since=1)],
    "07.l2_step": [2.944],
}

MISTAKES = {
    "07.best_strength": [
        (ridge(on_training=True), "lowest training error"),
        (ridge(choose=max), "highest validation error"),
        (ridge(factor=100), "λ times the identity"),
        (ridge(index=True), "one of the given strengths"),
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
