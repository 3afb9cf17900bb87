"""Checkers of lesson 15."""

from __future__ import annotations

import numpy as np

from dlkit.exercises.helpers import check_shape, check_two_curves, checker, first_match


@checker("15.temperature")
def temperature(answer):
    """Checks softmax([4, 2, 0] / 2)."""
    answer = np.asarray(answer, float).ravel()
    if hint := check_shape(answer, (3,), "give three probabilities, in the order of the logits"):
        return hint

    def softmax(logits):
        return np.exp(logits) / np.exp(logits).sum()

    logits = np.array([4.0, 2.0, 0.0])
    if np.allclose(answer, softmax(logits / 2), atol=0.006):
        return None
    hints = [
        (softmax(logits), "that is the softmax at temperature 1; divide the logits by 2 first"),
        (softmax(2 * logits), "the logits are divided by the temperature, not multiplied"),
        (softmax(logits) / 2, "divide the logits, not the probabilities"),
    ]
    total = answer.sum()
    default_hint = "compute exp(2), exp(1) and 1, and divide them by their sum"
    if abs(total - 1) > 0.02:
        default_hint = f"probabilities sum to 1, but these sum to {total:.3f}"
    return first_match(answer, hints, default_hint, atol=0.006)


@checker("15.distillation_loss")
def distillation_loss(student):
    """Checks T² times the mean Kullback-Leibler divergence from the teacher's soft labels to the student's."""
    rng = np.random.default_rng(0)
    ours, theirs = rng.normal(0, 3, (2, 6, 4))
    found = student(ours, theirs, 3.0)
    if hint := check_shape(found, (), "the loss is one number, the mean over the rows"):
        return hint

    def log_softmax(z):
        return z - z.max(axis=1, keepdims=True) - np.log(np.exp(z - z.max(axis=1, keepdims=True)).sum(1, keepdims=True))

    def divergences(p, q):  # of each row; p and q are the logits of the two distributions
        return np.sum(np.exp(log_softmax(p)) * (log_softmax(p) - log_softmax(q)), axis=1)

    soft = divergences(theirs / 3, ours / 3)
    crossed = -np.sum(np.exp(log_softmax(theirs / 3)) * log_softmax(ours / 3), axis=1)
    hints = [
        (soft.mean(), "the factor T² is missing: without it the gradient shrinks as T grows"),
        (3 * soft.mean(), "the factor is T², not T"),
        (9 * soft.sum(), "take the mean over the rows, not the sum"),
        (9 * soft.mean() / 4, "sum over the classes; the mean is over the rows only"),
        (9 * divergences(ours / 3, theirs / 3).mean(), "teacher and student are exchanged: p is the teacher's"),
        (9 * crossed.mean(), "that is the cross-entropy; subtract the teacher's own entropy"),
        (9 * divergences(theirs, ours).mean(), "divide both logits by the temperature"),
        (9 * divergences(theirs * 3, ours * 3).mean(), "the logits are divided by the temperature, not multiplied"),
    ]
    default_hint = "compute T² · mean of Σ p log(p/q), where p and q are softmax(logits / T) of teacher and student"
    if not np.isclose(found, 9 * soft.mean(), rtol=1e-4):
        return next((hint for value, hint in hints if np.isclose(found, value, rtol=1e-4)), default_hint)
    ours, theirs = 300 * ours + [[0], [0], [0], [-4000], [0], [4000]], 300 * theirs  # some rows are much lower
    with np.errstate(all="ignore"):
        large = student(ours, theirs, 2.0)
    if not np.isclose(large, 4 * divergences(theirs / 2, ours / 2).mean(), rtol=1e-4):
        return (
            f"this is correct for small logits, but logits of 1000 give {large:.4g}: "
            "first subtract each row's largest logit, and compute log p without computing p"
        )
    return None


@checker("15.second_task")
def second_task(measured):
    """Checks the experiment: at some number of images per class, the second task helps by more than chance."""
    if hint := check_two_curves(measured, ("alone", "both"), "images_per_class"):
        return hint
    if len(measured) < 3:
        return "measure at least three numbers of images"
    gains = {n: np.mean(entry["both"]) - np.mean(entry["alone"]) for n, entry in measured.items()}
    best = max(gains, key=gains.get)
    runs = measured[best]
    noise = sum(np.std(values) / np.sqrt(len(values)) for values in runs.values())
    if gains[best] <= noise:
        return (
            f"the largest gain, {gains[best]:+.3f} at {best}, may be chance: the means are known to ±{noise:.3f} only"
        )
    return None
