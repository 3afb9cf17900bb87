"""Checkers of lesson 26."""

from __future__ import annotations

import numpy as np

from dlkit.exercises.helpers import check_number, checker


@checker("26.test_size")
def test_size(answer):
    """1.96^2 * 0.9 * 0.1 / 0.01^2 = 3457.44, rounded up."""
    hints = {
        3457: "3,457 images leave the interval a little too wide: round up",
        3457.44: "a whole number of images: round up",
        865: "± 1 point is one point to each side, not one in all",
        864: "± 1 point is one point to each side, not one in all",
        13830: "± 1 point: half of the interval is 0.01, not 0.005",
        900: "the 1.96 is missing",
        1764: "1.96 is squared too",
        35: "one point is 0.01, and it is squared",
    }
    return check_number(answer, "test_size", 3458, hints, "1.96² · 0.9 · 0.1 / 0.01², rounded up")


@checker("26.smallest_test_set")
def smallest_test_set(student):
    """Against trying every k of every n."""
    cases = [  # without numbers just between two roundings, which programs round in different ways
        (0.9667, 0.9333, 4, 200),
        (0.9667, 0.9722, 4, 400),
        (0.9667, 0.9722, 4, 180),  # the last one that may be tried
        (0.9667, 0.9722, 4, 179),
        (0.5, 0.25, 2, 50),
        (0.617, 0.583, 3, 500),
        (0.61, 0.54, 2, 200),  # 13 images miss 0.54 by little more than half of the last place
        (0.7, 0.4, 1, 10),
        (1.0, 0.0, 1, 10),
    ]
    for first, second, places, largest in cases:
        found, right = student(first, second, places, largest), _smallest((first, second), places, largest)
        if found is not None and isinstance(found, (float, np.floating)) and not float(found).is_integer():
            return "a number of images is whole"
        if found == right:
            continue
        told = f"for {first} and {second} with {places} places, up to {largest} images"
        alone = [_smallest((value,), places, largest) for value in (first, second)]
        if right is None:
            return f"{told}: none gives both, so return None"
        if found is None:
            return f"{told}: there is one; count up to `largest` itself, and look at every n"
        if found in alone:
            return f"{told}: {found} gives only one of the two"
        if _fits(first, places, found) and _fits(second, places, found):
            return f"{told}: {found} gives both, but a smaller number does too"
        return (
            f"{told}: {found} does not. Some k of n must round to what was printed, half of the last place off at most"
        )
    return None


def _smallest(printed, places, largest):
    return next((n for n in range(1, largest + 1) if all(_fits(value, places, n) for value in printed)), None)


def _fits(printed, places, n):
    n = int(n)
    return n > 0 and any(abs(k / n - printed) <= 0.5 * 10.0**-places + 1e-12 for k in range(n + 1))


@checker("26.your_claim")
def your_claim(measured):
    """The student's own check: five seeds, and a verdict that follows from them."""
    if not isinstance(measured, dict) or set(measured) != {"claim", "said", "measured", "verdict"}:
        return 'give {"claim": "…", "said": …, "measured": […], "verdict": "right" or "wrong"}'
    if not isinstance(measured["claim"], str) or len(measured["claim"].split()) < 4:
        return "say the claim in a sentence: what was trained on what, and what came out"
    values = np.asarray(measured["measured"], float)
    if values.ndim != 1 or len(values) < 5:
        return "five seeds at least"
    if np.any((values < 0) | (values > 1)) or not 0 <= measured["said"] <= 1:
        return "accuracies lie between 0 and 1"
    if np.ptp(values) == 0:
        return "all seeds gave the very same number: was the seed really another one?"
    if measured["verdict"] not in ("right", "wrong"):
        return 'the verdict is "right" or "wrong"'
    inside = abs(measured["said"] - values.mean()) <= 2 * values.std()
    if (measured["verdict"] == "right") != inside:
        low, high = values.mean() - 2 * values.std(), values.mean() + 2 * values.std()
        return f"{measured['said']} lies {'inside' if inside else 'outside'} {low:.3f} to {high:.3f}: another verdict"
    return None
