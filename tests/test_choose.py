"""Which notebooks a run executes: none is forgotten, and what measures times runs alone."""

import re

import pytest

from tools import choose
from tools.notebooks import LESSONS, SOLUTIONS, code_cells, read
from tools.solutions import solutions_that_train


def test_every_lesson_and_every_training_solution_runs():
    assert {*choose.tested(), *choose.timing()} == {*LESSONS, *solutions_that_train()}
    assert set(LESSONS) <= set(choose.tested())


def test_a_solution_runs_once():
    assert not set(choose.tested()) & set(choose.timing()) & set(SOLUTIONS)


def test_without_data_lessons_run_whose_data_have_a_fallback():
    for path in choose.fallback():
        assert choose.loaded(path) - choose.BUNDLED
    assert not set(choose.fallback()) & set(choose.timing())


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_a_lesson_with_a_clock_says_which_claims_depend_on_it(path):
    source = "\n".join(cell.source for cell in code_cells(read(path)))
    clock = re.search(r'perf_counter|"latency"', source)
    assert bool(clock) == choose.measures_times(path), "mark such claims with timing=True"
