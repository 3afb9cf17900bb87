"""Plants mistakes in the solutions of the exercises, and reports those that a checker accepts.

python -m tools.mutate [exercise ...]     all exercises whose solution is a function, by default

A checker should reject every mutant. Where the change makes no difference that matters, mutate_equivalent.json beside
this file says why. The exit status is 1 when another mutant is accepted, and when an entry there is no mutant any more.
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
SECONDS = 5  # of computing, for one verdict; a mutant that takes longer loops for ever


def functions():
    """{exercise: source} of the solutions that are functions and train nothing."""
    alone = {name: source for name, source in solutions.solved().items() if solutions.runs_alone(source)}
    return {name: source for name, source in sorted(alone.items()) if _is_function(source)}


def _is_function(source):
    """True when the cell hands a function that it defines to `check`."""
    body = ast.parse(source).body
    return ast.unparse(body[-1].value.args[1]) in {node.name for node in body if isinstance(node, ast.FunctionDef)}


def judge(name, source):
    """The verdict on a solution: "✗ …" when it takes too long, too."""
    exercises.verdict(name, None)  # imports TensorFlow, which is not the solution's doing
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with time_limit(SECONDS):
                return exercises.verdict(name, solutions.answer_of(source))
        except TimeoutError as error:
            return f"✗ {error}"


@contextlib.contextmanager
def time_limit(seconds):
    """Raises TimeoutError in the block after so many seconds of computing, however busy the machine is.

    Needs the main thread, and Linux or macOS.
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
    """Judges every mutant of a solution, in a temporary folder, since mutants may write files anywhere.

    Returns:
        A dictionary from each change to True, when the checker accepts it, or False.
    """
    here = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            return {change: judge(name, mutant) == "✓ right" for change, mutant in mutants(source).items()}
        finally:
            os.chdir(here)


def compare(name, verdicts):
    """Lines about the accepted changes that mutate_equivalent.json does not explain, and about its obsolete entries."""
    known = EQUIVALENT.get(name, {})
    missed = [change for change, right in verdicts.items() if right and change not in known]
    obsolete = [change for change in known if change not in verdicts]
    return [
        *(f"{name} accepts a mistake: {change}" for change in missed),
        *(f"{name}: obsolete in mutate_equivalent.json: {change}" for change in obsolete),
    ]


def main(arguments):
    sources, problems, total, rejected = functions(), [], 0, 0
    if unknown := [name for name in arguments if name not in sources]:
        raise SystemExit(f"Expected exercises such as {next(iter(sources))}. Received: {unknown[0]}")
    for name in arguments or sources:
        start = time.perf_counter()
        verdicts = accepted(name, sources[name])
        found, refused = compare(name, verdicts), list(verdicts.values()).count(False)
        total, rejected, problems = total + len(verdicts), rejected + refused, problems + found
        print(f"{name}: {refused} of {len(verdicts)} rejected, {time.perf_counter() - start:.1f} s", flush=True)
        print(*found, sep="\n", end="\n" if found else "")
    print(f"{total} mutants, {rejected} rejected, {total - rejected} accepted, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
