"""Checkers of lesson 25."""

from __future__ import annotations

import functools
import time

import numpy as np

from dlkit.exercises.helpers import check_number, checker

_MILLISECONDS = {"read": 3, "augment": 12, "forward": 4, "backward": 6}


def mystery_step():
    """The stages of a training step: students of exercise 25.3 stop reading here, please.

    Returns:
        {"read": f, "augment": f, "forward": f, "backward": f}: functions without arguments that take their time.
    """
    return {name: functools.partial(time.sleep, value / 1000) for name, value in _MILLISECONDS.items()}


@checker("25.amdahl")
def amdahl(answer):
    """1 / (0.2 + 0.8 / 4)."""
    hints = {
        4: "only 80 % of the step run on the devices",
        3.2: "times do not add up like that: compute the new time first, 0.2 + 0.8 / 4",
        0.4: "that is the new time as a share of the old one; how many times as fast is it?",
        1 / (0.8 + 0.2 / 4): "the input stays, the other 80 % become four times as fast",
        5: "that would be infinitely many devices; here there are 4",
    }
    return check_number(answer, "times_as_fast", 2.5, hints, "1 / (share that stays + share that is divided / 4)")


@checker("25.combine")
def combine(student):
    """The weighted mean, with uneven counts, and with one replica."""
    rng = np.random.default_rng(0)
    gradients = [rng.normal(size=(3, 2)) for _ in range(3)]
    for counts in ([40, 15, 5], [20, 20, 20], [7, 0, 1]):
        found = student([g.copy() for g in gradients], counts)
        if found is None:
            return "your function returns nothing; is the `return` missing?"
        if np.shape(found) != (3, 2):
            return f"an array like each gradient, shape (3, 2) here; this has {np.shape(found)}"
        right = np.average(gradients, axis=0, weights=counts)
        hints = [
            (np.mean(gradients, axis=0), "a replica with more images counts more"),
            (np.sum(gradients, axis=0), "the sum is too long: it is a mean over all images"),
            (np.average(gradients, axis=0, weights=counts) * sum(counts), "divide by the number of all images"),
            (np.average(gradients, axis=0, weights=counts) * sum(counts) / 3, "divide by the images, not the replicas"),
        ]
        if not np.allclose(found, right):
            fits = (hint for wrong, hint in hints if np.allclose(found, wrong))
            return next(fits, "weight each gradient with its count, divide by all images")
    return None


@checker("25.bottleneck")
def bottleneck(measured):
    """The slowest stage, its share, and Amdahl's law for it."""
    if not isinstance(measured, dict) or set(measured) != {"stage", "share", "times_as_fast"}:
        return 'give {"stage": …, "share": …, "times_as_fast": …}'
    slowest = max(_MILLISECONDS, key=_MILLISECONDS.get)
    if measured["stage"] not in _MILLISECONDS:
        return f"a stage is one of {', '.join(_MILLISECONDS)}"
    if measured["stage"] != slowest:
        return "another stage takes longer: take the median of several calls of each"
    share = _MILLISECONDS[slowest] / sum(_MILLISECONDS.values())
    if not 0 < measured["share"] < 1:
        return "the share lies between 0 and 1: its time over the time of all four"
    if abs(measured["share"] - share) > 0.08:
        return "the share is its time over the time of all four stages, each a median"
    if abs(measured["times_as_fast"] - 1 / (1 - 0.9 * measured["share"])) > 0.05:
        return "Amdahl: 1 / ((1 − share) + share / 10)"
    return None
