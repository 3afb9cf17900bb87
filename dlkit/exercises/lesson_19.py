"""Checkers of lesson 19."""

from __future__ import annotations

import time

import numpy as np
from keras import ops

from dlkit.exercises.helpers import check_number, check_shape, checker, first_match


@checker("19.three_keys")
def three_keys(answer):
    """Checks attention with the scores 2, 0, 0, divided by sqrt(4), and the values 10, 20, 30."""

    def output(score):
        return (10 * np.exp(score) + 20 + 30) / (np.exp(score) + 2)

    hints = {
        output(2.0): "the scores are divided by √d_k, and d_k = 4",
        output(0.5): "divide by √d_k = 2, not by d_k = 4",
        output(4.0): "the scores are divided by √d_k, not multiplied",
        output(2 / np.sqrt(3)): "d_k is the length of a key, 4, not the number of keys",
        10.0: "that is the value of the best key alone; attention mixes all three values",
        20.0: "that is the plain mean; weight the values with the attention weights",
        3 * output(1.0): "the attention weights sum to 1: divide by the sum of the exponentials",
    }
    default = "compute the scores, divide them by √d_k, take the softmax and mix the values"
    return check_number(answer, "output", output(1.0), hints, default, tolerance=6e-3)


@checker("19.causal_attention")
def causal_attention(student):
    """Checks a softmax of each row over the columns up to its own, at two sizes, then with large scores."""
    rng = np.random.default_rng(0)
    for n in (5, 8):
        scores = rng.normal(0, 2, (n, n)) * (rng.random((n, n)) > 0.2)  # some are exactly 0
        found = student(scores.copy())
        if hint := check_shape(found, (n, n), f"the attention weights have the shape of the scores, ({n}, {n}) here"):
            return hint
        if hint := _compare_weights(found, scores):
            return hint
    scores = 1000 * scores + 5000 * rng.normal(size=(n, 1))  # some rows far below the others
    visible = np.where(np.tri(n, dtype=bool), scores, -np.inf)
    expected = np.exp(visible - np.logaddexp.reduce(visible, axis=1, keepdims=True))
    with np.errstate(all="ignore"):
        if np.allclose(student(scores.copy()), expected):
            return None
    return "this is correct for small scores, but wrong for scores of 1000: subtract each row's largest visible score"


def _compare_weights(found, scores):
    everything, lower = np.ones_like(scores), np.tril(np.ones_like(scores))

    def weights(mask):
        with np.errstate(all="ignore"):
            exponentials = np.exp(scores) * mask
            return exponentials / exponentials.sum(axis=1, keepdims=True)

    if np.allclose(found, weights(lower)):
        return None
    exponentials = np.exp(scores) * lower
    hints = [
        (weights(everything), "every row still attends to the words after it"),
        (weights(everything) * lower, "you masked after the softmax: the rows no longer sum to 1"),
        (weights(lower.T), "this is the other triangle: row i attends to columns 0 to i"),
        (weights(np.tril(everything, -1)), "a word may attend to itself, too"),
        (exponentials / exponentials.sum(axis=0), "each row sums to 1, not each column"),
        (weights(np.tril(everything, 1)), "that is one column too many: row i attends to columns 0 to i"),
        (weights(np.where(scores == 0, 0, lower)), "a score of exactly 0 is a score, too"),
    ]
    hints = [(np.nan_to_num(wrong), hint) for wrong, hint in hints]
    return first_match(np.nan_to_num(found), hints, "mask the scores with -inf, then apply softmax to each row")


@checker("19.quadratic")
def quadratic(measured):
    """Checks the experiment: milliseconds that grow like the square of the length."""
    if not isinstance(measured, dict) or len(measured) < 4:
        return "give at least four lengths, such as {512: 1.2, …}"
    if not all(np.ndim(value) == 0 and np.isfinite(value) and value > 0 for value in measured.values()):
        return "each time is one positive number, in milliseconds"
    lengths = sorted(measured)
    if lengths[-1] < 2_000 or lengths[-1] < 4 * lengths[0]:
        return "go up to a length of 2,000 or more, and to at least four times the shortest length"
    shorter = max(length for length in lengths if 4 * length <= lengths[-1])
    power = np.log(measured[lengths[-1]] / measured[shorter]) / np.log(lengths[-1] / shorter)
    growth = f"between the lengths {shorter} and {lengths[-1]}, the time grows like n^{power:.1f}"
    if power < 1.2:  # overhead and cores keep it below 2
        return f"{growth}: measure longer sequences, too"
    if power > 3:
        return f"{growth}: take the fastest of more runs"
    here = _milliseconds(2048) * (lengths[-1] / 2048) ** 2
    if not here / 50 < measured[lengths[-1]] < 50 * here:
        return (
            f"length {lengths[-1]} took {measured[lengths[-1]]:.2g} by your measurement "
            f"and about {here:.1g} ms here: give milliseconds"
        )
    return None


def _milliseconds(length):
    """The fastest of three runs of attention on one head, in this process."""
    x = ops.convert_to_tensor(np.random.default_rng(0).normal(size=(length, 16)), "float32")
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        np.asarray(ops.softmax(x @ ops.transpose(x) / 4) @ x)
        seconds.append(time.perf_counter() - start)
    return 1000 * min(seconds)
