"""Checkers of lesson 06."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from dlkit.exercises.helpers import check_shape, checker, first_match

_LEAK_NAMES = ("duplicate rows", "shared patients", *(f"column {k}" for k in range(5)))


@checker("06.precision_and_recall")
def precision_and_recall(answer):
    """Checks the precision 15/60 and the recall 15/20 of a test that finds 15 of 20 and raises 45 false alarms."""
    answer = np.asarray(answer, dtype=float)
    if hint := check_shape(answer, (2,), "give two numbers, precision first, such as (0.5, 0.9)"):
        return hint
    is_correct = np.isclose(answer, (0.25, 0.75), atol=0.002)
    if is_correct.all():
        return None
    hints = [
        ((0.75, 0.25), "these are recall and precision; give the precision first"),
        ((25, 75), "give fractions between 0 and 1, not percentages"),
        ((15 / 45, 0.75), "precision divides by all alarms, including the 15 correct ones"),
        ((0.25, 15 / 1000), "recall divides by the number of ill people, not by all people"),
    ]
    if is_correct[0]:
        default_hint = "recall: which fraction of the 20 ill people did the test find?"
    else:
        default_hint = "precision: which fraction of all 15 + 45 alarms was correct?"
    return first_match(answer, hints, default_hint, atol=0.002)


def _cost(y, scores, threshold, miss_cost, alarm_cost):
    predicted = scores >= threshold
    return miss_cost * np.sum(y & ~predicted) + alarm_cost * np.sum(~y & predicted)


@checker("06.cheapest_threshold")
def cheapest_threshold(student):
    """Checks the total cost of the returned threshold against the cost of every possible one."""
    rng = np.random.default_rng(6)
    y = rng.random(80) < 0.3
    scores = np.round(rng.normal(size=80) + 1.2 * y, 1)  # with ties
    hopeless = np.append(rng.random(30), 2.0), np.append(rng.random(30) < 0.2, False)
    cases = [(y, scores, 4.3, 1.1), (y[:50], scores[:50], 1.0, 1.7), (hopeless[1], hopeless[0], 1.0, 40.0)]
    cases += [(y, scores, 1.5, 0.2), (y, scores, 0.8, 0.3)]
    for truth, values, *costs in cases:
        found = student(truth.copy(), values.copy(), *costs)
        if hint := check_shape(found, (), "return one number, the threshold"):
            return hint
        found = float(found)
        if np.isnan(found):
            return "the threshold is NaN; return a score, or np.inf if predicting no positives is cheapest"
        thresholds = [*np.unique(values), np.inf]
        expected = min(_cost(truth, values, threshold, *costs) for threshold in thresholds)
        cost = _cost(truth, values, found, *costs)
        if np.isclose(cost, expected):
            continue
        if np.isclose(found, expected):
            return "that is the smallest cost; return the threshold that has it"
        if expected == _cost(truth, values, np.inf, *costs):
            return "when alarms are expensive, predicting no positives is cheapest: try a threshold above all scores"
        if np.isclose(_cost(truth, values, np.nextafter(found, np.inf), *costs), expected):
            return "an example whose score equals the threshold is predicted positive: use >="
        swapped = min(thresholds, key=lambda threshold: _cost(truth, values, threshold, *costs[::-1]))
        equal = min(thresholds, key=lambda threshold: _cost(truth, values, threshold, 1, 1))
        hints = [
            (swapped, "the two costs are swapped: a miss is a positive that is not found"),
            (equal, "that threshold makes the fewest errors; weight the two kinds of error by their costs"),
        ]
        return first_match(
            found,
            hints,
            f"this threshold costs {cost:.1f}, another one {expected:.1f}; count the misses and the alarms",
        )
    return None


def suspicious_split(seed=6):
    """Makes a training and a test split with two leaks, for the third exercise of lesson 06.

    Args:
        seed: Integer, seed of the random numbers. Defaults to 6.

    Returns:
        Tuple (train, test) of dictionaries with the keys "patient", integers of shape (count,); "measurements", floats
        of shape (count, 5); and "ill", booleans of shape (count,).
    """
    rng = np.random.default_rng(seed)
    patient = np.repeat(np.arange(150), 2)  # two visits each
    ill = (rng.random(150) < 0.4)[patient]
    measurements = rng.normal(size=(150, 5))[patient] + 0.2 * rng.normal(size=(300, 5))
    measurements[:, 0] += 0.8 * ill  # a legitimate sign of the illness
    measurements[:, 3] = 5.0 * ill + 0.5 * rng.normal(size=300)  # a leak: something only known after the diagnosis
    order = rng.permutation(300)
    all_rows = {"patient": patient, "measurements": measurements.round(3), "ill": ill}
    return tuple({name: values[rows] for name, values in all_rows.items()} for rows in (order[:200], order[200:]))


@checker("06.find_the_leaks")
def find_the_leaks(answer):
    """Checks the names of the two leaks of `suspicious_split`."""
    if isinstance(answer, str) or not isinstance(answer, Iterable):
        return 'give a set of names, such as {"duplicate rows"}'
    found = {name for name in answer if not isinstance(answer, Mapping) or answer[name]}
    if unknown := sorted(str(name) for name in found - set(_LEAK_NAMES)):
        return f"{unknown[0]} is not one of the names: {', '.join(_LEAK_NAMES)}"
    if "duplicate rows" in found:
        return "no row is in both splits; compare the measurements row by row, for instance as a set of tuples"
    if "column 0" in found:
        return "column 0 is a legitimate feature: ill patients have larger values on average, but the groups overlap"
    if wrong := sorted(found - {"shared patients", "column 3"}):
        return f"{wrong[0]} does not give the answer away; compare its values among the ill and the healthy"
    if "column 3" not in found:
        return "for each column, compare the values of the ill and the healthy; in one column they hardly overlap"
    if "shared patients" not in found:
        return "each patient came twice; is any patient of the test split in the training split as well?"
    return None
