"""Checkers of lesson 19."""

from __future__ import annotations

import time

import numpy as np

from dlkit.exercises.helpers import check_number, checker


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
    return check_number(answer, "found", mixture(1.0), hints, "scores, divide, softmax, mix the values", tolerance=6e-3)


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
