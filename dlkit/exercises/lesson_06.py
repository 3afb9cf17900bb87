"""Checkers of lesson 06."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from sklearn.metrics import f1_score

from dlkit.exercises.helpers import checker

_LEAK_NAMES = ("rows twice", "patients in both", *(f"column {k}" for k in range(5)))


@checker("06.precision_and_recall")
def precision_and_recall(answer):
    """15 of 20 ill found, 45 false alarms: precision 15/60, recall 15/20."""
    answer = np.asarray(answer, dtype=float)
    if answer.shape != (2,):
        return "give two numbers, precision first: (0.5, 0.9)"
    hints = {
        (0.75, 0.25): "the two are exchanged: precision asks about those the test called ill, recall about the ill",
        (25, 75): "as shares, between 0 and 1",
        (15 / 45, 0.75): "precision divides by all alarms, the 15 right ones included",
        (0.25, 15 / 1000): "recall divides by the ill, not by all people",
    }
    for wrong, hint in hints.items():
        if np.allclose(answer, wrong, atol=0.002):
            return hint
    if not np.isclose(answer[0], 0.25, atol=0.002):
        return "precision: of all alarms, 15 + 45, which share was right?"
    return None if np.isclose(answer[1], 0.75, atol=0.002) else "recall: of the 20 ill, which share was found?"


@checker("06.macro_f1")
def macro_f1(student):
    """Mean of the classes' F1 = scikit-learn's with zero_division=0, classes that never occur included."""
    rng = np.random.default_rng(6)
    labels = rng.choice(5, 60, p=[0.5, 0.3, 0.1, 0.05, 0.05])
    said = np.where(rng.random(60) < 0.7, labels, rng.integers(0, 4, 60))
    cases = [(np.array([0, 0, 1]), np.array([0, 0, 0]), 2), (labels, said, 5), (labels, said, 7)]
    for truth, predictions, count in cases:
        found = np.asarray(student(truth.copy(), predictions.copy(), count), dtype=float)
        if found.shape != ():
            return f"return one number, the mean over the classes; this has shape {found.shape}"
        if np.isnan(found):
            return "nan: a class that is never predicted divides 0 by 0; its F1 is 0"
        settings = {"labels": range(count), "zero_division": 0}
        right = f1_score(truth, predictions, average="macro", **settings)
        hints = {
            "that is the micro F1, the accuracy; macro is the mean over the classes": np.mean(truth == predictions),
            "that weighs each class by how often it occurs; in the macro F1 all count the same": f1_score(
                truth, predictions, average="weighted", **settings
            ),
            "classes that do not occur count too, with F1 = 0: divide by num_classes": f1_score(
                truth, predictions, average="macro", zero_division=0
            ),
        }
        if np.isclose(found, right):
            continue
        for hint, wrong in hints.items():
            if np.isclose(found, wrong):
                return hint
        return f"expected {right:.4f} for one case, got {float(found):.4f}: each class's F1 from its TP, FP, FN"
    return None


def suspicious_split(seed=6):
    """A training and a test part with two leaks, for the third exercise of notebook 06.

    Args:
        seed: of the random numbers.

    Returns:
        (train, test), each a dictionary of arrays: "patient" of shape (count,), integers; "measurements" of shape
        (count, 5), floats; "ill" of shape (count,), booleans.
    """
    rng = np.random.default_rng(seed)
    patient = np.repeat(np.arange(150), 2)  # two visits each
    ill = (rng.random(150) < 0.4)[patient]
    measurements = rng.normal(size=(150, 5))[patient] + 0.2 * rng.normal(size=(300, 5))
    measurements[:, 0] += 0.8 * ill  # an honest sign of the illness
    measurements[:, 3] = 5.0 * ill + 0.5 * rng.normal(size=300)  # something only measured, or given, once it is known
    order = rng.permutation(300)
    whole = {"patient": patient, "measurements": measurements.round(3), "ill": ill}
    return tuple({name: values[rows] for name, values in whole.items()} for rows in (order[:200], order[200:]))


@checker("06.find_the_leaks")
def find_the_leaks(answer):
    """The names of the two leaks of `suspicious_split`."""
    if isinstance(answer, str) or not isinstance(answer, Iterable):
        return 'give a set of names, such as {"rows twice"}'
    found = {name for name in answer if not isinstance(answer, Mapping) or answer[name]}
    if unknown := sorted(str(name) for name in found - set(_LEAK_NAMES)):
        return f"{unknown[0]} is none of the names: {', '.join(_LEAK_NAMES)}"
    if "rows twice" in found:
        return "no row stands in both parts: compare the measurements row by row, for instance as a set of tuples"
    if "column 0" in found:
        return "column 0 is an honest sign: the ill have larger values on average, but the two groups overlap widely"
    if wrong := sorted(found - {"patients in both", "column 3"}):
        return f"{wrong[0]} does not give the answer away: compare its values among the ill and the healthy"
    if "column 3" not in found:
        return "for each column, compare the values of the ill and the healthy: in one of them they hardly overlap"
    if "patients in both" not in found:
        return "each patient came twice: is any of the test part's patients in the training part as well?"
    return None
