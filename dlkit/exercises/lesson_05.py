"""Checkers of lesson 05."""

from __future__ import annotations

import keras
import numpy as np

from dlkit import runtime
from dlkit.exercises.helpers import check_number, check_shape, checker, first_match


@checker("05.largest_width")
def largest_width(answer):
    """Checks the largest u for which a network 784-u-u-10 has at most 200,000 weights and biases."""
    hints = {
        201: "each unit also has a bias: 784 u weights become 785 u parameters, and so on",
        251: "between the two hidden layers there are u · u more weights",
        252: "between the two hidden layers there are u · u more weights",
        254: "that counts the first layer only; the second hidden layer and the logits have parameters, too",
        255: "that counts the first layer only; the second hidden layer and the logits have parameters, too",
        202: "the last layer, from u units to 10 logits, is missing",
    }
    default_hint = "add up 785 u, (u + 1) u and 10 (u + 1), and find the largest u for which the sum is at most 200,000"
    return check_number(answer, "units", 200, hints, default_hint)


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


class _Pixels(keras.layers.Layer):
    """Returns some of the pixels of an image as its logits, in random order."""

    def __init__(self, positions):
        super().__init__()
        self.positions = positions

    def call(self, images):
        return keras.ops.take(keras.ops.reshape(images, (-1, int(np.prod(images.shape[1:])))), self.positions, axis=1)


def _accuracy(images, labels, positions):
    """The fraction of images in which the brightest of the pixels at these positions is the one of the label."""
    return np.mean(images.reshape(len(images), -1)[:, positions].argmax(axis=1) == labels)


@checker("05.shifted_digits")
def shifted_digits(student):
    """Checks the accuracy on shifted images for a network whose logits are ten pixels, with two sizes and shifts."""
    rng = np.random.default_rng(5)
    for count, size, shift in ((300, (9, 7), 2), (200, (8, 8), 3)):
        images = rng.integers(0, 256, (count, *size)).astype("uint8")
        positions = rng.permutation(size[0] * size[1])[:10]
        network = keras.Sequential([keras.Input(size), _Pixels(positions)])
        rolls = {name: np.roll(images, by, axis) for name, (by, axis) in _wrong_shifts(shift).items()}
        right = np.roll(images, shift, axis=2)
        # Labels of which the shifted images give nine tenths back, so that every wrong shift has another accuracy
        labels = right.reshape(count, -1)[:, positions].argmax(axis=1)
        labels[: count // 10] = (labels[: count // 10] + 1) % 10
        given = images.copy()
        found = student(network, given, labels.copy(), shift)
        if not np.array_equal(given, images):
            return "your function changes the images that it is given; np.roll returns a copy, which is enough"
        if hint := check_shape(found, (), "return the accuracy, one number"):
            return hint
        expected, found = _accuracy(right, labels, positions), float(found)
        if np.isclose(found, expected, atol=1e-6):
            continue
        if np.isclose(found, 100 * expected, atol=1e-4):
            return "an accuracy is a fraction between 0 and 1, not a percentage"
        hints = [(_accuracy(rolled, labels, positions), name) for name, rolled in rolls.items()]
        hints += [
            (1 - expected, "that is the fraction of errors; return the fraction of correct answers"),
            (round(expected * count), "that is the number of correct answers; return the fraction"),
        ]
        default_hint = "compare the labels with the places of the largest logits, and return the mean of what is equal"
        return first_match(found, hints, default_hint, atol=1e-6)
    return None


def _wrong_shifts(shift):
    """Wrong ways to shift, as {hint: (distance, axis)}."""
    return {
        "the images are not shifted": (0, 2),
        "that shifts to the left; a positive distance in np.roll shifts to the right": (-shift, 2),
        "that shifts downward; the columns are axis 2": (shift, 1),
        "that exchanges whole images; axis 0 counts the images, axis 2 the columns": (shift, 0),
        "without an axis, np.roll shifts pixels from one row into the next; give axis=2": (shift, None),
    }
