"""The choice of notebooks for a test run: every notebook is run, and those that measure times run alone."""

import re

import pytest

from tools import choose
from tools.notebooks import LESSONS, SOLUTIONS, code_cells, read
from tools.solutions import solutions_that_train


def test_every_lesson_and_training_solution_is_chosen():
    assert {*choose.tested(), *choose.timing()} == {*LESSONS, *solutions_that_train()}
    assert set(LESSONS) <= set(choose.tested())


def test_no_solution_is_chosen_twice():
    assert not set(choose.tested()) & set(choose.timing()) & set(SOLUTIONS)


def test_fallback_chooses_lessons_whose_data_have_a_fallback():
    chosen = {path.stem[:2] for path in choose.fallback()}
    assert {"13", "19"} <= chosen, "they load cifar10 and prose"
    assert not {"00", "01"} & chosen, "they load digits at most, which is always there"
    assert not set(choose.fallback()) & set(choose.timing())


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_lessons_that_measure_times_have_timing_claims(path):
    source = "\n".join(cell.source for cell in code_cells(read(path)))
    clock = re.search(r'perf_counter|process_time|"latency"', source)
    assert bool(clock) == choose.measures_times(path), "mark such claims with timing=True"
