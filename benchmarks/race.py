"""What all races share: taking turns, the ratio of each turn, and the table with its conditions."""

from __future__ import annotations

import json
import os
import platform
import statistics
from datetime import date
from pathlib import Path

from dlkit import runtime

FOLDER = Path(__file__).parent


def take_turns(ours, theirs, *, rounds=5):
    """Runs both in turn, so that a busy moment of the machine meets both.

    Args:
        ours, theirs: functions without arguments that return a rate: the more the better.
        rounds: turns of each.

    Returns:
        Dictionary with the lists "ours" and "theirs", and of their ratios "median", "lowest" and "highest".
    """
    rates = {"ours": [], "theirs": []}
    for turn in range(1, rounds + 1):
        rates["theirs"].append(theirs())
        rates["ours"].append(ours())
        ratio = rates["ours"][-1] / rates["theirs"][-1]
        print(
            f"turn {turn} of {rounds}: {rates['ours'][-1]:,.0f} against {rates['theirs'][-1]:,.0f}, {ratio:.1f} times"
        )
    return compare(rates["ours"], rates["theirs"])


def compare(ours, theirs):
    """What `take_turns` returns, from rates measured already."""
    ratios = [mine / other for mine, other in zip(ours, theirs, strict=True)]
    summary = {"median": statistics.median(ratios), "lowest": min(ratios), "highest": max(ratios)}
    return {"ours": list(ours), "theirs": list(theirs), **summary}


def conditions(**more):
    """The machine and the versions that a result belongs to."""
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


def save(name, result, *, folder=FOLDER):
    """Puts a race's result into results.json and writes RESULTS.md anew.

    Args:
        name: of the race.
        result: what `take_turns` returns, with "question", "goal", "unit" and "conditions" added.
        folder: where the two files are.
    """
    results = read(folder=folder)[0] | {name: result}
    (folder / "results.json").write_text(json.dumps(dict(sorted(results.items())), indent=1) + "\n")
    write(folder=folder)


def write(*, folder=FOLDER):
    """Writes RESULTS.md anew."""
    (folder / "RESULTS.md").write_text(table(*read(folder=folder)))


def read(*, folder=FOLDER):
    """Contents of results.json and of long.json; of one that is not there, nothing."""
    files = folder / "results.json", folder / "long.json"
    return [json.loads(file.read_text()) if file.exists() else {} for file in files]


def table(results, long=None):
    """RESULTS.md: a row for each race, their conditions, the recipes, the long training, then what TRIED.md says."""
    lines = [
        "# Results of the benchmarks",
        "",
        "Our way against the way in which tutorials do it: same data, same machine, taking turns in one run.",
        "[README.md](README.md) says what exactly is compared, and what these numbers do not show.",
        "`make bench` runs all races and `make bench RACE=pipeline` one of them; both write this file.",
        "Trust the ratios: absolute rates depend on what else the machine does.",
        "",
        "| race | ours, median | theirs, median | ratio: median (lowest to highest) | goal |",
        "|---|---|---|---|---|",
    ]
    for name, result in sorted(results.items()):
        ours, theirs = (statistics.median(result[side]) for side in ("ours", "theirs"))
        digits = 2 if theirs < 2 else 0  # fractions need more digits than images a second
        lines.append(
            f"| {name}: {result['question']} | {ours:,.{digits}f} {result['unit']} | "
            f"{theirs:,.{digits}f} {result['unit']} | **{result['median']:.{digits or 1}f}** "
            f"({result['lowest']:.{digits or 1}f} to {result['highest']:.{digits or 1}f}) | {result['goal']} |"
        )
    lines += ["", "## Conditions", ""]
    for name, result in sorted(results.items()):
        told = "; ".join(f"{key} {plain(value)}" for key, value in result["conditions"].items())
        lines.append(f"- **{name}**: {len(result['ours'])} turns; {told}.")
    lines += ["", *_recipes_section(long)]
    if long:
        lines += ["", *_long_section(long)]
    return "\n".join(lines) + "\n\n" + (FOLDER / "TRIED.md").read_text()


def _recipes_section(long):
    """Lines with the recipes that were trained at full size: those of recipes.json, and the long training."""
    rows = json.loads((FOLDER / "recipes.json").read_text())
    if long:
        told = (
            f"seed {long['seed']}, {long['epochs']} epochs in {long['precision']}, nothing heavy beside it; see below"
        )
        rows["cifar10-long"] = {**long, "data": long["conditions"]["data"], "conditions": told}
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
    told = "; ".join(f"{key} {plain(value)}" for key, value in metrics["conditions"].items())
    lines = [
        "## The long training from scratch",
        "",
        f"`make bench RACE=long` trains `cifar10-long`: {metrics['epochs']} epochs, {metrics['parameters']:,} "
        f"parameters, {metrics['precision']}. Test accuracy **{metrics['accuracy']:.4f}** (95 % interval {low:.3f} to "
        f"{high:.3f}) after {metrics['seconds'] / 60:.0f} minutes of training and validation. One seed; {told}.",
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


def plain(value):
    """A condition as text."""
    return ", ".join(f"{key} {text}" for key, text in value.items()) if isinstance(value, dict) else value
