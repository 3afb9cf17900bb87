"""Checkers of lesson 08."""

from __future__ import annotations

import numpy as np

from dlkit import data
from dlkit.exercises.helpers import check_keys, check_number, check_shape, checker, first_match

_MISTAKES = {"A": "labels mixed up", "B": "softmax twice", "C": "rate too large", "D": "zero weights"}


def broken_trainings(epochs=30, seed=8):
    """Trains a network 64-32-10 on scikit-learn's digits four times, each time with a different mistake.

    Args:
        epochs: Integer, number of passes over the 1,000 training images. Defaults to 30.
        seed: Integer, seed of the initial weights, the batches and the mistakes. Defaults to 8.

    Returns:
        Dictionary {"A": {"training": losses, "validation": losses}, ...}. The losses are lists of floats, the mean
        cross-entropy after each epoch as the script with the mistake reports it.
    """
    images, labels = data.load("digits").train
    x = images.reshape(len(images), -1) / 255
    return {letter: _train(x, labels, mistake, epochs, seed) for letter, mistake in _MISTAKES.items()}


def _train(x, labels, mistake, epochs, seed):
    rng = np.random.default_rng(seed)
    scale = 0.0 if mistake == "zero weights" else 1.0
    rate = 30.0 if mistake == "rate too large" else 0.3
    twice = mistake == "softmax twice"
    W1, W2 = scale * rng.normal(size=(64, 32)) * np.sqrt(2 / 64), scale * rng.normal(size=(32, 10)) * np.sqrt(2 / 32)
    weights = [W1, np.zeros(32), W2, np.zeros(10)]
    train_y = rng.permutation(labels[:1000]) if mistake == "labels mixed up" else labels[:1000]
    splits = {"training": (x[:1000], train_y), "validation": (x[1000:], labels[1000:])}
    curves = {name: [] for name in splits}
    for _ in range(epochs):
        for rows in np.array_split(rng.permutation(1000), 40):
            _, gradients = _loss_and_gradients(x[rows], train_y[rows], weights, twice)
            weights = [w - rate * g for w, g in zip(weights, gradients, strict=True)]
        for name, split in splits.items():
            curves[name].append(_loss_and_gradients(*split, weights, twice)[0])
    return curves


def _softmax(z):
    exponentials = np.exp(z - z.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def _loss_and_gradients(x, y, weights, twice):
    W1, b1, W2, b2 = weights
    hidden = np.maximum(0, x @ W1 + b1)
    logits = hidden @ W2 + b2
    inner_probs = _softmax(logits)
    probs = _softmax(inner_probs) if twice else inner_probs
    loss = -np.log(probs[np.arange(len(y)), y] + 1e-12).mean()
    d_logits = (probs - np.eye(10)[y]) / len(y)
    if twice:  # back through the inner softmax
        d_logits = inner_probs * (d_logits - np.sum(d_logits * inner_probs, axis=1, keepdims=True))
    d_hidden = (d_logits @ W2.T) * (hidden > 0)
    return loss, (x.T @ d_hidden, d_hidden.sum(0), hidden.T @ d_logits, d_logits.sum(0))


@checker("08.leaky_relu")
def leaky_relu(answer):
    """Checks the standard deviation for leaky ReLU with 200 inputs, √0.009, and the growth (10/9)**20."""
    if hint := check_keys(answer, {"std": "a number", "growth": "a number"}):
        return hint
    hints = {
        0.009: "that is the variance; the standard deviation is its square root",
        0.1: "that is He's rule for the ordinary ReLU; the negative half of the signal is not lost here",
        np.sqrt(2 / (4 / 3 * 200)): "mean(a²) needs the square of 1/3: the negative half keeps 1/9 of its mean square",
        np.sqrt(9 / 250): "use the number of inputs, not of outputs: each sum has 200 terms",
    }
    default = "find mean(a²) as a fraction f of mean(z²), and solve 200 s² f = 1 for s"
    if hint := check_number(answer["std"], "std", np.sqrt(0.009), hints, default, tolerance=5e-4):
        return hint
    hints = {
        (10 / 9) ** 10: "that is the factor of the root mean square; the exercise asks for the mean square",
        10 / 9: "that is the factor of one layer; there are 20 of them",
        (9 / 10) ** 20: "that is its inverse: weights drawn for the ordinary ReLU are too large here",
    }
    default = "with n s² = 2, each layer multiplies the mean square by 2 f, and 20 layers by (2 f)²⁰"
    return check_number(answer["growth"], "growth", (10 / 9) ** 20, hints, default, tolerance=0.06)


@checker("08.skip_layer_gradient")
def skip_layer_gradient(student):
    """Checks the gradients of y = x + relu(x) W."""
    rng = np.random.default_rng(8)
    x, W, dy = rng.normal(size=(5, 3)), rng.normal(size=(3, 3)), rng.normal(size=(5, 3))
    x[0] = 0  # zeros, as after another ReLU
    returned = student(x.copy(), W.copy(), dy.copy())
    if not isinstance(returned, (tuple, list)) or len(returned) != 2:
        return "return two arrays: dx, dW"
    dx, dW = (np.asarray(array, dtype=float) for array in returned)
    for name, found, value in (("dx", dx, x), ("dW", dW, W)):
        if hint := check_shape(found, value.shape, f"{name} must have the shape {value.shape} of {name[1:]}"):
            return hint
    through_layer = (dy @ W.T) * (x > 0)
    if np.allclose(dW, x.T @ dy):
        return "W is multiplied by max(0, x), not by x: dW = max(0, x)ᵀ dy"
    if not np.allclose(dW, np.maximum(0, x).T @ dy):
        return "dW is the gradient of a dense layer whose input is max(0, x)"
    if np.allclose(dx, dy + through_layer):
        return None
    hints = [
        (through_layer, "the skip connection has a gradient too: add dy, which reaches x directly"),
        (dy, "that is the gradient of the skip connection alone; add that of the path through W and the ReLU"),
        (dy + dy @ W.T, "the derivative of ReLU is missing: where x is negative, no gradient passes through W"),
        (dy + (dy @ W) * (x > 0), "W has to be transposed in the backward pass"),
        (dy + (dy @ W.T) * (x >= 0), "where x is exactly 0, the gradient of ReLU is 0: use x > 0, not x >= 0"),
        ((dy + dy @ W.T) * (x > 0), "the mask of ReLU applies to the path through W only, not to the skip connection"),
    ]
    return first_match(dx, hints, "two paths lead to x: add dy and (dy Wᵀ) ⊙ [x > 0]")


@checker("08.diagnoses")
def diagnoses(answer):
    """Checks {"A": cause, ...} of `broken_trainings`."""
    if not isinstance(answer, dict) or not set(_MISTAKES) <= set(answer):
        return 'give a dictionary with A, B, C and D, such as {"A": "rate too large", ...}'
    if unknown := [answer[k] for k in _MISTAKES if answer[k] not in _MISTAKES.values()]:
        return f"{unknown[0]!r} is not one of the four: {', '.join(sorted(_MISTAKES.values()))}"
    hints = {
        "zero weights": "one loss does not change at all: which mistake makes all gradients zero?",
        "rate too large": "one loss jumps up and down far above log 10 = 2.3, the loss of equal probabilities",
        "softmax twice": "two losses fall together, but stay above 1.46; lesson 02 explains this number",
        "labels mixed up": "two losses diverge: the training loss falls while the validation loss rises above 2.3",
    }
    for letter, mistake in sorted(_MISTAKES.items(), key=lambda item: list(hints).index(item[1])):
        if answer[letter] != mistake:
            return hints[mistake]
    return None
