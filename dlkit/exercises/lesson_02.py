"""Checkers of lesson 02."""

from __future__ import annotations

import numpy as np

from dlkit.exercises.helpers import check_number, check_shape, checker, first_match


@checker("02.cross_entropy_on_paper")
def cross_entropy_on_paper(answer):
    """Checks the mean of -log 0.5 and -log 0.1."""
    first, second = -np.log(0.5), -np.log(0.1)
    hints = {
        first + second: "that is the sum; take the mean over the two examples",
        (first + second) / 6: "divide by the number of examples, not by the number of examples times classes",
        (first - np.log(0.8))
        / 2: "in the second example, the second class is correct, and its probability is 0.1, not 0.8",
        -(first + second)
        / 2: "the sign is wrong: logarithms of probabilities are negative, and the loss is minus their mean",
        (first + second) / 2 / np.log(2): "that is in bits; here the logarithm is the natural one",
        (first + second) / 2 / np.log(10): "that is the logarithm to base 10; here it is the natural one",
    }
    default_hint = "take minus the natural logarithm of each correct class's probability, 0.5 and 0.1; then the mean"
    return check_number(answer, "mean_loss", (first + second) / 2, hints, default_hint, tolerance=0.001)


@checker("02.sparse_cross_entropy")
def sparse_cross_entropy(student):
    """Checks the mean cross-entropy from logits and class numbers, also for very large logits."""
    rng = np.random.default_rng(2)
    logits, labels = rng.normal(size=(6, 4)) * 2, np.array([0, 3, 1, 1, 2, 0])

    def losses(z):
        z = z - z.max(axis=1, keepdims=True)
        return np.log(np.exp(z).sum(axis=1)) - z[np.arange(6), labels]

    found = student(labels.copy(), logits.copy())
    if np.shape(found) == (6,):
        return "your function returns one number for each example; return their mean"
    if hint := check_shape(found, (), "return one number"):
        return hint
    found = float(found)
    expected = losses(logits).mean()
    if not np.isclose(found, expected):
        hints = [
            (losses(logits).sum(), "that is the sum over the examples; take the mean"),
            (-expected, "the sign is wrong: a loss is minus the logarithm of a probability, and never negative"),
            (expected / 4, "divide by the number of examples, not by the number of examples times classes"),
        ]
        default_hint = (
            "for each row, take the log of the sum of exponentials minus the correct class's logit; then the mean"
        )
        return first_match(found, hints, default_hint)
    huge = (logits * 5_000).astype("float32")
    with np.errstate(all="ignore"):
        far = float(student(labels.copy(), huge.copy()))
    if not np.isclose(far, losses(huge.astype(float)).mean(), rtol=1e-4):
        return f"for logits near 10,000 it gives {far:g}; subtract each row's largest logit before the exponential"
    return None


@checker("02.best_confidence")
def best_confidence(student):
    """Checks the probability that minimizes the smoothed cross-entropy, which is the smoothed label itself."""
    cases = [(0.2, 4), (0.1, 10), (0.3, 10), (0.0, 7), (0.5, 2)]
    returned = [student(*case) for case in cases]
    if hint := check_shape(returned[0], (), "return one number, a probability"):
        return hint
    found = [float(value) for value in returned]
    epsilon, num_classes = np.array(cases).T
    if np.allclose(found, 1 - epsilon + epsilon / num_classes, atol=1e-6):
        return None
    hints = [
        (1 - epsilon, "ε is spread over all K classes, so the correct class also gets ε/K"),
        (1 - epsilon + epsilon / (num_classes - 1), "ε is spread over all K classes, not over the K − 1 wrong ones"),
        (epsilon / num_classes, "that is the smoothed label of a wrong class"),
    ]
    default_hint = f"for ε = 0.2 and K = 4, the lowest loss is at 0.85; your function returns {found[0]:g}"
    return first_match(found, hints, default_hint, atol=1e-6)
