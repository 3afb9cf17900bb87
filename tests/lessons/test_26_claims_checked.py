"""Tests the code of lesson 26 on more cases than the lesson shows, and the checkers of its exercises."""

import re
from fractions import Fraction
from functools import partial

import numpy as np
import pytest

from tests.lessons.exercise_tests import ExerciseTests
from tools.notebooks import ROOT, code_cells, read

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("places", [2, 3, 4])
def test_possible_test_sizes_finds_all_that_round_to_it(lesson, places):
    for printed in RNG.random(20).round(places):
        found = set(lesson.possible_test_sizes(printed, places, 120))
        expected = {n for n in range(1, 121) for k in range(n + 1) if abs(k / n - printed) <= 0.5 * 10**-places + 1e-12}
        assert found == expected


def test_every_statement_has_verdict_and_evidence():
    printed = "".join(
        output.get("text", "")
        for cell in code_cells(read(ROOT / "notebooks" / "26_claims_checked.ipynb"))
        for output in cell.outputs
    )
    rows = re.findall(r"^ ?(\d+) (?:✓ right|✗ wrong|~ half): .+\n      so: .+$", printed, re.MULTILINE)
    assert sorted(map(int, rows)) == list(range(1, 27))


def test_random_shift_keeps_all_pixel_values(lesson):
    images = RNG.random((5, 8, 8))
    shifted = lesson.random_shift(images, 2, np.random.default_rng(0))
    np.testing.assert_allclose(shifted.sum(axis=(1, 2)), images.sum(axis=(1, 2)))
    np.testing.assert_array_equal(lesson.random_shift(images, 0, np.random.default_rng(0)), images)


# Exercises: other correct answers, and mistakes with a word of the hint that each should get


def smallest_by_sets(
    first, second, places, largest, start=1, any_of=False, miss=None, largest_first=False, half=Fraction(1, 2), more=0
):
    """All fractions that round to each number, by exact counting."""
    largest += more

    def of(printed):
        tolerance = half / 10**places + Fraction(1, 10**12)
        target = Fraction(str(printed))
        return {n for n in range(start, largest + 1) if abs(Fraction(round(target * n), n) - target) <= tolerance}

    common = of(first) | of(second) if any_of else of(first) & of(second)
    return (max(common) if largest_first else min(common)) if common else miss


def smallest_by_rounding(first, second, places, largest):
    """Rounds each fraction to the places, and compares."""
    for n in range(1, largest + 1):
        printed = {round(k / n, places) for k in range(n + 1)}
        if {round(first, places), round(second, places)} <= printed:
            return n


SEEDS = [0.97, 0.972, 0.968, 0.971, 0.969]


CLAIM = {"claim": "this network reads nearly all digits", "stated": 0.97, "measured": SEEDS, "verdict": "right"}


ALTERNATIVES = {
    "26.smallest_test_set": [smallest_by_sets, smallest_by_rounding],
    "26.test_size": [3458.0],
    "26.your_claim": [CLAIM],
}

MISTAKES = {
    "26.smallest_test_set": [
        (partial(smallest_by_sets, any_of=True), "only one of the two"),
        (partial(smallest_by_sets, largest_first=True), "a smaller number"),
        (partial(smallest_by_sets, miss=0), "return None"),
        (partial(smallest_by_sets, start=100), "a smaller number"),
        (lambda first, second, places, largest: 7, "must round"),
        (lambda first, second, places, largest: 7.5, "integer"),
        (partial(smallest_by_sets, more=-1), "including `largest`"),
        (partial(smallest_by_sets, more=1), "return None"),
        (partial(smallest_by_sets, half=Fraction(1)), "only one of the two"),
        (partial(smallest_by_sets, half=Fraction(3, 4)), "only one of the two"),
        (partial(smallest_by_sets, half=Fraction(5, 9)), "only one of the two"),
    ],
    "26.test_size": [(3457, "round up"), (865, "each side"), (900, "1.96"), (13830, "0.005"), (100, "rounded up")],
    "26.your_claim": [
        ({"claim": "it is good"}, "give"),
        (CLAIM | {"claim": "good"}, "in a sentence"),
        (CLAIM | {"measured": [0.97, 0.98]}, "five seeds"),
        (CLAIM | {"stated": 97}, "between 0 and 1"),
        (CLAIM | {"measured": [0.97] * 5}, "the very same"),
        (CLAIM | {"verdict": "perhaps"}, "right"),
        (CLAIM | {"verdict": "wrong"}, "change your verdict"),
        (CLAIM | {"stated": 0.999}, "change your verdict"),
    ],
}


class TestExercises(ExerciseTests):
    pass
