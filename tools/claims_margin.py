"""How far are the notebooks' claims from failing? Runs each lesson from five seeds: `make claims-margin`, in hours.

python -m tools.claims_margin [notebook ...]     all lessons by default; goes on where it was stopped

A claim with a value that changes from seed to seed should keep three standard deviations from its bound, with the real
data (DLKIT_DATA) and with the stand-ins. What has been run is kept in `runs/claims-margin`; delete that folder to begin
anew.
"""

from __future__ import annotations

import json
import math
import os
import sys
from pathlib import Path

import nbformat
import numpy as np

from dlkit import runtime
from tools.notebooks import LESSONS, ROOT, read

SEEDS = 5
WANTED = 3  # standard deviations
KEPT = ROOT / "runs" / "claims-margin" / ("with DLKIT_DATA" if os.environ.get("DLKIT_DATA") else "without DLKIT_DATA")

# Runs before a notebook's first cell.
FIRST = """
import sys
sys.path.append({root!r})
from tools.claims_margin import prepare
prepare({shift}, {file!r})
"""


def prepare(shift, file):
    """Called in a notebook before its first cell: other seeds, and claims that are noted in a file and do not stop it.

    The seeds of NumPy, Keras and dlkit's pipeline are shifted. Not those of scikit-learn, and none within a recipe:
    notebook 25 compares one with its like in other processes, whose seeds stay.
    """
    from dlkit import claims, data

    setup, pipeline = runtime.setup, data.pipeline

    def shifted(function):
        def call(seed=None, *rest, **options):
            return function(seed + shift if isinstance(seed, int) else seed, *rest, **options)

        return call

    def setup_and_shift(seed=0):
        rt = setup(seed + shift)
        import keras

        from dlkit import recipes

        keras.utils.set_random_seed = shifted(keras.utils.set_random_seed)
        recipes.train = unshifted(recipes.train)
        runtime.setup = setup  # a second one, as in a recipe, goes through the shifted function
        return rt

    def unshifted(function):
        def call(*arguments, **options):
            nonlocal shift
            usual, shift = shift, 0
            try:
                return function(*arguments, **options)
            finally:
                shift = usual

        return call

    def note(sentence, value, *, at_least=None, at_most=None, between=None, timing=False):
        low, high = between if between is not None else (at_least, at_most)
        low, high = (None if bound is None else float(bound) for bound in (low, high))
        with open(file, "a", encoding="utf-8") as lines:
            print(json.dumps({"sentence": sentence, "value": float(value), "low": low, "high": high}), file=lines)

    def shifted_pipeline(*arguments, seed=0, **options):
        return pipeline(*arguments, seed=seed + shift, **options)

    runtime.setup, data.pipeline, claims.claim = setup_and_shift, shifted_pipeline, note
    np.random.default_rng = shifted(np.random.default_rng)


def noted(path, seed):
    """What a notebook claims when it is run with another seed.

    Args:
        path: a notebook.
        seed: 0 is the notebook as it stands, others shift those of NumPy, Keras and the pipeline.

    Returns:
        A list of dictionaries with "sentence", "value", "low" and "high", in the order of the notebook; a bound that a
        claim does not have is None.
    """
    from nbclient import NotebookClient

    file = KEPT / f"{path.stem}_{seed}.jsonl"
    if not file.exists():
        part = file.with_suffix(".part")
        part.unlink(missing_ok=True)
        notebook = read(path)
        first = FIRST.format(root=str(ROOT), shift=1000 * seed, file=str(part))
        notebook.cells.insert(0, nbformat.v4.new_code_cell(first))
        NotebookClient(
            notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": path.parent}}
        ).execute()
        os.replace(part, file)
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def margins(runs):
    """How far each claim is from failing.

    Args:
        runs: what `noted` returns, for each seed.

    Returns:
        A list of (margin in standard deviations, mean, standard deviation, how many failed, claim), for the claims
        whose values differ between seeds or fail, the smallest margin first.
    """
    rows = []
    for same in zip(*runs, strict=True):
        values = [claim["value"] for claim in same]
        failed = sum(not holds(claim) for claim in same)
        spread, mean = np.std(values, ddof=1), np.mean(values)
        if spread > 1e-12 * abs(mean) or failed:  # more than rounding
            rows.append((in_deviations(same[0], values), mean, spread, failed, same[0]))
    return sorted(rows, key=lambda row: row[0])


def in_deviations(claim, values):
    """How many standard deviations the mean of the values keeps from the nearer bound of a claim.

    Of logarithms, for a claim in "times": 20 times and 5 times are as far from 10.
    """
    low, high = claim["low"], claim["high"]
    if "times" in claim["sentence"] and high is None and low > 0 and min(values) > 0:
        values, low = np.log(values), math.log(low)
    spread = np.std(values, ddof=1)
    return room({"low": low, "high": high}, np.mean(values)) / spread if spread > 0 else -math.inf


def holds(claim):
    """Whether the value is within the bounds; NaN is not."""
    return not math.isnan(claim["value"]) and room(claim, claim["value"]) >= 0


def room(claim, value):
    """Distance of a value from the nearer of a claim's bounds, negative outside."""
    low, high = claim["low"], claim["high"]
    return min([math.inf if low is None else value - low, math.inf if high is None else high - value])


def main(arguments):
    KEPT.mkdir(parents=True, exist_ok=True)
    thin = 0
    for path in [Path(name).resolve() for name in arguments] or LESSONS:
        rows = margins([noted(path, seed) for seed in runtime.progress(range(SEEDS), f"{path.stem}, seeds:")])
        thin += sum(row[0] < WANTED for row in rows)
        print(f"{path.stem}: {len(rows)} claims change with the seed", flush=True)
        for margin, mean, spread, failed, claim in rows:
            sign = "✓" if margin >= WANTED else "✗"
            bounds = f"low {claim['low']}, high {claim['high']}"
            failures = f", failed {failed} of {SEEDS}" if failed else ""
            print(f"  {sign} {margin:8.3g} SD  {mean:.4g} ± {spread:.2g} ({bounds}){failures}  {claim['sentence']}")
    print(f"{thin} claims keep less than {WANTED} standard deviations.")
    return int(thin > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
