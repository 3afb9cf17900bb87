"""The exercises as the notebooks hold them: stubs in the lessons, answers in the solutions."""

from __future__ import annotations

import ast

import numpy as np

from tools.notebooks import LESSONS, SOLUTIONS, code_cells, read


def exercise_cells(path):
    """{exercise: its cell} for the code cells of a notebook that are tagged `exercise` and end in `check(...)`."""
    cells = [cell for cell in code_cells(read(path)) if "exercise" in cell.metadata.get("tags", [])]
    return {ast.parse(cell.source).body[-1].value.args[0].value: cell for cell in cells}


def stubs():
    """{exercise: source of its cell} of all lessons."""
    return {name: cell.source for path in LESSONS for name, cell in exercise_cells(path).items()}


def solved():
    """{exercise: source of its cell} of all solutions."""
    return {name: cell.source for path in SOLUTIONS for name, cell in exercise_cells(path).items()}


def answer_of(source):
    """Runs an exercise's cell on its own, all but `check`, and returns what `check` would get."""
    *body, check = ast.parse(source).body
    scope = {"np": np}
    exec(compile(ast.Module(body, []), "exercise", "exec"), scope)
    return eval(compile(ast.Expression(check.value.args[1]), "exercise", "eval"), scope)


def runs_alone(source):
    """True for the cell of a solution that trains nothing, so that `answer_of` can run it in a moment."""
    return "fit(" not in source and "train_and" not in source


def solutions_that_train():
    """The solution notebooks with at least one exercise that only the whole notebook can judge, since it trains.

    Returns:
        A sorted list of paths. All exercises of the other notebooks are judged by tests/test_exercises.py.
    """
    return [path for path in SOLUTIONS if not all(runs_alone(cell.source) for cell in exercise_cells(path).values())]
