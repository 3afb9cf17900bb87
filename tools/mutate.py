"""Mutation testing of the exercises: plants mistakes in their solutions and reports those that a checker accepts.

python -m tools.mutate [exercise ...]     by default all exercises whose solution is a function

A checker should reject every mutant. For changes that make no relevant difference, mutate_equivalent.json, next to this
file, gives the reason. The exit status is 1 when any other mutant is accepted, and when an entry of that file no longer
corresponds to a mutant.
"""

from __future__ import annotations

import ast
import contextlib
import json
import os
import signal
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np

from dlkit import exercises
from tools import solutions
from tools.mutants import mutants

EQUIVALENT = json.loads(Path(__file__).with_name("mutate_equivalent.json").read_text(encoding="utf-8"))
ANY_GOOD_ANSWER = {"14.classify"}  # right is whatever beats the larger class, so that most mutants are no mistakes
SECONDS = 5  # of processor time for one verdict; a mutant that needs more is in an infinite loop


def functions():
    """Dictionary {exercise: source of its cell} of the solutions that are functions, except those of `ANY_GOOD_ANSWER`.

    A function may fit a small model whenever the checker calls it. It is judged without the rest of its notebook.
    """
    found = {name: source for name, source in sorted(solutions.solved().items()) if _is_function(source)}
    return {name: source for name, source in found.items() if name not in ANY_GOOD_ANSWER}


def _is_function(source):
    """Whether the cell passes a function that it defines to `check`."""
    body = ast.parse(source).body
    return ast.unparse(body[-1].value.args[1]) in {node.name for node in body if isinstance(node, ast.FunctionDef)}


def judge(name, source):
    """Runs the checker of an exercise on a solution.

    Args:
        name: String, the exercise.
        source: String, the source of the solution's cell.

    Returns:
        String, the verdict; it begins with "✗" also when the solution takes too long.
    """
    exercises.verdict(name, None)  # imports TensorFlow, whose time does not count
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with time_limit(SECONDS):
                return exercises.verdict(name, solutions.answer_of(source))
        except TimeoutError as error:
            return f"✗ {error}"


@contextlib.contextmanager
def time_limit(seconds):
    """Raises a TimeoutError in the block after a number of seconds of processor time, however busy the machine is.

    It needs the main thread, and Linux or macOS.

    Args:
        seconds: Float.
    """

    def stop(number, frame):
        raise TimeoutError(f"more than {seconds} s")

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def accepted(name, source):
    """Checks every mutant of a solution, in a temporary folder because mutants may write files.

    Args:
        name: String, the exercise.
        source: String, the source of the solution's cell.

    Returns:
        Dictionary {change: Boolean}, whether the checker accepts the mutant.
    """
    original_folder = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            return {change: judge(name, mutant) == "✓ right" for change, mutant in mutants(source).items()}
        finally:
            os.chdir(original_folder)


def compare(name, verdicts):
    """Compares verdicts with mutate_equivalent.json.

    Args:
        name: String, the exercise.
        verdicts: Dictionary, what `accepted` returned.

    Returns:
        List of strings, one line for each accepted change without a reason and for each obsolete entry.
    """
    known = EQUIVALENT.get(name, {})
    missed = [change for change, is_accepted in verdicts.items() if is_accepted and change not in known]
    obsolete = [change for change in known if change not in verdicts]
    return [
        *(f"{name} accepts a mistake: {change}" for change in missed),
        *(f"{name}: obsolete in mutate_equivalent.json: {change}" for change in obsolete),
    ]


def main(arguments):
    """Tests the checkers of the given exercises, or of all, and prints a line for each.

    Args:
        arguments: List of strings, names of exercises.

    Returns:
        Integer, the exit status: 1 when there is a problem, else 0.
    """
    sources, problems, total, rejected = functions(), [], 0, 0
    if unknown := [name for name in arguments if name not in sources]:
        raise SystemExit(
            f"Expected exercises whose solution is a function, such as {next(iter(sources))}. Received: {unknown[0]}"
        )
    for name in arguments or sources:
        start = time.perf_counter()
        verdicts = accepted(name, sources[name])
        found, num_rejected = compare(name, verdicts), list(verdicts.values()).count(False)
        total, rejected, problems = total + len(verdicts), rejected + num_rejected, problems + found
        print(f"{name}: {num_rejected} of {len(verdicts)} rejected, {time.perf_counter() - start:.1f} s", flush=True)
        print(*found, sep="\n", end="\n" if found else "")
    print(f"{total} mutants, {rejected} rejected, {total - rejected} accepted, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
