"""Checkers of lesson 02."""

from __future__ import annotations

import numpy as np

from dlkit.exercises.helpers import check_number, checker


@checker("02.cross_entropy_on_paper")
def cross_entropy_on_paper(answer):
    """Mean of -log 0.5 and -log 0.1."""
    first, second = -np.log(0.5), -np.log(0.1)
    hints = {
        first + second: "that is the sum; take the mean over the two examples",
        (first + second) / 6: "divide by the number of examples, not by examples times classes",
        (first - np.log(0.8)) / 2: "in the second example the second class is right, and it got 0.1, not 0.8",
        -(first + second) / 2: "the sign: logarithms of probabilities are negative, and the loss is minus their mean",
        (first + second) / 2 / np.log(2): "that is in bits; here the logarithm is the natural one",
        (first + second) / 2 / np.log(10): "that is the logarithm to base 10; here it is the natural one",
    }
    otherwise = (
        "for each example minus the natural logarithm of what the right class got: of 0.5 and of 0.1; then the mean"
    )
    return check_number(answer, "mean_loss", (first + second) / 2, hints, otherwise, tolerance=0.001)


@checker("02.sparse_cross_entropy")
def sparse_cross_entropy(student):
    """Mean cross-entropy from logits for class numbers, huge logits included."""
    rng = np.random.default_rng(2)
    logits, labels = rng.normal(size=(6, 4)) * 2, np.array([0, 3, 1, 1, 2, 0])

    def each(z):
        z = z - z.max(axis=1, keepdims=True)
        return np.log(np.exp(z).sum(axis=1)) - z[np.arange(6), labels]

    found = np.asarray(student(labels.copy(), logits.copy()), dtype=float)
    if found.shape == (6,):
        return "one number for each example came back; return their mean"
    if found.shape != ():
        return f"return one number; this has shape {found.shape}"
    if not np.isclose(found, each(logits).mean()):
        if np.isclose(found, each(logits).sum()):
            return "that is the sum over the examples; take the mean"
        if np.isclose(found, -each(logits).mean()):
            return "the sign: a loss is minus the logarithm of a probability, and never negative"
        if np.isclose(found, each(logits).mean() / 4):
            return "divide by the number of examples, not of examples times classes"
        return "for each row: log of the sum of exponentials, minus the logit of the right class; then the mean"
    huge = (logits * 5_000).astype("float32")
    with np.errstate(all="ignore"):
        far = float(student(labels.copy(), huge.copy()))
    if not np.isclose(far, each(huge.astype(float)).mean(), rtol=1e-4):
        return f"with logits near 10,000 it gives {far:g}: subtract each row's largest logit before the exponential"
    return None


@checker("02.best_confidence")
def best_confidence(student):
    """The probability of the right class that minimises the smoothed cross-entropy: its own smoothed label."""
    cases = [(0.2, 4), (0.1, 10), (0.3, 10), (0.0, 7), (0.5, 2)]
    found = [float(student(*case)) for case in cases]
    hints = {
        "the right class keeps 1 − ε, and gets its part of what is spread: there are K classes, itself included": [
            1 - epsilon for epsilon, _ in cases
        ],
        "ε is spread over all K classes, the right one included, not over the K − 1 others": [
            1 - epsilon + epsilon / (num_classes - 1) for epsilon, num_classes in cases
        ],
        "that is what a wrong class gets": [epsilon / num_classes for epsilon, num_classes in cases],
    }
    if np.allclose(found, [1 - epsilon + epsilon / num_classes for epsilon, num_classes in cases], atol=1e-6):
        return None
    for hint, wrong in hints.items():
        if np.allclose(found, wrong, atol=1e-6):
            return hint
    return f"for ε = 0.2 and K = 4 the lowest point of the curve is at 0.85; yours says {found[0]:g}"
