"""Checkers of lesson 25."""

from __future__ import annotations

import functools
import time

import numpy as np

from dlkit.exercises.helpers import check_keys, check_number, check_shape, checker, first_match

_MILLISECONDS = {"read": 3, "augment": 12, "forward": 4, "backward": 6}


def mystery_step():
    """The stages of a training step. Students of exercise 25.3: please stop reading here.

    Returns:
        Dictionary {"read": f, "augment": f, "forward": f, "backward": f} of functions without arguments, each of which
        takes the time of its stage.
    """
    return {name: functools.partial(time.sleep, value / 1000) for name, value in _MILLISECONDS.items()}


@checker("25.amdahl")
def amdahl(answer):
    """Checks a speedup, 1 / (0.2 + 0.8 / 4)."""
    hints = {
        4: "only 80% of the step runs on the devices",
        3.2: "speedups do not add up: compute the new time first, 0.2 + 0.8 / 4",
        0.4: "that is the new time as a fraction of the old one; how many times as fast is the step?",
        1 / (0.8 + 0.2 / 4): "the input stays as it is, and the other 80% become four times as fast",
        5: "that would be infinitely many devices; here there are 4",
    }
    default = "compute 1 / (fraction that stays + fraction that is divided / 4)"
    return check_number(answer, "speedup", 2.5, hints, default)


@checker("25.combine")
def combine(student):
    """Checks a weighted mean, with equal and with unequal counts."""
    rng = np.random.default_rng(0)
    gradients = [rng.normal(size=(3, 2)) for _ in range(3)]
    for counts in ([40, 15, 5], [20, 20, 20], [7, 0, 1]):
        found = student([g.copy() for g in gradients], counts)
        if hint := check_shape(found, (3, 2), "return an array like each gradient, of shape (3, 2) here"):
            return hint
        expected = np.average(gradients, axis=0, weights=counts)
        hints = [
            (np.mean(gradients, axis=0), "a replica with more images counts more"),
            (np.sum(gradients, axis=0), "the sum is too large: compute a mean over all images"),
            (expected * sum(counts), "divide by the number of all images"),
            (expected * sum(counts) / 3, "divide by the number of images, not of replicas"),
        ]
        if not np.allclose(found, expected):
            default = "weight each gradient with its count, and divide by the number of all images"
            return first_match(found, hints, default)
    return None


@checker("25.bottleneck")
def bottleneck(measured):
    """Checks the slowest stage, its fraction of the time, and Amdahl's law for it."""
    if hint := check_keys(measured, {"stage": "…", "fraction": "…", "speedup": "…"}):
        return hint
    slowest = max(_MILLISECONDS, key=_MILLISECONDS.get)
    if measured["stage"] not in _MILLISECONDS:
        return f"a stage is one of {', '.join(_MILLISECONDS)}"
    if measured["stage"] != slowest:
        return "another stage takes longer: take the median of several calls of each"
    fraction = _MILLISECONDS[slowest] / sum(_MILLISECONDS.values())
    if not 0 < measured["fraction"] < 1:
        return "the fraction lies between 0 and 1: divide the stage's time by the time of all four stages"
    if abs(measured["fraction"] - fraction) > 0.08:
        return "divide the stage's time by the time of all four stages, each of them a median"
    if abs(measured["speedup"] - 1 / (1 - 0.9 * measured["fraction"])) > 0.05:
        return "use Amdahl's law: 1 / ((1 − fraction) + fraction / 10)"
    return None
