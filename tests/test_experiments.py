"""Experiments computed beforehand: the runner, the loader, and the committed tables."""

import importlib.util
import json

import numpy as np
import pytest

from benchmarks import experiments as runner
from dlkit import data
from dlkit.data import experiments
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
def toy(tmp_path, monkeypatch):
    """A function that runs an experiment of four rows in a folder of its own: (table's path, rows measured)."""
    monkeypatch.setattr(runner, "ROOT", tmp_path)
    (tmp_path / "notebooks").mkdir()
    file = tmp_path / "98_toy.py"
    file.write_text(PROTOCOL)
    write_notebook(tmp_path, "return 2 * x")

    def run(stop_after=None):
        spec = importlib.util.spec_from_file_location("98_toy", file)
        protocol = importlib.util.module_from_spec(spec)
        protocol.stop_after = stop_after
        spec.loader.exec_module(protocol)
        folders = {"tables": tmp_path / "tables", "unfinished": tmp_path / "unfinished"}
        try:
            return runner.run(protocol, data.load("digits"), **folders), protocol.measured
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


def test_run_writes_rows_and_conditions(toy):
    path, _ = toy()
    content = json.loads(path.read_text())
    assert content["rows"][3] == {"way": "b", "count": 20, "test": [40, 50]}
    assert content["data"] == {"name": "digits", "is_real": True, "train": 1347, "test": 450}
    assert set(content["machine"]) == {"cores", "processor", "device"}
    assert set(content["versions"]) == {"Python", "TensorFlow", "Keras", "dlkit"}
    assert content["settings"] == {"seeds": [0, 1]}


def test_run_continues_after_a_stop(toy):
    path, measured = toy(stop_after=3)
    assert path is None
    assert len(measured) == 3
    path, measured = toy()
    assert measured == [("b", 20)]
    assert len(json.loads(path.read_text())["rows"]) == 4


def test_run_starts_again_when_the_notebook_changed(toy, tmp_path):
    toy(stop_after=3)
    write_notebook(tmp_path, "return 3 * x")
    path, measured = toy()
    assert len(measured) == 4
    assert json.loads(path.read_text())["rows"][0]["test"][0] == 15


def test_notebook_code_changes_with_the_code_and_not_with_the_docstring(tmp_path):
    (tmp_path / "notebooks").mkdir()
    variants = [("return 2 * x", "Twice."), ("return 2 * x", "Two\n    lines."), ("return x * 2", "Twice.")]
    first, other_docstring, other_code = (
        runner.notebook_code(write_notebook(tmp_path, *variant), ["double"]) for variant in variants
    )
    assert first == other_docstring
    assert first != other_code


def test_main_refuses_a_stand_in(empty_room):
    with pytest.raises(data.DataError, match="cifar10"):
        runner.main(["13"])


def test_load_protocol_names_the_lessons():
    with pytest.raises(ValueError, match='a lesson with an experiment: 13.* Received: "99"'):
        runner.load_protocol("99")


# --- the loader


@pytest.fixture
def table(toy):
    return experiments.Experiment(json.loads(toy()[0].read_text()))


def test_experiment_shows_means_spreads_and_conditions(table):
    assert "a    15.000 ± 7.071  45.000 ± 7.071" in repr(table)
    assert "<td>45.000 ± 7.071</td>" in table._repr_html_()
    for text in (repr(table), table._repr_html_()):
        assert "Computed beforehand: " in text
        assert "data: real digits" in text


def test_caption_has_date_minutes_and_machine(table):
    table.conditions |= {"made": "2026-11-05", "seconds": 840}
    table.conditions["machine"] = {"cores": 2, "processor": "Fast", "device": "CPU"}
    assert table.caption().startswith("Computed beforehand: 5 November 2026, 14 min on CPU (2 cores, Fast), data: ")


def test_caption_says_stand_in(table):
    table.conditions["data"] = {"name": "shapes10", "is_real": False}
    assert "data: stand-in shapes10" in table.caption()


def test_find_wants_exactly_one_row(table):
    assert table.find(way="b", count=5)["test"] == [10, 20]
    with pytest.raises(ValueError, match="2 rows have"):
        table.find(way="b")


def test_load_names_the_experiments():
    with pytest.raises(ValueError, match='13_transfer_learning.* Received: "13_nothing"'):
        experiments.load("13_nothing")


# --- the committed tables


@pytest.mark.parametrize("lesson", LESSONS)
def test_table_belongs_to_the_notebooks_present_code(lesson):
    protocol = runner.load_protocol(lesson)
    table = experiments.load(protocol.__name__)
    code = runner.notebook_code(runner.notebook_path(protocol), protocol.FUNCTIONS)
    again = f"run `make experiments LESSON={lesson}`"
    assert table.conditions["notebook_code"] == code, f"functions of the notebook changed since: {again}"
    assert table.conditions["settings"] == json.loads(json.dumps(protocol.SETTINGS)), again
    assert table.conditions["data"]["is_real"], again


@pytest.mark.slow
def test_transfer_learning_repeats_its_table():
    if data.locate("cifar10") is None:
        pytest.skip("CIFAR-10 is not on this machine")
    protocol = runner.load_protocol("13")
    lesson = definitions(runner.notebook_path(protocol))
    protocol.prepare(lesson, data.load("cifar10", real=True))
    keys = {"way": "fine-tuned, batch norm frozen", "per_class": 20}
    then, now = experiments.load("13_transfer_learning").find(**keys), protocol.measure(lesson, **keys)
    assert abs(np.mean(now["test"]) - np.mean(then["test"])) <= np.std(then["test"], ddof=1)
