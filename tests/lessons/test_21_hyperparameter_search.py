"""Tests the code of lesson 21 on more cases than the lesson shows, and the checkers of its exercises."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.lessons.exercise_tests import ExerciseTests

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def lesson(lesson):
    lesson.epochs, lesson.num_trials, lesson.val_size = 4, 6, 100
    lesson.rt = type("Runtime", (), {"seed": 0})
    images = RNG.random((200, 64))
    lesson.splits = [(images, (images @ RNG.normal(size=(64, 10))).argmax(axis=1))] * 3
    lesson.splits[0] = tuple(values[:150] for values in lesson.splits[0])
    return lesson


@pytest.mark.parametrize("dropout", [0, 0.5])
def test_compute_gradients_matches_gradient_tape(lesson, dropout):
    settings = {"units": 7}
    weights = [w + RNG.normal(0, 0.1, w.shape) for w in lesson.initialize(settings, 0)[0]]
    x, y = RNG.random((5, 64)), RNG.integers(0, 10, 5)
    mask = (RNG.random((5, 7)) >= dropout) / (1 - dropout)
    variables = [tf.Variable(w) for w in weights]
    with tf.GradientTape() as tape:
        hidden = tf.nn.relu(x @ variables[0] + variables[1]) * mask
        loss = tf.reduce_mean(
            tf.nn.sparse_softmax_cross_entropy_with_logits(y, hidden @ variables[2] + variables[3])
        ) + 0.03 / 2 * sum(tf.reduce_sum(variables[k] ** 2) for k in (0, 2))
    for ours, theirs in zip(
        lesson.compute_gradients(weights, x, y, mask, 0.03), tape.gradient(loss, variables), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, atol=1e-12)


def test_train_matches_keras_sgd_with_momentum(lesson):
    settings = {"units": 16, "rate": 0.05, "momentum": 0.8, "decay": 0.0, "dropout": 0.0}
    weights, velocities, rng = lesson.initialize(settings, 3)
    network = keras.Sequential([keras.Input((64,)), keras.layers.Dense(16, activation="relu"), keras.layers.Dense(10)])
    network.set_weights(weights)
    network.compile(
        keras.optimizers.SGD(0.05, momentum=0.8), keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    )
    x, y = lesson.splits[0]
    for batch in _batches(lesson, settings):
        network.train_on_batch(x[batch], y[batch])
    ours = lesson.train((weights, velocities, rng), settings, lesson.splits[0], 2)[0]
    for our, their in zip(ours, network.get_weights(), strict=True):
        np.testing.assert_allclose(our, their, atol=1e-5)


def test_is_correct_matches_keras_predictions(lesson):
    weights = [w + RNG.normal(0, 0.5, w.shape) for w in lesson.initialize({"units": 8}, 0)[0]]
    network = keras.Sequential([keras.Input((64,)), keras.layers.Dense(8, activation="relu"), keras.layers.Dense(10)])
    network.set_weights(weights)
    x, y = RNG.normal(size=(300, 64)), RNG.integers(0, 10, 300)
    expected = network.predict(x, verbose=0).argmax(axis=1) == y
    np.testing.assert_array_equal(lesson.is_correct(weights, (x, y)), expected)


def _batches(lesson, settings):
    """The batches of two epochs: the same draws as `train` makes, dropout's included."""
    rng = lesson.initialize(settings, 3)[2]
    for _ in range(2):
        for batch in rng.permutation(150).reshape(-1, 30):
            rng.random((30, settings["units"]))
            yield batch


def test_resumed_training_equals_uninterrupted_training(lesson):
    settings = lesson.settings_at(np.full(5, 0.5))
    at_once = lesson.train(lesson.initialize(settings, 0), settings, lesson.splits[0], 5)[0]
    first = lesson.train(lesson.initialize(settings, 0), settings, lesson.splits[0], 2)
    in_two = lesson.train(first, settings, lesson.splits[0], 3)[0]
    for a, b in zip(at_once, in_two, strict=True):
        np.testing.assert_array_equal(a, b)


def test_hyperband_resumes_trials_within_max_epochs(lesson):
    lesson.epochs = 9
    log = lesson.tune(lesson.kt.Hyperband, lesson.splits, 0, max_epochs=9, factor=3, hyperband_iterations=1)
    assert log.shape[1] == 3
    assert set(log[:, 2]) <= {1, 2, 3, 4, 5, 6, 8, 9}
    assert (log[:, 2] < 9).any()


def test_suggest_explores_away_from_known_points(lesson):
    points = RNG.random((12, 5)) * 0.3
    suggested = lesson.suggest(points, points[:, 0], np.random.default_rng(0))
    assert suggested.shape == (5,)
    assert np.linalg.norm(points - suggested, axis=1).min() > 0.2


def test_fraction_explained_is_high_only_for_relevant_setting(lesson):
    values, other = RNG.random(400), RNG.random(400)
    assert lesson.fraction_explained(values, np.floor(values * 8)) > 0.95
    assert lesson.fraction_explained(other, np.floor(values * 8)) < 0.1


def test_best_of_splits_images_into_validation_and_test(lesson):
    lesson.num_random, lesson.correct = 4, np.zeros((1, 4, 300), bool)
    lesson.correct[0, 2, :210] = True  # correct on 210 of 300 images, whichever are drawn for validation
    validation, test = lesson.best_of(4)
    assert 100 * validation + 200 * test == pytest.approx(210)
    assert validation == pytest.approx(0.7, abs=0.01)


def test_best_of_random_guesses_overestimates_accuracy(lesson):
    lesson.num_random, lesson.correct = 50, RNG.random((1, 50, 1_100)) < 0.5
    validation, test = lesson.best_of(50)
    assert validation > 0.58
    assert test == pytest.approx(0.5, abs=0.02)
    validation, test = lesson.best_of(1)
    assert validation == pytest.approx(test, abs=0.02)


# Exercises: other correct answers, and mistakes with a word of the hint that each should get


def halving(factor_of=lambda factor: factor, best=True, longer=True, again=False, result=lambda left: left):
    """Successive halving with sorted pairs; the options plant mistakes."""

    def run(score, candidates, epochs, factor):
        left = list(candidates)
        while len(left) > 1:
            ranked = sorted((score(candidate, epochs), candidate) for candidate in left)
            count = max(len(ranked) // factor_of(factor), 1)
            left = [candidate for _, candidate in (ranked[-count:] if best else ranked[:count])]
            epochs = epochs * factor if longer else epochs
        if again:
            score(left[0], epochs)
        return result(left[0])

    return run


ALTERNATIVES = {
    "21.grid_hours": [60.0],
    "21.spend_a_budget": [{"validation": [0.3, 0.92, 0.9], "chosen": 1, "test": 0.891}],
    "21.successive_halving": [halving()],
}

MISTAKES = {
    "21.grid_hours": [
        (3600, "minutes"),
        (4, "5 folds"),
        (20, "3 seeds"),
        (12, "5 folds"),
        (30, "2 minutes"),
        (7, "multiplies"),
        (50, "4 · 3 · 2 · 5"),
    ],
    "21.spend_a_budget": [
        ({"validation": [0.9]}, "give"),
        ({"validation": [0.9] * 65, "chosen": 0, "test": 0.9}, "budget"),
        ({"validation": [90.0], "chosen": 0, "test": 0.9}, "between 0 and 1"),
        ({"validation": [0.9, 0.8], "chosen": 2, "test": 0.9}, "counts from 0"),
        ({"validation": [0.9, 0.8], "chosen": 1, "test": 0.9}, "choose by validation"),
        ({"validation": [0.9, 0.8], "chosen": 0, "test": 0.85}, "below 0.88"),
    ],
    "21.successive_halving": [
        (halving(factor_of=lambda factor: factor + 1), "the rounds train"),
        (halving(best=False), "larger scores"),
        (halving(longer=False), "times as long"),
        (halving(again=True), "not train it again"),
        (halving(result=lambda left: left + 1), "return the candidate"),
        (halving(result=lambda left: None), "return"),
    ],
}


class TestExercises(ExerciseTests):
    pass
