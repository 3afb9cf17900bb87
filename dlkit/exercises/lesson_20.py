"""Checkers of lesson 20."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from dlkit.exercises.helpers import check_number, checker


@checker("20.masks")
def masks(answer):
    """200 pieces, 15 % chosen, 80 % of those become [MASK]."""
    hints = {
        30: "that many are chosen; only 80 % of them become [MASK]",
        27: "10 % of the chosen become a random piece, and another 10 % stay: 80 % are left",
        160: "80 % of the chosen, and only 15 % are chosen",
        3: "that many become a random piece",
        12: "200 · 0.15 · 0.8",
    }
    return check_number(answer, "expected_masks", 24, hints, "first how many are chosen, then how many of those")


@checker("20.masked_loss")
def masked_loss(student):
    """Cross-entropy from logits, mean over the places that count, wherever they are; then with large logits."""
    rng = np.random.default_rng(0)
    for real in ([[1, 1, 1], [1, 0, 0], [1, 1, 0], [1, 0, 0]], [[0, 0, 1, 1, 1], [1, 0, 1, 0, 0], [0, 0, 0, 0, 1]]):
        real = np.array(real, float)
        logits, truth = rng.normal(0, 2, (*real.shape, 6)), rng.integers(0, 6, real.shape)
        found = student(logits.copy(), truth.copy(), real.copy())
        if found is None:
            return "your function returns nothing; is the `return` missing?"
        if np.ndim(found) != 0:
            return f"the loss is one number; this has shape {np.shape(found)}"
        if hint := _wrong_loss(found, _loss_of_places(logits, truth), real):
            return hint
    logits = 500 * logits + 5000 * rng.normal(size=(*real.shape, 1))  # some places far below the others
    right = (_loss_of_places(logits, truth) * real).sum() / real.sum()
    with np.errstate(all="ignore"):
        large = student(logits, truth, real)
    if not np.isclose(large, right, rtol=1e-4):
        return (
            f"right for small logits, but logits of 1000 give {large:.4g}, not {right:.4g}: "
            "first subtract each place's largest, and compute ln p without p"
        )
    return None


def _loss_of_places(logits, truth):
    log_sums = np.logaddexp.reduce(logits, axis=-1)
    return log_sums - np.take_along_axis(logits, truth[..., None], axis=-1)[..., 0]


def _wrong_loss(found, of_truth, real):
    right = (of_truth * real).sum() / real.sum()
    if np.isclose(found, right, rtol=1e-4):
        return None
    in_front = np.arange(real.shape[1]) < real.sum(axis=1, keepdims=True)
    hints = [
        (of_truth.mean(), "places that only fill the row are counted: use `real`"),
        ((of_truth * real).mean(), "divide by the number of real places, not by all places"),
        ((of_truth * real).sum(), "that is the sum; divide by the number of real places"),
        (-right, "the sign: a loss is -ln p"),
        (right / np.log(2), "the natural logarithm, not bits"),
        (np.mean((of_truth * real).sum(axis=1) / real.sum(axis=1)), "the mean over all real places, not text by text"),
        (of_truth[in_front].mean(), "real places may stand anywhere in a row, not only in front"),
    ]
    fits = (hint for value, hint in hints if np.isclose(found, value, rtol=1e-4))
    return next(fits, "softmax over the last axis, -ln of the true piece's share, mean where real is 1")


@checker("20.pieces_per_word")
def pieces_per_word(measured):
    """The student's experiment: larger vocabularies cut words into fewer pieces."""
    if not isinstance(measured, dict) or len(measured) < 4:
        return "give at least four sizes, such as {500: 2.1, …}"
    if min(measured) > 500 or max(measured) < 8_000:
        return "go from 500 or fewer to 8,000 or more"
    means = [measured[size] for size in sorted(measured)]
    if not all(np.ndim(mean) == 0 and mean >= 1 for mean in means):
        return "a word has one piece at least: divide the number of pieces by the number of words"
    if means[0] > 10:
        return "that is more than a word has letters: divide by the number of words"
    if any(larger >= smaller for smaller, larger in pairwise(means)):
        return "a larger vocabulary should cut words into fewer pieces; was each learnt anew, from the training texts?"
    return None
