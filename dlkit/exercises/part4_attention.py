"""Checkers of notebooks 19 and 20: attention, and learning from masked words."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from dlkit.exercises import checker, wrong_number


@checker("19.three_keys")
def three_keys(answer):
    """Scores 2, 0, 0 divided by sqrt(4); values 10, 20, 30."""

    def mixture(score):
        return (10 * np.exp(score) + 20 + 30) / (np.exp(score) + 2)

    hints = {
        mixture(2.0): "the scores are divided by √d_k, and d_k = 4",
        mixture(0.5): "divide by √d_k = 2, not by d_k = 4",
        mixture(4.0): "divided, not multiplied, by √d_k",
        mixture(2 / np.sqrt(3)): "d_k is the length of a key, 4, not the number of keys",
        10.0: "that is the value of the best key alone; attention mixes all three",
        20.0: "that is the plain mean; weigh the values with the shares",
        3 * mixture(1.0): "the shares sum to 1: divide by the sum of the exponentials",
    }
    return wrong_number(answer, "found", mixture(1.0), hints, "scores, divide, softmax, mix the values", tolerance=6e-3)


@checker("19.causal_shares")
def causal_shares(student):
    """Softmax of each row over the columns up to its own."""
    scores = np.random.default_rng(0).normal(0, 2, (5, 5))
    found = student(scores.copy())
    if found is None:
        return "your function returns nothing; is the `return` missing?"
    if np.shape(found) != (5, 5):
        return f"shares have the shape of the scores, (5, 5) here; these have {np.shape(found)}"

    def shares(allowed):
        with np.errstate(all="ignore"):
            exponentials = np.exp(scores) * allowed
            return exponentials / exponentials.sum(axis=1, keepdims=True)

    everything, lower = np.ones((5, 5)), np.tril(np.ones((5, 5)))
    columns = np.exp(scores) * lower
    hints = [
        (shares(everything), "every row still looks at the words after it"),
        (shares(everything) * lower, "masked after softmax: the rows no longer sum to 1"),
        (shares(lower.T), "the other triangle: row i looks at columns 0 to i"),
        (shares(np.tril(everything, -1)), "a word may look at itself too"),
        (columns / columns.sum(axis=0), "each row sums to 1, not each column"),
        (shares(np.tril(everything, 1)), "one column too many: row i looks at columns 0 to i"),
    ]
    if not np.allclose(found, shares(lower)):
        fits = (hint for value, hint in hints if np.allclose(found, value, equal_nan=True))
        return next(fits, "mask the scores with -inf, then softmax along each row")
    with np.errstate(all="ignore"):
        large = student(1000 * scores)
    return None if np.all(np.isfinite(large)) else "right, but large scores overflow: subtract each row's largest first"


@checker("19.quadratic")
def quadratic(measured):
    """The student's experiment: milliseconds that grow like the square of the length."""
    if not isinstance(measured, dict) or len(measured) < 4:
        return "give at least four lengths, such as {512: 1.2, …}"
    if not all(np.ndim(value) == 0 and np.isfinite(value) and value > 0 for value in measured.values()):
        return "each time is one positive number, in milliseconds"
    lengths = sorted(measured)
    if lengths[-1] < 2_000 or lengths[-1] < 4 * lengths[0]:
        return "go up to 2,000 or more, and to four times the shortest at least"
    if measured[lengths[-1]] < 0.01:
        return "less than a hundredth of a millisecond for thousands of words? Give milliseconds, not seconds"
    shorter = max(length for length in lengths if 4 * length <= lengths[-1])
    power = np.log(measured[lengths[-1]] / measured[shorter]) / np.log(lengths[-1] / shorter)
    if power < 1.2:  # overhead and cores keep it below 2
        return f"between {shorter} and {lengths[-1]} the time grows like n^{power:.1f}: go on to longer rows"
    if power > 3:
        return f"between {shorter} and {lengths[-1]} the time grows like n^{power:.1f}: take the fastest of more runs"
    return None


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
    return wrong_number(answer, "expected_masks", 24, hints, "first how many are chosen, then how many of those")


@checker("20.masked_loss")
def masked_loss(student):
    """Cross-entropy from logits, mean over the places that count."""
    rng = np.random.default_rng(0)
    logits, truth = rng.normal(0, 2, (4, 3, 6)), rng.integers(0, 6, (4, 3))
    real = np.array([[1, 1, 1], [1, 0, 0], [1, 1, 0], [1, 0, 0]], float)
    found = student(logits.copy(), truth.copy(), real.copy())
    if found is None:
        return "your function returns nothing; is the `return` missing?"
    if np.ndim(found) != 0:
        return f"the loss is one number; this has shape {np.shape(found)}"
    log_probs = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    of_truth = -np.take_along_axis(log_probs, truth[..., None], axis=-1)[..., 0]
    hints = [
        (of_truth.mean(), "places that only fill the row are counted: use `real`"),
        ((of_truth * real).mean(), "divide by the number of real places, not by all places"),
        ((of_truth * real).sum(), "that is the sum; divide by the number of real places"),
        (-(of_truth * real).sum() / real.sum(), "the sign: a loss is -ln p"),
        ((of_truth * real).sum() / real.sum() / np.log(2), "the natural logarithm, not bits"),
        (np.mean((of_truth * real).sum(axis=1) / real.sum(axis=1)), "the mean over all real places, not text by text"),
    ]
    if not np.isclose(found, (of_truth * real).sum() / real.sum(), rtol=1e-4):
        fits = (hint for value, hint in hints if np.isclose(found, value, rtol=1e-4))
        return next(fits, "softmax over the last axis, -ln of the true piece's share, mean where real is 1")
    with np.errstate(all="ignore"):
        large = student(np.where(np.arange(6) == 0, 1000.0, 0.0)[None, None], np.array([[1]]), np.ones((1, 1)))
    return None if np.isfinite(large) else "right, but logits of 1000 overflow: subtract each place's largest first"


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
