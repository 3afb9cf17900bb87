"""Checkers of lesson 26."""

from __future__ import annotations

import numpy as np

from dlkit.exercises.helpers import check_accuracies, check_keys, check_number, checker


@checker("26.test_size")
def test_size(answer):
    """Checks a number of images, 1.96^2 * 0.9 * 0.1 / 0.01^2 = 3457.44, rounded up."""
    hints = {
        3457: "3,457 images leave the interval a little too wide: round up",
        3457.44: "the number of images is an integer: round up",
        865: "the interval reaches 0.01 to each side; 0.02 is its full width",
        864: "the interval reaches 0.01 to each side; 0.02 is its full width",
        13830: "the interval reaches 0.01 to each side, not 0.005: ± 1 point is not one point in total",
        900: "the factor 1.96 is missing",
        1764: "1.96 is squared, too",
        35: "one point is 0.01, and it is squared",
    }
    return check_number(answer, "test_size", 3458, hints, "compute 1.96² · 0.9 · 0.1 / 0.01², rounded up")


@checker("26.smallest_test_set")
def smallest_test_set(student):
    """Checks the number against a search over every k and every n."""
    cases = [  # without numbers just between two roundings, which programs round in different ways
        (0.9667, 0.9333, 4, 200),
        (0.9667, 0.9722, 4, 400),
        (0.9667, 0.9722, 4, 180),  # the last one that may be tried
        (0.9667, 0.9722, 4, 179),
        (0.5, 0.25, 2, 50),
        (0.617, 0.583, 3, 500),
        (0.61, 0.54, 2, 200),  # 13 images miss 0.54 by little more than half of the last decimal
        (0.7, 0.4, 1, 10),
        (1.0, 0.0, 1, 10),
    ]
    for first, second, places, largest in cases:
        found, expected = student(first, second, places, largest), _smallest((first, second), places, largest)
        if found is not None and isinstance(found, (float, np.floating)) and not float(found).is_integer():
            return "the number of images is an integer"
        if found == expected:
            continue
        case = f"for {first} and {second} with {places} decimal places and up to {largest} images"
        if expected is None:
            return f"{case}, no number gives both accuracies, so return None"
        if found is None:
            return f"{case}, there is such a number: try every n up to and including `largest`"
        fits = [_fits(value, places, found) for value in (first, second)]
        if all(fits):
            return f"{case}, {found} gives both, but a smaller number does, too"
        if any(fits):
            return f"{case}, {found} gives only one of the two"
        return (
            f"{case}, {found} gives neither. For each accuracy, some k / n must round to it, "
            "at most half of the last decimal away"
        )
    return None


def _smallest(printed, places, largest):
    return next((n for n in range(1, largest + 1) if all(_fits(value, places, n) for value in printed)), None)


def _fits(printed, places, n):
    n = int(n)
    return n > 0 and any(abs(k / n - printed) <= 0.5 * 10.0**-places + 1e-12 for k in range(n + 1))


@checker("26.your_claim")
def your_claim(measured):
    """Checks the experiment: five seeds, and a verdict that follows from them."""
    example = {"claim": '"…"', "stated": "…", "measured": "[…]", "verdict": '"right" or "wrong"'}
    if hint := check_keys(measured, example):
        return hint
    if not isinstance(measured["claim"], str) or len(measured["claim"].split()) < 4:
        return "state the claim in a sentence: what was trained on which data, and with which result"
    values = np.asarray(measured["measured"], float)
    if values.ndim != 1 or len(values) < 5:
        return "measure with at least five seeds"
    if hint := check_accuracies([*values, measured["stated"]]):
        return hint
    if np.ptp(values) == 0:
        return "all seeds gave the very same number: did the seed really change?"
    if measured["verdict"] not in ("right", "wrong"):
        return 'the verdict is "right" or "wrong"'
    inside = abs(measured["stated"] - values.mean()) <= 2 * values.std()
    if (measured["verdict"] == "right") != inside:
        low, high = values.mean() - 2 * values.std(), values.mean() + 2 * values.std()
        position = "inside" if inside else "outside"
        return f"{measured['stated']} lies {position} the interval {low:.3f} to {high:.3f}: change your verdict"
    return None
