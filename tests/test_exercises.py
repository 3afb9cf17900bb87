"""`check`, independent of the exercise. The checkers of the exercises are tested in tests/lessons."""

import pytest

from dlkit import exercises
from tests.lessons.exercise_tests import leave_python
from tools.notebooks import LESSONS, ROOT, output_text
from tools.solutions import exercise_cells, runs_alone, solutions_that_train


def test_each_lesson_has_checkers_and_tests():
    tests = {path.stem.removeprefix("test_") for path in (ROOT / "tests" / "lessons").glob("test_*.py")}
    checkers = {path.stem.removeprefix("lesson_") for path in (ROOT / "dlkit" / "exercises").glob("lesson_*.py")}
    assert tests == {path.stem for path in LESSONS}
    assert checkers == {path.stem[:2] for path in LESSONS}


def test_names_lists_the_exercises_of_all_lessons():
    assert exercises.names() == sorted(name for path in LESSONS for name in exercise_cells(path))


@pytest.mark.parametrize("path", solutions_that_train(), ids=lambda path: path.stem)
def test_verdict_on_training_solutions_is_compared_by_nbval(path):
    for name, cell in exercise_cells(path).items():
        if not runs_alone(cell.source):
            assert "nbval-check-output" in cell.metadata.tags
            assert output_text(cell) == f"{name}: ✓ right"


def test_verdict_on_a_function_that_exits_python():
    assert exercises.verdict("00.accuracy", leave_python) == (
        "✗ your function ends Python with exit(); end the function with `return` instead"
    )


@pytest.mark.parametrize("name", ["99.nothing", "00.nothing", ""])
def test_check_reports_an_unknown_exercise(name, capsys):
    exercises.check(name, 1)
    assert "there is no exercise of this name. Known: 00.accuracy" in capsys.readouterr().out


def raise_not_implemented(labels, probs):
    raise NotImplementedError


def pass_only(labels, probs):
    pass


@pytest.mark.parametrize("stub", [None, ..., raise_not_implemented, pass_only, lambda *a: None])
def test_verdict_on_stubs_is_not_attempted_yet(stub):
    assert exercises.verdict("00.accuracy", stub) == "not attempted yet"
