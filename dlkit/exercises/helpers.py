"""What the checkers of several lessons share. Each check returns a hint, or None when there is nothing to say."""

from __future__ import annotations

import numpy as np

CHECKERS = {}  # {exercise: its checker}, of the lessons imported so far


def checker(name):
    """Registers a function (answer) -> hint or None as the checker of an exercise, such as "03.tanh_layer_gradient"."""

    def register(function):
        CHECKERS[name] = function
        return function

    return register


def check_number(answer, name, expected, hints, default_hint, *, tolerance=1e-6):
    """Checks the answer to an exercise on paper.

    Args:
        answer: Any object, what the student gave.
        name: String, the variable in the exercise's cell.
        expected: Float, the correct number.
        hints: Dictionary {wrong number: the hint that fits it}.
        default_hint: String, the hint for every other wrong number.
        tolerance: Float. Numbers count as equal when they differ by at most this. Defaults to 1e-6.
    """
    if isinstance(answer, bool) or not isinstance(answer, (int, float, np.integer, np.floating)):
        return f"give one number, such as `{name} = 7`; this is {type(answer).__name__}"
    if abs(answer - expected) <= tolerance:
        return None
    return next((hint for wrong, hint in hints.items() if abs(answer - wrong) <= tolerance), default_hint)


def check_returned(result):
    """Checks that the student's function returned something."""
    return "your function returns nothing; is the `return` missing?" if result is None else None


def check_shape(result, shape, description):
    """Checks that the student's function returned an array of the correct shape.

    Args:
        result: Any object, what the function returned.
        shape: Tuple of integers; () for one number.
        description: String that says what to return, such as "the loss is one number, the mean over the rows".
    """
    if hint := check_returned(result):
        return hint
    return None if np.shape(result) == tuple(shape) else f"{description}; this has shape {np.shape(result)}"


def check_keys(measured, example):
    """Checks that measurements are a dictionary with the correct keys.

    Args:
        measured: Any object, what the student gave.
        example: Dictionary whose keys are the correct ones and whose values, strings, say what belongs there.
    """
    if isinstance(measured, dict) and set(measured) == set(example):
        return None
    return "give a dictionary {" + ", ".join(f'"{key}": {value}' for key, value in example.items()) + "}"


def check_accuracies(values):
    """Checks that accuracies are fractions, not percentages."""
    if all(0 <= float(value) <= 1 for value in values):
        return None
    return "accuracies are fractions between 0 and 1, not percentages"


def first_match(found, hints, default_hint, *, atol=1e-8):
    """The hint whose wrong result the student's result equals.

    Args:
        found: Number or array, the student's result.
        hints: List of pairs (wrong result, hint).
        default_hint: String, the hint for every other wrong result.
        atol: Float, absolute tolerance, as for `numpy.allclose`. Defaults to 1e-8.

    Returns:
        String, the hint of the first wrong result that fits, or `default_hint`.
    """
    fits = (
        hint for wrong, hint in hints if np.shape(wrong) == np.shape(found) and np.allclose(found, wrong, atol=atol)
    )
    return next(fits, default_hint)
