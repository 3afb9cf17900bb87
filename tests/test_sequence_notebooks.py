"""The code written in notebooks 16 to 20, tested on more cases than the lessons show."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.notebook_tools import ROOT, definitions

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def recurrent():
    return definitions(ROOT / "notebooks" / "16_recurrent_networks.ipynb")


def random_weights(layer):
    """Gives a built layer weights that are all different from zero, biases too; returns them."""
    weights = [RNG.normal(0, 0.5, weight.shape) for weight in layer.weights]
    layer.set_weights(weights)
    return weights


# --- 16


@pytest.mark.parametrize(("steps", "inputs", "units"), [(1, 1, 1), (3, 1, 2), (20, 5, 7)])
def test_the_recurrence_and_its_gradients_through_time_equal_keras(recurrent, steps, inputs, units):
    x, last = RNG.normal(size=(steps, inputs)).astype("float32"), RNG.normal(size=units)
    layer = keras.layers.SimpleRNN(units, return_sequences=True)
    layer.build((1, steps, inputs))
    W_x, W_h, b = random_weights(layer)
    states = recurrent.rnn_forward(x, W_x, W_h, b)
    x_in = tf.constant(x[None])
    with tf.GradientTape() as tape:
        tape.watch(x_in)
        outputs = layer(x_in)[0]
        loss = tf.reduce_sum(outputs[-1] * last.astype("float32"))
    np.testing.assert_allclose(states[1:], outputs, atol=1e-5)
    assert not states[0].any()
    theirs = tape.gradient(loss, [weight.value for weight in layer.weights])
    *ours, along = recurrent.rnn_backward(x, states, W_h, last)
    for our, their in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(our, their, atol=1e-5)
    assert along.shape == (steps + 1, units)


def test_counting_gives_the_entropy_of_a_text_that_repeats(recurrent):
    recurrent.size, recurrent.train_codes, recurrent.test_codes = 2, np.array([0, 1] * 500), np.array([0, 1] * 50)
    assert recurrent.bits_by_counting(0) == pytest.approx(1, abs=1e-3)
    assert recurrent.bits_by_counting(1) == pytest.approx(0, abs=1e-3)


def test_a_context_is_the_letters_before_a_place(recurrent):
    recurrent.size = 10
    before, letters = recurrent.contexts(np.array([3, 1, 4, 1, 5]), 2)
    assert before.tolist() == [31, 14, 41]
    assert letters.tolist() == [4, 1, 5]


def test_a_gradient_fades_faster_for_smaller_weights(recurrent):
    norms = [recurrent.gradient_over_distance(scale, 30, np.random.default_rng(0))[30] for scale in (0.5, 0.7, 0.9)]
    assert norms == sorted(norms)
    assert norms[0] < 0.5**30 * 1.01
