"""Checkers of lesson 20."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from dlkit.exercises.helpers import check_number, check_shape, checker, first_match


@checker("20.masks")
def masks(answer):
    """Checks the number of masks: of 200 pieces 15% are chosen, and 80% of those become [MASK]."""
    hints = {
        30: "that many are chosen; only 80% of them become [MASK]",
        27: "10% of the chosen become a random piece, and another 10% stay as they are: 80% are left",
        160: "80% of the chosen become [MASK], and only 15% are chosen",
        3: "that many become a random piece",
        12: "compute 200 · 0.15 · 0.8",
    }
    default = "first compute how many are chosen, then how many of those become [MASK]"
    return check_number(answer, "expected_masks", 24, hints, default)


@checker("20.masked_loss")
def masked_loss(student):
    """Checks a cross-entropy over the positions that count, wherever they are, then with large logits."""
    rng = np.random.default_rng(0)
    at_front = [[1, 1, 1], [1, 0, 0], [1, 1, 0], [1, 0, 0]]
    anywhere = [[0, 0, 1, 1, 1], [1, 0, 1, 0, 0], [0, 0, 0, 0, 1]]
    for weights in (np.array(at_front, float), np.array(anywhere, float)):
        logits, ids = rng.normal(0, 2, (*weights.shape, 6)), rng.integers(0, 6, weights.shape)
        found = student(logits.copy(), ids.copy(), weights.copy())
        if hint := check_shape(found, (), "the loss is one number"):
            return hint
        if hint := _compare_losses(found, _losses(logits, ids), weights):
            return hint
    logits = 500 * logits + 5000 * rng.normal(size=(*weights.shape, 1))  # some positions far below the others
    expected = (_losses(logits, ids) * weights).sum() / weights.sum()
    with np.errstate(all="ignore"):
        large = student(logits, ids, weights)
    if not np.isclose(large, expected, rtol=1e-4):
        return (
            f"this is correct for small logits, but logits of 1000 give {large:.4g}, not {expected:.4g}: "
            "first subtract each position's largest logit, and compute ln p without computing p"
        )
    return None


def _losses(logits, ids):
    """-ln p of the true piece at each position."""
    log_sums = np.logaddexp.reduce(logits, axis=-1)
    return log_sums - np.take_along_axis(logits, ids[..., None], axis=-1)[..., 0]


def _compare_losses(found, losses, weights):
    expected = (losses * weights).sum() / weights.sum()
    if np.isclose(found, expected, rtol=1e-4):
        return None
    at_front = np.arange(weights.shape[1]) < weights.sum(axis=1, keepdims=True)
    text_means = (losses * weights).sum(axis=1) / weights.sum(axis=1)
    hints = [
        (losses.mean(), "positions that only fill the row are counted: use `mask_weights`"),
        ((losses * weights).mean(), "divide by the number of real positions, not by all positions"),
        ((losses * weights).sum(), "this is the sum; divide it by the number of real positions"),
        (-expected, "the sign is wrong: a loss is -ln p"),
        (expected / np.log(2), "use the natural logarithm, not bits"),
        (text_means.mean(), "take the mean over all real positions, not text by text"),
        (losses[at_front].mean(), "real positions may stand anywhere in a row, not only at its front"),
    ]
    default = "take the softmax of each position, -ln of the true piece, and the mean where `mask_weights` is 1"
    return first_match(found, hints, default, atol=1e-4)


@checker("20.pieces_per_word")
def pieces_per_word(measured):
    """Checks the experiment: larger vocabularies split words into fewer pieces."""
    if not isinstance(measured, dict) or len(measured) < 4:
        return "give at least four sizes, such as {500: 2.1, …}"
    if min(measured) > 500 or max(measured) < 8_000:
        return "go from a size of 500 or fewer to 8,000 or more"
    means = [measured[size] for size in sorted(measured)]
    if not all(np.ndim(mean) == 0 and mean >= 1 for mean in means):
        return "a word has at least one piece: divide the number of pieces by the number of words"
    if means[0] > 10:
        return "that is more pieces than a word has letters: divide by the number of words"
    if any(larger >= smaller for smaller, larger in pairwise(means)):
        return (
            "a larger vocabulary should split words into fewer pieces; "
            "was each one learned from scratch, from the training texts?"
        )
    return None
