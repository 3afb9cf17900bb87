"""The code of lesson 25 on more cases than the lesson shows, and the checkers of its exercises."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.lessons.exercise_tests import ExerciseTests

RNG = np.random.default_rng(0)


@pytest.fixture(scope="lesson")
def lesson(lesson):
    lesson.loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return lesson


@pytest.mark.parametrize("cut", [1, 10, 29])
def test_parts_of_a_batch_add_up_to_its_gradient_and_to_what_keras_computes(lesson, cut):
    model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(4, activation="tanh"), keras.layers.Dense(3)])
    x, y = RNG.normal(size=(30, 5)).astype("float32"), RNG.integers(0, 3, 30)
    parts = [lesson.part_gradient(model, x[k], y[k], 30) for k in (slice(cut), slice(cut, None))]
    with tf.GradientTape() as tape:
        loss = lesson.loss(y, model(x))
    whole = tape.gradient(loss, model.trainable_variables)
    assert lesson.largest([a + b for a, b in zip(*parts, strict=True)], whole) < 1e-6


def test_amdahls_law_at_its_ends(lesson):
    assert lesson.amdahl(0, 100) == 1
    assert lesson.amdahl(1, 100) == pytest.approx(100)
    assert lesson.amdahl(0.75, 3) == pytest.approx(2)


def test_a_median_time_is_that_of_the_action(lesson):
    import time

    assert lesson.seconds(lambda: time.sleep(0.05)) == pytest.approx(0.05, rel=0.5)


# --- exercises: other correct answers, and mistakes with a word of the hint that each should get


ALTERNATIVES = {
    "25.amdahl": [2.5],
    "25.bottleneck": [{"stage": "augment", "share": 0.45, "times_as_fast": 1 / 0.595}],
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
        ({"stage": "input", "share": 0.5, "times_as_fast": 2}, "one of"),
        ({"stage": "backward", "share": 0.5, "times_as_fast": 2}, "takes longer"),
        ({"stage": "augment", "share": 48, "times_as_fast": 2}, "between 0 and 1"),
        ({"stage": "augment", "share": 0.9, "times_as_fast": 2}, "all four stages"),
        ({"stage": "augment", "share": 0.48, "times_as_fast": 10}, "Amdahl"),
    ],
    "25.combine": [
        (lambda gradients, counts: np.mean(gradients, axis=0), "counts more"),
        (lambda gradients, counts: np.sum(gradients, axis=0), "too long"),
        (lambda gradients, counts: np.tensordot(counts, gradients, 1), "all images"),
        (lambda gradients, counts: np.tensordot(counts, gradients, 1) / len(counts), "not the replicas"),
        (lambda gradients, counts: 1.0, "shape"),
    ],
}


class TestExercises(ExerciseTests):
    pass
