"""Checkers of lesson 24."""

from __future__ import annotations

import numpy as np

from dlkit.exercises.helpers import checker


@checker("24.scale_and_zero")
def scale_and_zero(answer):
    """5 / 255 and round(-128 + 255 / 5)."""
    if np.shape(answer) != (2,):
        return "give two numbers, (scale, zero point)"
    scale, zero = answer
    hints = {
        5 / 256: "256 marks have 255 distances between them",
        4 / 255: "the range reaches from −1 to 4: 5",
        3 / 255: "the range reaches from −1 to 4: 5",
        4 / 127: "that is the symmetric way; here all 256 marks cover −1 to 4",
        255 / 5: "upside down: range over number of distances",
    }
    if abs(scale - 5 / 255) > 6e-5:
        fits = (hint for wrong, hint in hints.items() if abs(scale - wrong) < 6e-5)
        return next(fits, "scale: the range, 5, over the number of distances between 256 marks")
    if zero == -77:
        return None
    if zero in (51, 77, 127):
        return "the first mark, for −1, is −128; 0 lies 51 marks further"
    return "zero point: the index of the mark at 0, from −128 for −1 upward, a whole number"


@checker("24.symmetric")
def symmetric(student):
    """Against the formula, at two sizes, with a column of zeros."""
    for inputs, factors in ((7, (1, 10, 0.1, 0)), (4, (5, 0))):
        if hint := _wrong_integers(student, np.random.default_rng(0).normal(size=(inputs, len(factors))) * factors):
            return hint
    return None


def _wrong_integers(student, W):
    """For weights whose last column is 0."""
    outputs = W.shape[1]
    before = W.copy()
    found = student(W)
    if found is None:
        return "your function returns nothing; is the `return` missing?"
    if len(found) != 2 or np.shape(found[0]) != W.shape or np.shape(found[1]) != (outputs,):
        return f"return the integers, shape {W.shape}, and the scales, shape ({outputs},)"
    if not np.array_equal(W, before):
        return "the weights themselves have changed: work on a copy"
    integers, scales = np.asarray(found[0]), np.asarray(found[1])
    if not np.isfinite(scales).all() or scales[-1] != 1:
        return "the column of zeros: its scale is 1"
    right = np.append(np.abs(W[:, :-1]).max(axis=0) / 127, 1.0)
    hints = [
        (np.full(outputs, np.abs(W).max() / 127), "each column has its own scale"),
        (np.append(np.abs(W[:, :-1]).max(axis=0) / 128, 1), "the largest becomes 127, not 128"),
        (np.append(W[:, :-1].max(axis=0) / 127, 1), "the largest *absolute* weight"),
        (
            np.append(np.ptp(W[:, :-1], axis=0) / 255, 1),
            "symmetric: from −max|w| to max|w|, not least to greatest",
        ),
    ]
    if not np.allclose(scales, right):
        fits = (hint for wrong, hint in hints if np.allclose(scales[:-1], wrong[:-1]))
        return next(fits, "scale of a column: its largest absolute weight over 127")
    if integers.dtype != np.int8:
        return f"8-bit integers: dtype int8; this is {integers.dtype}"
    if np.array_equal(integers, np.round(W / right)):
        return None
    cut = np.array_equal(integers, np.trunc(W / right))
    return "round to the nearest; `astype` alone cuts off" if cut else "integers: w / scale, rounded"


@checker("24.the_cliff")
def the_cliff(measured):
    """The student's experiment: nine weights in ten are zero, and a point lost at most."""
    if not isinstance(measured, dict) or set(measured) != {"share", "before", "after"}:
        return 'give {"share": …, "before": accuracy, "after": accuracy}'
    if not all(0 <= value <= 1 for value in measured.values()):
        return "shares and accuracies lie between 0 and 1"
    if measured["before"] < 0.85:
        return "begin with a network that reads at least 0.85 of the test digits"
    if measured["share"] < 0.899:
        return f"{measured['share']:.1%} of the weights are zero; the aim is 90 %. Count them in the kernels at the end"
    if measured["after"] < measured["before"] - 0.01:
        lost = measured["before"] - measured["after"]
        return f"{100 * lost:.1f} points are lost, one is allowed: prune in steps, and train on after each"
    return None
