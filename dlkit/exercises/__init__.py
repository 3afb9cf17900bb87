"""Exercises that answer at once: `check("03.tanh_layer_gradient", my_function)`.

Each checker tries the student's work on cases that do not depend on a seed and returns a hint that fits the mistake,
or None when all is right. Checkers live in one file for each part of the curriculum.
"""

from __future__ import annotations

import dis
import traceback
import types

import numpy as np

from dlkit.boxes import Box

CHECKERS = {}


def checker(name):
    """Registers a function (answer) -> hint or None under an exercise's name, such as "03.tanh_layer_gradient"."""

    def register(function):
        CHECKERS[name] = function
        return function

    return register


def check(name, answer):
    """Shows whether an exercise is solved: `✓`, `✗` with a hint, or `not attempted yet`.

    Never raises, whatever the answer does, unless you interrupt it.

    Args:
        name: the exercise, such as "00.accuracy".
        answer: the function or value asked for.
    """
    said = verdict(name, answer)
    kind = {"✓": "good", "✗": "bad"}.get(said[0], "open")
    Box(kind, f"{name}:", said, plain=f"{name}: {said}").show()


def verdict(name, answer):
    """The text that `check` prints after the exercise's name."""
    _load_checkers()
    if name not in CHECKERS:
        return f"✗ there is no exercise of this name. Known: {', '.join(sorted(CHECKERS))}"
    if _untouched(answer):
        return "not attempted yet"
    try:
        hint = CHECKERS[name](answer)
    except NotImplementedError:
        return "not attempted yet"
    except (Exception, SystemExit) as error:  # whatever the student's code raises is an answer, not a failure
        return f"✗ {_where(error, answer)}"
    return "✓ right" if hint is None else f"✗ {hint}"


def wrong_number(answer, name, right, hints, otherwise, *, tolerance=1e-6):
    """A hint when the answer to an exercise on paper is not the right number, else None.

    Args:
        answer: what the student gave.
        name: of the variable in the exercise's cell.
        right: the right number.
        hints: {wrong number: the hint that fits it}.
        otherwise: the hint for every other wrong number.
        tolerance: numbers count as equal when they differ by at most this.
    """
    if isinstance(answer, bool) or not isinstance(answer, (int, float, np.integer, np.floating)):
        return f"give one number, such as `{name} = 7`; this is {type(answer).__name__}"
    if abs(answer - right) <= tolerance:
        return None
    return next((hint for wrong, hint in hints.items() if abs(answer - wrong) <= tolerance), otherwise)


def _untouched(answer):
    """True for a stub: None, `...`, or a function whose body is only a docstring and `...`."""
    if answer is None or answer is ...:
        return True
    if not isinstance(answer, types.FunctionType):
        return False
    empty = {"RESUME", "NOP", "LOAD_CONST", "RETURN_CONST", "RETURN_VALUE"}  # returns None, whatever the Python
    return all(step.opname in empty and step.argval in (0, None) for step in dis.get_instructions(answer))


def _where(error, answer):
    if not callable(answer):
        return f"this answer could not be used: {type(error).__name__}: {error}"
    if isinstance(error, SystemExit):
        return "your function ends Python with exit(); end the function with `return` instead"
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"your function raised {type(error).__name__}: {error} (line {last.lineno} of {last.name})"


def _load_checkers():
    from dlkit.exercises import (  # noqa: F401  registers them
        part0,
        part1,
        part1_depth,
        part1_judging,
        part1_regularization,
        part1_training,
        part2,
        part2_networks,
        part3,
        part3_saving,
        part3_sharing,
        part4,
        part4_attention,
        part4_texts,
        part5,
        part5_claims,
        part5_explaining,
        part5_exporting,
        part5_generating,
        part5_scaling,
    )
