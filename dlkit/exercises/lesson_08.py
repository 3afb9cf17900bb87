"""Checkers of lesson 08."""

from __future__ import annotations

import numpy as np

from dlkit import data
from dlkit.exercises.helpers import check_number, checker

_MISTAKES = {"A": "labels mixed up", "B": "softmax twice", "C": "rate too large", "D": "zero weights"}


def broken_trainings(epochs=30, seed=8):
    """Trains a network 64-32-10 on scikit-learn's digits four times, each time with another mistake.

    Args:
        epochs: passes over 1,000 images.
        seed: of starting weights, batches and mistakes.

    Returns:
        {"A": {"training": losses, "validation": losses}, ...}; a loss is the one that the script itself reports, the
        mean cross-entropy after each epoch.
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
    parts = {"training": (x[:1000], train_y), "validation": (x[1000:], labels[1000:])}
    curves = {name: [] for name in parts}
    for _ in range(epochs):
        for rows in np.array_split(rng.permutation(1000), 40):
            _, gradients = _loss_and_gradients(x[rows], train_y[rows], weights, twice)
            weights = [w - rate * g for w, g in zip(weights, gradients, strict=True)]
        for name, part in parts.items():
            curves[name].append(_loss_and_gradients(*part, weights, twice)[0])
    return curves


def _softmax(z):
    exponentials = np.exp(z - z.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def _loss_and_gradients(x, y, weights, twice):
    W1, b1, W2, b2 = weights
    hidden = np.maximum(0, x @ W1 + b1)
    logits = hidden @ W2 + b2
    first = _softmax(logits)
    probs = _softmax(first) if twice else first
    loss = -np.log(probs[np.arange(len(y)), y] + 1e-12).mean()
    d_logits = (probs - np.eye(10)[y]) / len(y)
    if twice:  # back through the inner softmax
        d_logits = first * (d_logits - np.sum(d_logits * first, axis=1, keepdims=True))
    d_hidden = (d_logits @ W2.T) * (hidden > 0)
    return loss, (x.T @ d_hidden, d_hidden.sum(0), hidden.T @ d_logits, d_logits.sum(0))


@checker("08.he_deviation")
def he_deviation(answer):
    """200 inputs: the root of 2/200 = 0.1."""
    hints = {
        0.01: "that is the variance, 2/n; the standard deviation is its root",
        np.sqrt(2 / 250): "that is Glorot's rule; He's looks at the inputs only",
        np.sqrt(2 / 50): "the inputs count, not the outputs: each sum has 200 terms",
        np.sqrt(1 / 200): "ReLU throws half of the signal away; a factor 2 makes up for it",
    }
    return check_number(answer, "deviation", 0.1, hints, "s = √(2/n), with n the number of inputs", tolerance=5e-4)


@checker("08.skip_layer_gradient")
def skip_layer_gradient(student):
    """Gradients of y = x + relu(x) W."""
    rng = np.random.default_rng(8)
    x, W, dy = rng.normal(size=(5, 3)), rng.normal(size=(3, 3)), rng.normal(size=(5, 3))
    x[0] = 0  # as after another ReLU
    returned = student(x.copy(), W.copy(), dy.copy())
    if not isinstance(returned, (tuple, list)) or len(returned) != 2:
        return "return two arrays: dx, dW"
    dx, dW = (np.asarray(array, dtype=float) for array in returned)
    for name, found, value in (("dx", dx, x), ("dW", dW, W)):
        if found.shape != value.shape:
            return f"{name} has shape {found.shape}, but what it is the gradient of has shape {value.shape}"
    through = (dy @ W.T) * (x > 0)
    if np.allclose(dW, x.T @ dy):
        return "W meets max(0, x), not x: dW = max(0, x)ᵀ dy"
    if not np.allclose(dW, np.maximum(0, x).T @ dy):
        return "dW is that of a dense layer with the input max(0, x)"
    hints = {
        "the skip has a gradient too: dy goes straight to x, and is added": through,
        "that is the skip's part alone; the other path goes through W and the ReLU": dy,
        "the slope of ReLU is missing: where x is negative, nothing comes back through W": dy + dy @ W.T,
        "W is to be transposed on the way back": dy + (dy @ W) * (x > 0),
        "where x is exactly 0, the gradient of ReLU is 0: x > 0, not x >= 0": dy + (dy @ W.T) * (x >= 0),
        "ReLU's mask belongs to the path through W only; the skip passes everything": (dy + dy @ W.T) * (x > 0),
    }
    for hint, wrong in hints.items():
        if np.allclose(dx, wrong):
            return hint
    return None if np.allclose(dx, dy + through) else "two paths lead to x: add dy and (dy Wᵀ) ⊙ [x > 0]"


@checker("08.diagnoses")
def diagnoses(answer):
    """{"A": cause, ...} of `broken_trainings`."""
    if not isinstance(answer, dict) or not set(_MISTAKES) <= set(answer):
        return 'give a dictionary with A, B, C and D, such as {"A": "rate too large", ...}'
    if unknown := [answer[k] for k in _MISTAKES if answer[k] not in _MISTAKES.values()]:
        return f"{unknown[0]!r} is none of the four: {', '.join(sorted(_MISTAKES.values()))}"
    hints = {
        "zero weights": "one curve does not move at all: which mistake lets no gradient through?",
        "rate too large": "one curve jumps about, far above log 10 = 2.3, where knowing nothing would leave it",
        "softmax twice": "one pair falls together and hangs above 1.46 (lesson 02)",
        "labels mixed up": "in one pair the two part: the training loss falls, the validation loss climbs above 2.3",
    }
    for letter, mistake in sorted(_MISTAKES.items(), key=lambda item: list(hints).index(item[1])):
        if answer[letter] != mistake:
            return hints[mistake]
    return None
