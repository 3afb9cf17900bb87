"""Experiments that are computed beforehand: the runner and the committed tables."""

import importlib.util
import json

import numpy as np
import pytest

from benchmarks import experiments
from dlkit import data
from dlkit.data.experiments import load
from tools.notebooks import ROOT, definitions

LESSONS = sorted(path.name[:2] for path in (ROOT / "benchmarks" / "lessons").glob("[0-9][0-9]_*.py"))
PROTOCOL = """
TITLE, DATA, FUNCTIONS, SETTINGS = "Twice", "digits", ("double",), {"seeds": (0, 1)}
SHOW = {"rows": "way", "columns": "count", "values": "test"}
ROWS = [{"way": way, "count": count} for count in (5, 20) for way in ("a", "b")]
measured = []

def prepare(lesson, dataset):
    lesson.offset = len(dataset.class_names)

def measure(lesson, way, count):
    if len(measured) == stop_after:
        raise KeyboardInterrupt
    measured.append((way, count))
    return {"test": [lesson.double(count), lesson.double(count) + lesson.offset]}
"""


@pytest.fixture
def run_toy(tmp_path, monkeypatch):
    """A function that runs an experiment of four rows in a folder of its own: (path of the table, measured rows)."""
    monkeypatch.setattr(experiments, "ROOT", tmp_path)
    (tmp_path / "notebooks").mkdir()
    file = tmp_path / "98_toy.py"
    file.write_text(PROTOCOL)
    write_notebook(tmp_path, "return 2 * x")

    def run(stop_after=None, again=None):
        spec = importlib.util.spec_from_file_location("98_toy", file)
        protocol = importlib.util.module_from_spec(spec)
        protocol.stop_after = stop_after
        spec.loader.exec_module(protocol)
        folders = {"tables": tmp_path / "tables", "unfinished": tmp_path / "unfinished"}
        try:
            return experiments.run(protocol, data.load("digits"), again=again, **folders), protocol.measured
        except KeyboardInterrupt:
            return None, protocol.measured

    return run


def write_notebook(folder, body, docstring="Twice as much."):
    source = f'def double(x):\n    """{docstring}"""\n    {body}'
    cell = {"cell_type": "code", "id": "a", "metadata": {}, "execution_count": None, "outputs": [], "source": source}
    content = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [cell]}
    path = folder / "notebooks" / "98_toy.ipynb"
    path.write_text(json.dumps(content))
    return path


# --- the runner


def test_run_writes_rows_and_conditions(run_toy):
    path, _ = run_toy()
    content = json.loads(path.read_text())
    assert content["rows"][3] == {"way": "b", "count": 20, "test": [40, 50]}
    assert content["data"] == {"name": "digits", "is_real": True, "train": 1347, "test": 450}
    assert set(content["machine"]) == {"cores", "processor", "device"}
    assert set(content["versions"]) == {"Python", "TensorFlow", "Keras", "dlkit"}
    assert content["settings"] == {"seeds": [0, 1]}


def test_run_resumes_after_a_stop(run_toy):
    path, measured = run_toy(stop_after=3)
    assert path is None
    assert len(measured) == 3
    path, measured = run_toy()
    assert measured == [("b", 20)]
    assert len(json.loads(path.read_text())["rows"]) == 4


def test_run_starts_from_scratch_when_the_notebook_changed(run_toy, tmp_path):
    run_toy(stop_after=3)
    write_notebook(tmp_path, "return 3 * x")
    path, measured = run_toy()
    assert len(measured) == 4
    assert json.loads(path.read_text())["rows"][0]["test"][0] == 15


def test_run_measures_chosen_rows_again(run_toy, tmp_path):
    run_toy()
    write_notebook(tmp_path, "return 3 * x")
    path, measured = run_toy(again=[{"count": 20, "way": "a"}, {"count": 5, "way": "b"}])
    assert measured == [("b", 5), ("a", 20)]
    rows = json.loads(path.read_text())["rows"]
    assert [(row["way"], row["count"], row["test"][0]) for row in rows] == [
        ("a", 5, 10),
        ("b", 5, 15),
        ("a", 20, 60),
        ("b", 20, 40),
    ]


def test_notebook_code_ignores_docstrings(tmp_path):
    (tmp_path / "notebooks").mkdir()
    variants = [("return 2 * x", "Twice."), ("return 2 * x", "Two\n    lines."), ("return x * 2", "Twice.")]
    first, other_docstring, other_code = (
        experiments.notebook_code(write_notebook(tmp_path, *variant), ["double"]) for variant in variants
    )
    assert first == other_docstring
    assert first != other_code


def test_main_refuses_stand_in_data(no_data_env):
    with pytest.raises(data.DataError, match="cifar10"):
        experiments.main(["13"])


def test_load_protocol_lists_the_lessons():
    with pytest.raises(ValueError, match='a lesson with an experiment: .*13.* Received: "99"'):
        experiments.load_protocol("99")


# --- the committed tables


@pytest.mark.parametrize("lesson", LESSONS)
def test_committed_table_belongs_to_the_code_of_the_notebook(lesson):
    protocol = experiments.load_protocol(lesson)
    table = load(protocol.__name__)
    code = experiments.notebook_code(experiments.notebook_path(protocol), protocol.FUNCTIONS)
    advice = f"run `make experiments LESSON={lesson}`"
    assert table.conditions["notebook_code"] == code, f"functions of the notebook changed since: {advice}"
    assert table.conditions["settings"] == json.loads(json.dumps(protocol.SETTINGS)), advice
    assert table.conditions["data"]["is_real"], advice


@pytest.mark.slow
def test_measuring_a_row_again_gives_the_committed_accuracy():
    if data.locate("cifar10") is None:
        pytest.skip("CIFAR-10 is not on this machine")
    protocol = experiments.load_protocol("13")
    lesson = definitions(experiments.notebook_path(protocol))
    protocol.prepare(lesson, data.load("cifar10", real=True))
    keys = {"way": "4 classes: fine-tuned, batch norm frozen", "per_class": 20}
    committed, measured = load("13_transfer_learning").find(**keys), protocol.measure(lesson, **keys)
    assert abs(np.mean(measured["test"]) - np.mean(committed["test"])) <= np.std(committed["test"], ddof=1)
