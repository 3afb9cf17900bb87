"""What `check` says, whatever the exercise; the checkers themselves are tested in tests/lessons."""

import pytest

from dlkit import exercises
from tests.lessons.exercise_tests import leave_python
from tools.notebooks import LESSONS, ROOT, said
from tools.solutions import exercise_cells, runs_alone, solutions_that_train


def test_each_lesson_has_its_checkers_and_tests_under_its_number():
    tests = {path.stem.removeprefix("test_") for path in (ROOT / "tests" / "lessons").glob("test_*.py")}
    checkers = {path.stem.removeprefix("lesson_") for path in (ROOT / "dlkit" / "exercises").glob("lesson_*.py")}
    assert tests == {path.stem for path in LESSONS}
    assert checkers == {path.stem[:2] for path in LESSONS}


def test_names_are_those_of_all_lessons():
    assert exercises.names() == sorted(name for path in LESSONS for name in exercise_cells(path))


@pytest.mark.parametrize("path", solutions_that_train(), ids=lambda path: path.stem)
def test_verdict_on_a_solution_that_trains_is_compared_by_nbval(path):
    for name, cell in exercise_cells(path).items():
        if not runs_alone(cell.source):
            assert "nbval-check-output" in cell.metadata.tags
            assert said(cell) == f"{name}: ✓ right"


def test_function_that_ends_python_gets_a_hint():
    assert exercises.verdict("00.accuracy", leave_python) == (
        "✗ your function ends Python with exit(); end the function with `return` instead"
    )


@pytest.mark.parametrize("name", ["99.nothing", "00.nothing", ""])
def test_unknown_exercise_is_reported_with_the_known_ones(name, capsys):
    exercises.check(name, 1)
    assert "there is no exercise of this name. Known: 00.accuracy" in capsys.readouterr().out


def raise_not_implemented(labels, probs):
    raise NotImplementedError


def pass_only(labels, probs):
    pass


@pytest.mark.parametrize("stub", [None, ..., raise_not_implemented, pass_only, lambda *a: None])
def test_stubs_are_not_attempted_yet(stub):
    assert exercises.verdict("00.accuracy", stub) == "not attempted yet"
