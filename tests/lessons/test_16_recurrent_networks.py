"""Tests the code of lesson 16 on more cases than the lesson shows, and the checkers of its exercises."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.lessons.exercise_tests import ExerciseTests
from tests.lessons.helpers import changed, random_weights

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(("steps", "inputs", "units"), [(1, 1, 1), (3, 1, 2), (20, 5, 7)])
def test_rnn_forward_and_rnn_backward_match_keras(lesson, steps, inputs, units):
    x, last = RNG.normal(size=(steps, inputs)).astype("float32"), RNG.normal(size=units)
    layer = keras.layers.SimpleRNN(units, return_sequences=True)
    layer.build((1, steps, inputs))
    W_x, W_h, b = random_weights(layer)
    states = lesson.rnn_forward(x, W_x, W_h, b)
    x_in = tf.constant(x[None])
    with tf.GradientTape() as tape:
        tape.watch(x_in)
        outputs = layer(x_in)[0]
        loss = tf.reduce_sum(outputs[-1] * last.astype("float32"))
    np.testing.assert_allclose(states[1:], outputs, atol=1e-5)
    assert not states[0].any()
    theirs = tape.gradient(loss, [weight.value for weight in layer.weights])
    *ours, gradients = lesson.rnn_backward(x, states, W_h, last)
    for our, their in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(our, their, atol=1e-5)
    assert gradients.shape == (steps + 1, units)


def test_ngram_bits_of_a_periodic_text(lesson):
    lesson.vocab_size, lesson.train_ids, lesson.test_ids = 2, np.array([0, 1] * 500), np.array([0, 1] * 50)
    assert lesson.ngram_bits(0) == pytest.approx(1, abs=1e-3)
    assert lesson.ngram_bits(1) == pytest.approx(0, abs=1e-3)


def test_contexts_are_the_letters_before_a_position(lesson):
    lesson.vocab_size = 10
    context_ids, letters = lesson.contexts(np.array([3, 1, 4, 1, 5]), 2)
    assert context_ids.tolist() == [31, 14, 41]
    assert letters.tolist() == [4, 1, 5]


def test_gradient_over_distance_fades_faster_for_small_weights(lesson):
    norms = [lesson.gradient_over_distance(scale, 30, np.random.default_rng(0))[30] for scale in (0.5, 0.7, 0.9)]
    assert norms == sorted(norms)
    assert norms[0] < 0.5**30 * 1.01


# Exercises: other correct answers, and mistakes with a word of the hint that each should get


def gradient_by_sensitivity(x, y, a, *, through_time=True, before=True, last_only=False):
    """Forward mode: dh/da is updated together with h."""
    h = sensitivity = total = 0.0
    for t, (x_t, y_t) in enumerate(zip(x, y, strict=True)):
        earlier, sensitivity = h, a * sensitivity * through_time
        h = a * h + x_t
        sensitivity += earlier if before else h
        if t == len(x) - 1 or not last_only:
            total += (h - y_t) * sensitivity
    return total


ALTERNATIVES = {
    "16.gradient_of_a": [gradient_by_sensitivity],
    "16.memory_length": [{5: 1.0, 30: 0.93, 100: 0.7, 300: 0.52}],
    "16.two_steps": [-0.642],
}

MISTAKES = {
    "16.gradient_of_a": [
        (changed(gradient_by_sensitivity, through_time=False), "later ones"),
        (changed(gradient_by_sensitivity, before=False), "before"),
        (changed(gradient_by_sensitivity, last_only=True), "every step"),
        (lambda x, y, a: 2 * gradient_by_sensitivity(x, y, a), "½"),
        (lambda x, y, a: gradient_by_sensitivity(x, y, a) / len(x), "mean"),
        (lambda x, y, a: -gradient_by_sensitivity(x, y, a), "sign"),
        (lambda x, y, a: x, "one number"),
        (lambda x, y, a: gradient_by_sensitivity(x, y, a) + 1, "gradient is"),
    ],
    "16.memory_length": [
        ({10: 0.99}, "two lengths"),
        ({10: 99, 100: 50}, "fractions"),
        ({10: 0.8, 100: 0.5}, "short"),
        ({10: 0.99, 100: 0.9}, "longer"),
        ({10: 0.55, 100: 0.99}, "fresh weights"),
        ({10: 0.99, 100: 0.1}, "same sequences"),
    ],
    "16.two_steps": [
        (0.7616, "that is h_1"),
        (-0.7616, "one tanh"),
        (0.642, "sign"),
        (-1.0, "both tanh"),
        ("h", "one number"),
    ],
}


class TestExercises(ExerciseTests):
    pass
