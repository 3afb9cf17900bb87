"""What all benchmarks share: interleaved measurements, the ratio of each round, and the table with its conditions."""

from __future__ import annotations

import json
import os
import platform
import statistics
from datetime import date
from pathlib import Path

from dlkit import runtime

FOLDER = Path(__file__).parent


def interleave(ours, baseline, *, rounds=5):
    """Measures both sides alternately, so that a busy moment of the machine slows both.

    Args:
        ours: Function without arguments that returns our rate; higher is better.
        baseline: Function without arguments that returns the baseline's rate.
        rounds: Integer, how often each side is measured, default 5.

    Returns:
        Dictionary with the lists "ours" and "baseline", and "median", "lowest" and "highest" of their ratios.
    """
    rates = {"ours": [], "baseline": []}
    for number in range(1, rounds + 1):
        rates["baseline"].append(baseline())
        rates["ours"].append(ours())
        our_rate, their_rate = rates["ours"][-1], rates["baseline"][-1]
        print(
            f"round {number} of {rounds}: {our_rate:,.0f} against {their_rate:,.0f}, ratio {our_rate / their_rate:.1f}"
        )
    return compare(rates["ours"], rates["baseline"])


def compare(ours, baseline):
    """The result of `interleave`, from rates that were measured already.

    Args:
        ours: List of floats, our rate in each round.
        baseline: List of floats, the baseline's rate in each round.

    Returns:
        The dictionary that `interleave` returns.
    """
    ratios = [our_rate / their_rate for our_rate, their_rate in zip(ours, baseline, strict=True)]
    summary = {"median": statistics.median(ratios), "lowest": min(ratios), "highest": max(ratios)}
    return {"ours": list(ours), "baseline": list(baseline), **summary}


def conditions(**more):
    """The machine and the versions that a result belongs to.

    Args:
        **more: Further conditions, such as `data="2,000 images"`.

    Returns:
        Dictionary that JSON can hold.
    """
    return {
        "date": date.today().isoformat(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "versions": runtime.versions(),
        **more,
    }


def _processor():
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def save_result(name, result, *, folder=FOLDER):
    """Saves the result of a benchmark in results.json and writes RESULTS.md again.

    Args:
        name: String, the name of the benchmark.
        result: Dictionary that `interleave` returned, with "description", "target", "unit" and "conditions" added.
        folder: Path of the folder with the two files.
    """
    results = read_results(folder=folder)[0] | {name: result}
    (folder / "results.json").write_text(json.dumps(dict(sorted(results.items())), indent=1) + "\n")
    write_report(folder=folder)


def write_report(*, folder=FOLDER):
    """Writes RESULTS.md from the saved results.

    Args:
        folder: Path of the folder with results.json, long.json and RESULTS.md.
    """
    (folder / "RESULTS.md").write_text(report(*read_results(folder=folder)))


def read_results(*, folder=FOLDER):
    """The contents of results.json and of long.json; an empty dictionary for a file that does not exist.

    Args:
        folder: Path of the folder with the two files.

    Returns:
        List of two dictionaries.
    """
    files = folder / "results.json", folder / "long.json"
    return [json.loads(file.read_text()) if file.exists() else {} for file in files]


def report(results, long=None):
    """The text of RESULTS.md.

    Args:
        results: Dictionary, the content of results.json.
        long: Dictionary, the content of long.json, or None.

    Returns:
        String: a table with a row for each benchmark, their conditions, the recipes, the long training, and TRIED.md.
    """
    lines = [
        "# Results of the benchmarks",
        "",
        "Each benchmark compares our way with the way in which tutorials do the same work: same data, same machine,",
        "interleaved measurements in one run. [README.md](README.md) says what exactly is compared, and what these",
        "numbers do not show. `make bench` runs all benchmarks and `make bench NAME=pipeline` one of them; both write",
        "this file. Trust the ratios: absolute rates depend on what else the machine does.",
        "",
        "| benchmark | ours, median | baseline, median | ratio: median (lowest to highest) | target |",
        "|---|---|---|---|---|",
    ]
    for name, result in sorted(results.items()):
        ours, baseline = (statistics.median(result[side]) for side in ("ours", "baseline"))
        digits = 2 if baseline < 2 else 0  # fractions need more digits than images per second
        lines.append(
            f"| {name}: {result['description']} | {ours:,.{digits}f} {result['unit']} | "
            f"{baseline:,.{digits}f} {result['unit']} | **{result['median']:.{digits or 1}f}** "
            f"({result['lowest']:.{digits or 1}f} to {result['highest']:.{digits or 1}f}) | {result['target']} |"
        )
    lines += ["", "## Conditions", ""]
    for name, result in sorted(results.items()):
        lines.append(f"- **{name}**: {len(result['ours'])} rounds; {_format_conditions(result['conditions'])}.")
    lines += ["", *_recipes_section(long)]
    if long:
        lines += ["", *_long_section(long)]
    return "\n".join(lines) + "\n\n" + (FOLDER / "TRIED.md").read_text()


def _recipes_section(long):
    """Lines about the recipes that were trained at full size: those of recipes.json, and the long training."""
    rows = json.loads((FOLDER / "recipes.json").read_text())
    if long:
        conditions = f"seed {long['seed']}, {long['epochs']} epochs in {long['precision']}, quiet machine; see below"
        rows["cifar10-long"] = {**long, "data": long["conditions"]["data"], "conditions": conditions}
    lines = [
        "## Recipes, trained once at full size",
        "",
        "One run and one seed each, so a difference of a point may be due to the seed: the interval covers only the",
        "choice of test images. The accuracy of `resnet50` with ImageNet weights has not been measured.",
        "",
        "| recipe | data | test accuracy (95% interval) | seconds of training | conditions |",
        "|---|---|---|---|---|",
    ]
    for name, run in sorted(rows.items()):
        low, high = run["accuracy_interval_95"]
        lines.append(
            f"| `{name}` | {run['data']} | {run['accuracy']:.3f} ({low:.3f} to {high:.3f}) | {run['seconds']:,.0f} | "
            f"{run['conditions']} |"
        )
    return lines


def _long_section(metrics):
    """Lines about the training that benchmarks/long.py runs."""
    low, high = metrics["accuracy_interval_95"]
    lines = [
        "## The long training from scratch",
        "",
        f"`make bench NAME=long` trains `cifar10-long`: {metrics['epochs']} epochs, {metrics['parameters']:,} "
        f"parameters, {metrics['precision']}. Test accuracy **{metrics['accuracy']:.4f}** (95% interval {low:.3f} to "
        f"{high:.3f}) after {metrics['seconds'] / 60:.0f} minutes of training and validation. One seed; "
        f"{_format_conditions(metrics['conditions'])}.",
        "",
        "![Accuracy on training and validation images, epoch by epoch](long.png)",
        "",
        "| epoch | minutes so far | training accuracy, augmented | validation accuracy |",
        "|---|---|---|---|",
    ]
    seconds, count = 0.0, len(metrics["history"])
    for number, epoch in enumerate(metrics["history"], start=1):
        seconds += epoch["seconds"]
        if number % 4 == 1 or number == count:
            lines.append(f"| {number} | {seconds / 60:.1f} | {epoch['accuracy']:.3f} | {epoch['val_accuracy']:.3f} |")
    return lines


def _format_conditions(conditions):
    def text(value):
        return ", ".join(f"{key} {item}" for key, item in value.items()) if isinstance(value, dict) else value

    return "; ".join(f"{key} {text(value)}" for key, value in conditions.items())
