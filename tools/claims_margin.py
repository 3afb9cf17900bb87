"""Measures how far the claims of the notebooks are from failing: `make claims-margin`, which takes hours.

python -m tools.claims_margin [notebook ...]     all lessons by default; resumes where it was stopped

Each lesson runs with five seeds. The value of a claim that changes from seed to seed should be at least three standard
deviations away from its bound, with the real data (DLKIT_DATA) and with the stand-ins. Results are saved in
`runs/claims-margin`; delete that folder to start from scratch.
"""

from __future__ import annotations

import json
import math
import os
import sys
from pathlib import Path

import nbformat
import numpy as np
from nbclient import NotebookClient
from tqdm import tqdm

from dlkit import claims, data, runtime
from tools.notebooks import LESSONS, ROOT, read

SEEDS = 5
MIN_MARGIN = 3  # standard deviations
RESULTS_FOLDER = (
    ROOT / "runs" / "claims-margin" / ("with DLKIT_DATA" if os.environ.get("DLKIT_DATA") else "without DLKIT_DATA")
)

# Code that is run before the first cell of a notebook.
PREPARATION = """
import sys
sys.path.append({root!r})
from tools.claims_margin import prepare
prepare({shift}, {file!r})
"""


def prepare(shift, file):
    """Shifts the seeds of a notebook and makes its claims write to a file instead of raising errors.

    The seeds of NumPy, Keras and dlkit's pipeline are shifted. The seeds of scikit-learn are not, and neither are those
    within a recipe: lesson 25 compares a recipe with the same one in other processes, whose seeds are not shifted.

    Args:
        shift: Integer, what is added to each seed.
        file: String, the path of the file, to which one line of JSON is appended for each claim.
    """
    setup, pipeline = runtime.setup, data.pipeline

    def shifted(function):
        def call(seed=None, *rest, **options):
            return function(seed + shift if isinstance(seed, int) else seed, *rest, **options)

        return call

    def setup_and_shift(seed=0, **options):
        rt = setup(seed + shift, **options)
        import keras  # now, because setup has to come before the first import of Keras

        from dlkit import recipes

        keras.utils.set_random_seed = shifted(keras.utils.set_random_seed)
        recipes.train = unshifted(recipes.train)
        runtime.setup = setup  # a second call, as in a recipe, uses the shifted functions
        return rt

    def unshifted(function):
        def call(*arguments, **options):
            nonlocal shift
            saved, shift = shift, 0
            try:
                return function(*arguments, **options)
            finally:
                shift = saved

        return call

    def record(sentence, value, *, at_least=None, at_most=None, between=None, timing=False):
        low, high = between if between is not None else (at_least, at_most)
        low, high = (None if bound is None else float(bound) for bound in (low, high))
        with open(file, "a", encoding="utf-8") as lines:
            print(json.dumps({"sentence": sentence, "value": float(value), "low": low, "high": high}), file=lines)

    def shifted_pipeline(*arguments, seed=0, **options):
        return pipeline(*arguments, seed=seed + shift, **options)

    runtime.setup, data.pipeline, claims.claim = setup_and_shift, shifted_pipeline, record
    np.random.default_rng = shifted(np.random.default_rng)


def measure_claims(path, seed):
    """Runs a notebook with another seed and returns its claims, from the saved results if it was run before.

    Args:
        path: `Path` of a notebook.
        seed: Integer, 0 for the notebook as it is; other values shift the seeds of NumPy, Keras and the pipeline.

    Returns:
        List of dictionaries with the keys "sentence", "value", "low" and "high", in the order of the notebook. A bound
        that a claim does not have is None.
    """
    file = RESULTS_FOLDER / f"{path.stem}_{seed}.jsonl"
    if not file.exists():
        part = file.with_suffix(".part")
        part.unlink(missing_ok=True)
        notebook = read(path)
        first = PREPARATION.format(root=str(ROOT), shift=1000 * seed, file=str(part))
        notebook.cells.insert(0, nbformat.v4.new_code_cell(first))
        NotebookClient(
            notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": path.parent}}
        ).execute()
        os.replace(part, file)
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def margins(runs):
    """Computes how far each claim is from failing.

    Args:
        runs: List of what `measure_claims` returns, one entry for each seed.

    Returns:
        List of tuples (margin in standard deviations, mean, standard deviation, number of failures, claim) for the
        claims whose values differ between seeds or that fail, the smallest margin first.
    """
    rows = []
    for same in zip(*runs, strict=True):
        values = [claim["value"] for claim in same]
        failed = sum(not holds(claim) for claim in same)
        spread, mean = np.std(values, ddof=1), np.mean(values)
        if spread > 1e-12 * abs(mean) or failed:  # more than a rounding error
            rows.append((margin_in_sds(same[0], values), mean, spread, failed, same[0]))
    return sorted(rows, key=lambda row: row[0])


def margin_in_sds(claim, values):
    """The distance of the mean of the values from the nearer bound of a claim, in standard deviations.

    For a claim in "times", logarithms are compared: 20 times and 5 times are equally far from 10 times.
    """
    low, high = claim["low"], claim["high"]
    if "times" in claim["sentence"] and high is None and low > 0 and min(values) > 0:
        values, low = np.log(values), math.log(low)
    spread = np.std(values, ddof=1)
    return distance_to_bound({"low": low, "high": high}, np.mean(values)) / spread if spread > 0 else -math.inf


def holds(claim):
    """Whether the value of a claim is within its bounds; NaN is not."""
    return not math.isnan(claim["value"]) and distance_to_bound(claim, claim["value"]) >= 0


def distance_to_bound(claim, value):
    """The distance of a value from the nearer of a claim's bounds, negative outside the bounds."""
    low, high = claim["low"], claim["high"]
    return min([math.inf if low is None else value - low, math.inf if high is None else high - value])


def main(arguments):
    """Measures the claims of the given notebooks, or of all lessons, and prints those that change with the seed.

    Args:
        arguments: List of strings, paths of notebooks.

    Returns:
        Integer, the exit status: 1 when a claim is too close to its bound, else 0.
    """
    RESULTS_FOLDER.mkdir(parents=True, exist_ok=True)
    too_close = 0
    for path in [Path(name).resolve() for name in arguments] or LESSONS:
        rows = margins(
            [measure_claims(path, seed) for seed in tqdm(range(SEEDS), desc=path.stem, delay=1, disable=None)]
        )
        too_close += sum(row[0] < MIN_MARGIN for row in rows)
        print(f"{path.stem}: {len(rows)} claims change with the seed", flush=True)
        for margin, mean, spread, failed, claim in rows:
            sign = "✓" if margin >= MIN_MARGIN else "✗"
            bounds = f"low {claim['low']}, high {claim['high']}"
            failures = f", failed {failed} of {SEEDS}" if failed else ""
            print(f"  {sign} {margin:8.3g} SD  {mean:.4g} ± {spread:.2g} ({bounds}){failures}  {claim['sentence']}")
    print(f"{too_close} claims are less than {MIN_MARGIN} standard deviations away from their bounds.")
    return int(too_close > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
