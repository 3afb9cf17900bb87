"""What the README tells people to type works, and what it links to is there."""

import json
import os
import re
import shutil
import subprocess
import sys

import pytest

from tests.notebook_tools import ROOT

RESULTS = json.loads((ROOT / "benchmarks" / "results.json").read_text())
LONG = json.loads((ROOT / "benchmarks" / "long.json").read_text())
DOCUMENTS = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "data/README.md")]
README = (ROOT / "README.md").read_text()


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


def environment(tmp_path):
    return {**os.environ, "DLKIT_OFFLINE": "1", "KERAS_HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}


@pytest.mark.parametrize("source", blocks("python"))
def test_python_blocks_run(source, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", source],
        cwd=tmp_path,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "43 batches in an epoch" in done.stdout


@pytest.mark.parametrize("line", [line for block in blocks("bash") for line in block.splitlines()])
def test_commands_run(line, tmp_path):
    if line.startswith("make "):
        assert shutil.which("make"), "make is needed"
        done = subprocess.run([*line.split(), "--dry-run"], cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert {"make lab": "jupyter lab", "make test": "pytest"}[line] in done.stdout
        return
    program, *arguments = line.split()
    assert program == ".venv/bin/python"
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=tmp_path,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "✓" in done.stdout


def test_both_first_commands_are_there():
    assert blocks("bash")[0] == "make lab\n"
    assert blocks("bash")[1] == "make test\n"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_to_files(document):
    for target in re.findall(r"\]\(([^)#]+)\)", document.read_text()):
        if not target.startswith("http"):
            assert (document.parent / target).exists(), target


def test_the_long_trainings_row_is_the_measured_one():
    row = re.search(
        r"`cifar10-long` \|.*?\| ([\d.]+) \(([\d.]+) to ([\d.]+)\) \| ([\d,]+) \| seed (\d+), (\d+) epochs", README
    )
    low, high = LONG["accuracy_interval_95"]
    told = [float(number.replace(",", "")) for number in row.groups()]
    measured = [round(number, 3) for number in (LONG["accuracy"], low, high)]
    assert told == [*measured, round(LONG["seconds"]), LONG["seed"], LONG["epochs"]]
    told = re.search(r"is at ([\d.]+) after (\d+) epochs, (\d+) minutes", README)
    assert [float(number) for number in told.groups()] == [
        round(LONG["accuracy"], 2),
        LONG["epochs"],
        round(LONG["seconds"] / 60),
    ]


def test_every_dependency_has_a_reason_and_constraints_pin_it():
    pinned = {line.split("==")[0] for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line}
    for line in (ROOT / "requirements.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            requirement, _, reason = line.partition("  # ")
            assert reason, line
            assert re.split("[<>=]", requirement)[0] in pinned


def test_the_tests_that_a_document_names_are_there():
    tests = "\n".join(path.read_text() for path in (ROOT / "tests").glob("test_*.py"))
    named = {name for document in DOCUMENTS for name in re.findall(r"`(test_\w+)`", document.read_text())}
    assert len(named) > 25
    assert [name for name in named if f"def {name}(" not in tests] == []


def test_checksums_in_the_cards_are_those_in_the_code():
    from dlkit.data.sources import DOWNLOADS

    cards = (ROOT / "data/README.md").read_text()
    for download in DOWNLOADS.values():
        assert re.search(rf"`{download.sha256[:8]}…\w+`", cards)
        assert download.sha256.endswith(re.search(rf"`{download.sha256[:8]}…(\w+)`", cards)[1])


def test_the_races_results_are_the_measured_ones():
    ratios = re.search(r"come (\d+) times as fast .* (\d+) times as fast from files of 224 pixels", README, re.DOTALL)
    measured = [RESULTS[name]["median"] for name in ("pipeline", "pipeline-large-files")]
    assert [int(ratio) for ratio in ratios.groups()] == [round(ratio) for ratio in measured]
    ratios = re.search(r"its ten epochs (\d+) times as fast .*?the second time (\d+) times", README, re.DOTALL)
    measured = [RESULTS[name]["median"] for name in ("frozen", "frozen-again")]
    assert [int(ratio) for ratio in ratios.groups()] == [int(ratio) for ratio in measured]
    ratios = re.search(r"one epoch, (\d+) times sooner .*? past it (\d+) times sooner", README, re.DOTALL)
    measured = [RESULTS[name]["median"] for name in ("cifar10-scratch", "cifar10-borrowed")]
    assert [int(ratio) for ratio in ratios.groups()] == [int(ratio) for ratio in measured]
