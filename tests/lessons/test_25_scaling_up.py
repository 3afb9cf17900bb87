"""Tests the code of lesson 25 on more cases than the lesson shows, and the checkers of its exercises."""

import time

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.lessons.exercise_tests import ExerciseTests

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def lesson(lesson):
    lesson.loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return lesson


@pytest.mark.parametrize("cut", [1, 10, 29])
def test_shard_gradients_add_up_to_batch_gradient(lesson, cut):
    model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(4, activation="tanh"), keras.layers.Dense(3)])
    x, y = RNG.normal(size=(30, 5)).astype("float32"), RNG.integers(0, 3, 30)
    shards = [lesson.shard_gradient(model, x[k], y[k], 30) for k in (slice(cut), slice(cut, None))]
    with tf.GradientTape() as tape:
        loss = lesson.loss(y, model(x))
    batch_gradient = tape.gradient(loss, model.trainable_variables)
    assert lesson.max_difference([a + b for a, b in zip(*shards, strict=True)], batch_gradient) < 1e-6


def test_amdahl_at_its_limits(lesson):
    assert lesson.amdahl(0, 100) == 1
    assert lesson.amdahl(1, 100) == pytest.approx(100)
    assert lesson.amdahl(0.75, 3) == pytest.approx(2)


def test_median_seconds_measures_the_action(lesson):
    assert lesson.median_seconds(lambda: time.sleep(0.05)) == pytest.approx(0.05, rel=0.5)


# Exercises: other correct answers, and mistakes with a word of the hint that each should get


ALTERNATIVES = {
    "25.amdahl": [2.5],
    "25.bottleneck": [{"stage": "augment", "fraction": 0.45, "speedup": 1 / 0.595}],
    "25.combine": [lambda gradients, counts: np.tensordot(counts, gradients, 1) / np.sum(counts)],
}

MISTAKES = {
    "25.amdahl": [
        (4, "only 80"),
        (3.2, "new time first"),
        (0.4, "how many times"),
        (5, "here there are 4"),
        (2, "1 /"),
    ],
    "25.bottleneck": [
        ({"stage": "read"}, "give"),
        ({"stage": "input", "fraction": 0.5, "speedup": 2}, "one of"),
        ({"stage": "backward", "fraction": 0.5, "speedup": 2}, "takes longer"),
        ({"stage": "augment", "fraction": 48, "speedup": 2}, "between 0 and 1"),
        ({"stage": "augment", "fraction": 0.9, "speedup": 2}, "all four stages"),
        ({"stage": "augment", "fraction": 0.48, "speedup": 10}, "Amdahl"),
    ],
    "25.combine": [
        (lambda gradients, counts: np.mean(gradients, axis=0), "counts more"),
        (lambda gradients, counts: np.sum(gradients, axis=0), "too large"),
        (lambda gradients, counts: np.tensordot(counts, gradients, 1), "all images"),
        (lambda gradients, counts: np.tensordot(counts, gradients, 1) / len(counts), "not of replicas"),
        (lambda gradients, counts: 1.0, "shape"),
    ],
}


class TestExercises(ExerciseTests):
    pass
