"""Which notebooks a test run executes: python -m tools.choose tested | timing | fallback

tested    every lesson, and the solutions that train something; unit tests judge all other solutions
timing    those of them that measure times, to be run with nothing beside them
fallback  lessons that load a data set with a fallback, to be run without data and without a network; those that
          measure times are in `timing`
"""

from __future__ import annotations

import re
import sys

from tools.notebooks import LESSONS, ROOT, code_cells, read
from tools.solutions import solutions_that_train

BUNDLED = {"digits", "sunspots"}  # always there, so they have no fallback


def tested():
    """Every lesson and the solutions that train, without solutions whose verdict is about times."""
    return [*LESSONS, *(path for path in solutions_that_train() if not measures_times(path))]


def timing():
    """Lessons and training solutions with a claim, or a verdict, about times."""
    return [path for path in [*LESSONS, *solutions_that_train()] if measures_times(path)]


def fallback():
    """Lessons whose data have a fallback and that measure no times."""
    return [path for path in LESSONS if loaded(path) - BUNDLED and not measures_times(path)]


def measures_times(path):
    """Whether a lesson makes a claim about times, or a solution uses a clock."""
    sign = "timing=True" if path in LESSONS else "perf_counter"
    return any(sign in cell.source for cell in code_cells(read(path)))


def loaded(path):
    """Names of the data sets that a notebook loads."""
    return {name for cell in code_cells(read(path)) for name in re.findall(r'data\.load\("(\w+)"', cell.source)}


if __name__ == "__main__":
    (kind,) = sys.argv[1:]
    for path in {"tested": tested, "timing": timing, "fallback": fallback}[kind]():
        print(path.relative_to(ROOT).as_posix())
