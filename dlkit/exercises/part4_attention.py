"""Checkers of notebooks 19 and 20: attention, and learning from masked words."""

from __future__ import annotations

import time
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
    """Softmax of each row over the columns up to its own, at two sizes, then with large scores."""
    rng = np.random.default_rng(0)
    for n in (5, 8):
        scores = rng.normal(0, 2, (n, n)) * (rng.random((n, n)) > 0.2)  # some are exactly 0
        found = student(scores.copy())
        if found is None:
            return "your function returns nothing; is the `return` missing?"
        if np.shape(found) != (n, n):
            return f"shares have the shape of the scores, ({n}, {n}) here; these have {np.shape(found)}"
        if hint := _wrong_shares(found, scores):
            return hint
    scores = 1000 * scores + 5000 * rng.normal(size=(n, 1))  # some rows far below the others
    seen = np.where(np.tri(n, dtype=bool), scores, -np.inf)
    right = np.exp(seen - np.logaddexp.reduce(seen, axis=1, keepdims=True))
    with np.errstate(all="ignore"):
        if np.allclose(student(scores.copy()), right):
            return None
    return "right for small scores, wrong for scores of 1000: subtract from each row the largest score that it may see"


def _wrong_shares(found, scores):
    everything, lower = np.ones_like(scores), np.tril(np.ones_like(scores))

    def shares(allowed):
        with np.errstate(all="ignore"):
            exponentials = np.exp(scores) * allowed
            return exponentials / exponentials.sum(axis=1, keepdims=True)

    if np.allclose(found, shares(lower)):
        return None
    columns = np.exp(scores) * lower
    hints = [
        (shares(everything), "every row still looks at the words after it"),
        (shares(everything) * lower, "masked after softmax: the rows no longer sum to 1"),
        (shares(lower.T), "the other triangle: row i looks at columns 0 to i"),
        (shares(np.tril(everything, -1)), "a word may look at itself too"),
        (columns / columns.sum(axis=0), "each row sums to 1, not each column"),
        (shares(np.tril(everything, 1)), "one column too many: row i looks at columns 0 to i"),
        (shares(np.where(scores == 0, 0, lower)), "a score of exactly 0 is a score too"),
    ]
    fits = (hint for value, hint in hints if np.allclose(found, value, equal_nan=True))
    return next(fits, "mask the scores with -inf, then softmax along each row")


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
    shorter = max(length for length in lengths if 4 * length <= lengths[-1])
    power = np.log(measured[lengths[-1]] / measured[shorter]) / np.log(lengths[-1] / shorter)
    if power < 1.2:  # overhead and cores keep it below 2
        return f"between {shorter} and {lengths[-1]} the time grows like n^{power:.1f}: go on to longer rows"
    if power > 3:
        return f"between {shorter} and {lengths[-1]} the time grows like n^{power:.1f}: take the fastest of more runs"
    here = _milliseconds(2048) * (lengths[-1] / 2048) ** 2
    if not here / 50 < measured[lengths[-1]] < 50 * here:
        return f"{lengths[-1]} words took {measured[lengths[-1]]:.2g}, here about {here:.1g} ms: give milliseconds"
    return None


def _milliseconds(length):
    """The fastest of three runs of attention on one head, in this process."""
    from keras import ops

    x = ops.convert_to_tensor(np.random.default_rng(0).normal(size=(length, 16)), "float32")
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        np.asarray(ops.softmax(x @ ops.transpose(x) / 4) @ x)
        seconds.append(time.perf_counter() - start)
    return 1000 * min(seconds)


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
