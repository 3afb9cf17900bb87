"""Exercises that answer at once: `check("03.tanh_layer_gradient", my_function)`.

The checkers of lesson 03 are in `dlkit/exercises/lesson_03.py`, found by that name. Each tries the student's work on
cases that do not depend on a seed and returns a hint that fits the mistake, or None when everything is right.
"""

from __future__ import annotations

import dis
import importlib
import pkgutil
import traceback
import types

from dlkit.boxes import Box
from dlkit.exercises.helpers import CHECKERS

__all__ = ["check", "names", "verdict"]


def check(name, answer):
    """Shows whether an exercise is solved: `✓`, `✗` with a hint, or `not attempted yet`.

    It never raises, whatever the answer does, unless you interrupt it.

    Args:
        name: String, the exercise, such as "00.accuracy".
        answer: Function or value that the exercise asks for.
    """
    text = verdict(name, answer)
    kind = {"✓": "good", "✗": "bad"}.get(text[0], "open")
    Box(kind, f"{name}:", text, plain=f"{name}: {text}").show()


def verdict(name, answer):
    """The text that `check` shows after the exercise's name.

    Args:
        name: String, the exercise, such as "00.accuracy".
        answer: Function or value that the exercise asks for.

    Returns:
        String that begins with "✓", "✗" or "not attempted yet".
    """
    checker = _find_checker(name)
    if checker is None:
        return f"✗ there is no exercise of this name. Known: {', '.join(names())}"
    if _is_stub(answer):
        return "not attempted yet"
    try:
        hint = checker(answer)
    except NotImplementedError:
        return "not attempted yet"
    except (Exception, SystemExit) as error:  # whatever the student's code raises is an answer, not a failure
        return f"✗ {_describe(error, answer)}"
    return "✓ right" if hint is None else f"✗ {hint}"


def names():
    """The names of all exercises, sorted; imports the checkers of all lessons."""
    for module in pkgutil.iter_modules(__path__):
        if module.name.startswith("lesson_"):
            importlib.import_module(f"{__name__}.{module.name}")
    return sorted(CHECKERS)


def _find_checker(name):
    """The checker of an exercise, imported with the others of its lesson; None where there is none of this name."""
    lesson = f"lesson_{name[:2]}"
    if name not in CHECKERS and lesson in [module.name for module in pkgutil.iter_modules(__path__)]:
        importlib.import_module(f"{__name__}.{lesson}")
    return CHECKERS.get(name)


def _is_stub(answer):
    """True for None, `...`, or a function whose body is only a docstring and `...` or `pass`."""
    if answer is None or answer is ...:
        return True
    if not isinstance(answer, types.FunctionType):
        return False
    empty = {"RESUME", "NOP", "LOAD_CONST", "RETURN_CONST", "RETURN_VALUE"}  # returns None, whatever the Python
    return all(step.opname in empty and step.argval in (0, None) for step in dis.get_instructions(answer))


def _describe(error, answer):
    """What the student should know about an exception that the answer, or the check of its result, raised."""
    if not callable(answer):
        return f"this answer could not be used: {type(error).__name__}: {error}"
    if isinstance(error, SystemExit):
        return "your function ends Python with exit(); end the function with `return` instead"
    file = getattr(getattr(answer, "__code__", None), "co_filename", None)
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    if frames:  # the student's own line, not the one in NumPy or Keras that it called
        return f"your function raised {type(error).__name__}: {error} (line {frames[-1].lineno} of {frames[-1].name})"
    return f"calling your function, or using what it returned, raised {type(error).__name__}: {error}"
