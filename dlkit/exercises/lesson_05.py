"""Checkers of lesson 05."""

from __future__ import annotations

from itertools import pairwise

import keras
import numpy as np

from dlkit import runtime
from dlkit.exercises.helpers import check_accuracies, check_number, check_shape, checker


@checker("05.count_parameters")
def count_parameters(answer):
    """Checks the number of weights and biases of a network 784-100-50-10."""
    hints = {
        784 * 100 + 100 * 50 + 50 * 10: "each unit also has a bias, which makes 160 biases",
        784 * 100 + 100 * 50 + 50 * 10 + 784 + 160: "the pixels are inputs, not units; they have no bias",
        28 * 100 + 100 + 5050 + 510: "an image has 28 · 28 = 784 pixels",
        784 * 100 + 100 + 5050: "the last layer, from 50 units to 10 logits, is missing",
    }
    default_hint = "for each layer, compute inputs times units, plus one bias for each unit; then add up the layers"
    return check_number(answer, "parameters", 84_060, hints, default_hint)


def _ways_to_clip(gradients, limit):
    """The correctly clipped gradients under None, and wrong ones under their hints."""
    norm = np.sqrt(sum(np.sum(g**2) for g in gradients))
    return {
        None: [np.clip(g, -limit, limit) for g in gradients],
        "the gradients are not clipped: tf.clip_by_value(gradient, -limit, limit) for each of them": gradients,
        "that clips the norm of all gradients together; clip every single number instead": [
            g * min(1, limit / norm) for g in gradients
        ],
        "you clip large *positive* numbers, but not the negative ones": [np.minimum(g, limit) for g in gradients],
        "the sign is wrong: the step goes uphill; give optimizer.apply the gradients without a minus": [
            -np.clip(g, -limit, limit) for g in gradients
        ],
    }


@checker("05.clipped_step")
@runtime.exact()  # the comparisons are closer than mixed precision computes
def clipped_step(student):
    """Checks one SGD step with a tight and with a loose limit, and a step of a network with batch normalization."""
    rng = np.random.default_rng(5)
    x, y = rng.normal(size=(8, 3)).astype("float32"), 5 * rng.normal(size=(8, 1)).astype("float32")
    for limit in (0.5, 1e6):
        network = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
        W, b = network.get_weights()
        error = x @ W + b - y
        before = np.mean(error**2)
        gradients = [2 * x.T @ error / 8, 2 * error.mean(axis=0)]
        returned = student(network, keras.losses.MeanSquaredError(), keras.optimizers.SGD(0.1), x, y, limit)
        found = network.get_weights()
        if hint := check_shape(returned, (), "return the loss, one number"):
            return hint
        if all(np.array_equal(new, old) for new, old in zip(found, (W, b), strict=True)):
            return "the weights did not change: call optimizer.apply(gradients, network.trainable_variables)"
        variants = _ways_to_clip(gradients, limit)
        steps = {
            hint: all(np.allclose(n, o - 0.1 * g, atol=1e-5) for n, o, g in zip(found, (W, b), used, strict=True))
            for hint, used in variants.items()
        }
        if not any(steps.values()):
            return "the new weights are not those of one SGD step with clipped gradients"
        if hint := next(hint for hint, fits in steps.items() if fits):
            return hint
        if not np.isclose(float(returned), before, rtol=1e-4):
            return f"the loss before the step was {before:.4f}; your function returns {float(returned):.4f}"
    return _check_training_mode(student, x, (y > 0).astype("float32"))


def _check_training_mode(student, x, y):
    """Checks a step of a network with batch normalization, which differs between training and inference."""
    network = keras.Sequential([keras.Input((3,)), keras.layers.BatchNormalization(), keras.layers.Dense(1)])
    W = network.get_weights()[4]  # after gamma, beta, moving mean and moving variance; the biases are 0

    def loss(targets, logits):
        return np.mean(np.logaddexp(0, logits) - targets * logits)

    trained = (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + 1e-3) @ W
    loss_function = keras.losses.BinaryCrossentropy(from_logits=True)
    found = float(student(network, loss_function, keras.optimizers.SGD(0.1), x, y, 1.0))
    if np.isclose(found, loss(trained, y), rtol=1e-4):
        return "a loss function takes the targets first, then the network's outputs"
    if np.isclose(found, loss(y, x / np.sqrt(1 + 1e-3) @ W), rtol=1e-4) or not np.any(network.get_weights()[2]):
        return "call network(x, training=True), since batch normalization and dropout depend on the mode"
    if not np.isclose(found, loss(y, trained), rtol=1e-4):
        return "this is correct for a linear network with squared errors only; use the given network and loss function"
    return None


@checker("05.shifted_digits")
def shifted_digits(answer):
    """Checks {shift in pixels: test accuracy}: the accuracy of an MLP falls as the shift grows."""
    if not isinstance(answer, dict) or not set(range(5)) <= set(answer):
        return "give a dictionary with the shifts 0, 1, 2, 3 and 4, such as {0: 0.95, 1: …}"
    measured = [float(answer[shift]) for shift in range(5)]
    if hint := check_accuracies(measured):
        return hint
    if measured[0] < 0.85:
        return f"without a shift, the accuracy is only {measured[0]:.0%}; train the network as in the lesson"
    if measured[4] > measured[0] - 0.1:
        return "a shift of four pixels costs more. Shift the test images only, along axis 2, and do not train on them"
    if any(further > nearer + 0.02 for nearer, further in pairwise(measured)):  # a pixel may gain a little by chance
        return "a longer shift should cost more; check which accuracy belongs to which shift"
    return None
