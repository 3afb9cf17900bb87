"""The cells of the exercises in the notebooks: stubs in the lessons, answers in the solutions."""

from __future__ import annotations

import ast

import numpy as np

from tools.notebooks import LESSONS, SOLUTIONS, code_cells, read


def exercise_cells(path):
    """Finds the code cells of a notebook that are tagged `exercise` and end in `check(...)`.

    Args:
        path: Path of a lesson or of its solutions.

    Returns:
        Dictionary {exercise: cell}, such as {"03.tanh_layer_gradient": cell}.
    """
    cells = [cell for cell in code_cells(read(path)) if "exercise" in cell.metadata.get("tags", [])]
    return {ast.parse(cell.source).body[-1].value.args[0].value: cell for cell in cells}


def stubs():
    """Dictionary {exercise: source of its cell} of all lessons."""
    return {name: cell.source for path in LESSONS for name, cell in exercise_cells(path).items()}


def solved():
    """Dictionary {exercise: source of its cell} of all solutions."""
    return {name: cell.source for path in SOLUTIONS for name, cell in exercise_cells(path).items()}


def answer_of(source):
    """Runs the cell of an exercise alone, without calling `check`, and returns the answer that `check` would get."""
    *body, check = ast.parse(source).body
    scope = {"np": np}
    exec(compile(ast.Module(body, []), "exercise", "exec"), scope)
    return eval(compile(ast.Expression(check.value.args[1]), "exercise", "eval"), scope)


def runs_alone(source):
    """Whether the cell of a solution trains nothing, so that `answer_of` can run it within a moment."""
    return "fit(" not in source and "train_and" not in source


def solutions_that_train():
    """Finds the solution notebooks in which at least one exercise trains, so that it needs the complete notebook.

    Returns:
        Sorted list of paths. All exercises of the other notebooks are checked by the tests in tests/lessons.
    """
    return [path for path in SOLUTIONS if not all(runs_alone(cell.source) for cell in exercise_cells(path).values())]
