"""Checkers of lesson 06."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from sklearn.metrics import f1_score

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


@checker("06.macro_f1")
def macro_f1(student):
    """Checks the macro F1 against scikit-learn's, including classes that never occur."""
    rng = np.random.default_rng(6)
    labels = rng.choice(5, 60, p=[0.5, 0.3, 0.1, 0.05, 0.05])
    predicted = np.where(rng.random(60) < 0.7, labels, rng.integers(0, 4, 60))
    cases = [(np.array([0, 0, 1]), np.array([0, 0, 0]), 2), (labels, predicted, 5), (labels, predicted, 7)]
    for truth, predictions, count in cases:
        found = student(truth.copy(), predictions.copy(), count)
        if hint := check_shape(found, (), "return one number, the mean over the classes"):
            return hint
        found = float(found)
        if np.isnan(found):
            return "the result is NaN: a class that is never predicted divides 0 by 0; its F1 is 0"
        settings = {"labels": range(count), "zero_division": 0}
        expected = f1_score(truth, predictions, average="macro", **settings)
        if np.isclose(found, expected):
            continue
        weighted = f1_score(truth, predictions, average="weighted", **settings)
        present_only = f1_score(truth, predictions, average="macro", zero_division=0)
        hints = [
            (np.mean(truth == predictions), "that is the micro F1, the accuracy; macro is the mean over the classes"),
            (weighted, "that weights each class by how often it occurs; in the macro F1, all classes count the same"),
            (present_only, "classes that do not occur count too, with F1 = 0: divide by num_classes"),
        ]
        default_hint = f"expected {expected:.4f}, got {found:.4f}; compute each class's F1 from its TP, FP, FN"
        return first_match(found, hints, default_hint)
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
