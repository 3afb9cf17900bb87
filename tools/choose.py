"""Prints the notebooks that a test run executes: python -m tools.choose tested | timing | fallback

tested    every lesson, and the solutions that train something; unit tests check all other solutions
timing    those of them that measure times, to be run while nothing else is running
fallback  lessons that load a data set with a fallback, to be run without data and without a network; those that
          measure times are in `timing`
"""

from __future__ import annotations

import re
import sys

from dlkit.data.registry import REGISTRY
from tools.notebooks import LESSONS, ROOT, code_cells, read
from tools.solutions import solutions_that_train


def tested():
    """Paths of all lessons and of the solutions that train, except solutions that measure times."""
    return [*LESSONS, *(path for path in solutions_that_train() if not measures_times(path))]


def timing():
    """Paths of the lessons with a claim about times, and of the training solutions that measure times."""
    return [path for path in [*LESSONS, *solutions_that_train()] if measures_times(path)]


def fallback():
    """Paths of the lessons whose data sets have a fallback and that do not measure times."""
    return [path for path in LESSONS if _has_fallback(path) and not measures_times(path)]


def _has_fallback(path):
    return any(REGISTRY[name].fallback for name in loaded_datasets(path))


def measures_times(path):
    """Whether a lesson makes a claim about times, or a solution uses a clock."""
    marker = "timing=True" if path in LESSONS else "perf_counter"
    return any(marker in cell.source for cell in code_cells(read(path)))


def loaded_datasets(path):
    """The set of the names of the data sets that a notebook loads."""
    return {name for cell in code_cells(read(path)) for name in re.findall(r'data\.load\("(\w+)"', cell.source)}


if __name__ == "__main__":
    kinds = {"tested": tested, "timing": timing, "fallback": fallback}
    if len(sys.argv) != 2 or sys.argv[1] not in kinds:
        sys.exit(f"Expected one of {', '.join(kinds)}. Received: {' '.join(sys.argv[1:])}")
    for path in kinds[sys.argv[1]]():
        print(path.relative_to(ROOT).as_posix())
