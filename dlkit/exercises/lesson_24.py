"""Checkers of lesson 24."""

from __future__ import annotations

import numpy as np

from dlkit.exercises.helpers import check_accuracies, check_keys, check_returned, checker, first_match


@checker("24.scale_and_zero")
def scale_and_zero(answer):
    """Checks the scale 5 / 255 and the zero point round(-128 + 255 / 5)."""
    if np.shape(answer) != (2,):
        return "give two numbers, (scale, zero point)"
    scale, zero_point = answer
    hints = [
        (5 / 256, "256 levels have 255 steps between them"),
        (4 / 255, "the range from −1 to 4 has the width 5"),
        (3 / 255, "the range from −1 to 4 has the width 5"),
        (4 / 127, "that is symmetric quantization; here all 256 levels cover the range from −1 to 4"),
        (255 / 5, "the fraction is upside down: divide the width of the range by the number of steps"),
    ]
    if abs(scale - 5 / 255) > 6e-5:
        default = "the scale is the width of the range, 5, divided by the number of steps between 256 levels"
        return first_match(scale, hints, default, atol=6e-5)
    if zero_point == -77:
        return None
    if zero_point in (51, 77, 127):
        return "the first level, for −1, is −128; 0 lies 51 levels further"
    return "the zero point is the index of the level at 0, an integer, counted upward from −128 for −1"


@checker("24.symmetric")
def symmetric(student):
    """Checks symmetric quantization at two sizes, with a column of zeros."""
    for inputs, factors in ((7, (1, 10, 0.1, 0)), (4, (5, 0))):
        if hint := _compare_integers(student, np.random.default_rng(0).normal(size=(inputs, len(factors))) * factors):
            return hint
    return None


def _compare_integers(student, W):
    """Checks integers and scales of weights whose last column is 0."""
    outputs = W.shape[1]
    before = W.copy()
    found = student(W)
    if hint := check_returned(found):
        return hint
    if (
        not isinstance(found, (tuple, list))
        or len(found) != 2
        or np.shape(found[0]) != W.shape
        or np.shape(found[1]) != (outputs,)
    ):
        return f"return the integers, shape {W.shape}, and the scales, shape ({outputs},)"
    if not np.array_equal(W, before):
        return "the weights themselves have changed: compute new arrays"
    integers, scales = np.asarray(found[0]), np.asarray(found[1])
    if not np.isfinite(scales).all() or scales[-1] != 1:
        return "the scale of the column of zeros is 1"
    columns = W[:, :-1]
    expected = np.append(np.abs(columns).max(axis=0) / 127, 1.0)
    hints = [
        (np.full(outputs - 1, np.abs(W).max() / 127), "each column has its own scale"),
        (np.abs(columns).max(axis=0) / 128, "the largest absolute weight becomes 127, not 128"),
        (columns.max(axis=0) / 127, "use the largest *absolute* weight"),
        (np.ptp(columns, axis=0) / 255, "symmetric means from −max|w| to max|w|, not from the smallest to the largest"),
    ]
    if not np.allclose(scales, expected):
        return first_match(scales[:-1], hints, "the scale of a column is its largest absolute weight divided by 127")
    if integers.dtype != np.int8:
        return f"return integers of dtype int8; this is {integers.dtype}"
    if np.array_equal(integers, np.round(W / expected)):
        return None
    if np.array_equal(integers, np.trunc(W / expected)):
        return "round to the nearest integer; `astype` alone cuts off the decimals"
    return "the scales are correct, but the integers are not: they are w / scale, rounded"


@checker("24.pruning")
def pruning(measured):
    """Checks the experiment: 90% of the weights are zero, and at most 0.01 of accuracy is lost."""
    if hint := check_keys(measured, {"fraction": "…", "before": "accuracy", "after": "accuracy"}):
        return hint
    if not 0 <= measured["fraction"] <= 1:
        return "the fraction of the weights that is zero lies between 0 and 1"
    if hint := check_accuracies((measured["before"], measured["after"])):
        return hint
    if measured["before"] < 0.85:
        return "start with a network that has a test accuracy of at least 0.85"
    if measured["fraction"] < 0.899:
        return (
            f"{measured['fraction']:.1%} of the weights are zero; the goal is 90%. Count them in the kernels at the end"
        )
    if measured["after"] < measured["before"] - 0.01:
        lost = measured["before"] - measured["after"]
        return f"{100 * lost:.1f} points of accuracy are lost, and one is allowed: prune in steps, and train after each"
    return None
