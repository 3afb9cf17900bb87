"""Fixtures and parameters of a lesson's tests, found by the name of the test file: test_07_… tests 07_….ipynb."""

import keras
import pytest

from tests.lessons.exercise_tests import ExerciseTests, cells_of
from tools.notebooks import ROOT, definitions
from tools.solutions import runs_alone


@pytest.fixture(scope="module")
def lesson(request):
    """The functions, classes and constants that the lesson defines, as a module."""
    return definitions(notebook_of(request.path))


@pytest.fixture
def lesson_path(request):
    """The lesson's notebook."""
    return notebook_of(request.path)


def notebook_of(test_file):
    """The notebook that a test file is about."""
    return ROOT / "notebooks" / f"{test_file.stem.removeprefix('test_')}.ipynb"


def pytest_generate_tests(metafunc):
    """Runs the tests of `ExerciseTests` for each exercise of the lesson, and for each known mistake."""
    if metafunc.cls is None or not issubclass(metafunc.cls, ExerciseTests):
        return
    module = metafunc.module
    stubs, solutions = cells_of(notebook_of(metafunc.definition.path))
    module.STUBS, module.SOLUTIONS = stubs, solutions
    if "exercise" in metafunc.fixturenames:
        metafunc.parametrize("exercise", sorted(stubs))
    if "solved_exercise" in metafunc.fixturenames:
        metafunc.parametrize("solved_exercise", [name for name in sorted(stubs) if runs_alone(solutions[name])])
    if "mistake" in metafunc.fixturenames:
        cases = [(name, *mistake) for name, mistakes in sorted(module.MISTAKES.items()) for mistake in mistakes]
        metafunc.parametrize(
            "mistake", cases, ids=[f"{name}-{number}-{word}" for number, (name, _, word) in enumerate(cases)]
        )


@pytest.fixture
def mixed_precision():
    """Keras's layers compute in 16 bits until the test ends, as they do on a GPU."""
    keras.config.set_dtype_policy("mixed_bfloat16")
    yield
    keras.config.set_dtype_policy("float32")
