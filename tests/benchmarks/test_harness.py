"""Interleaved measurements, the saved results, and the published report."""

import json

import numpy as np
import pytest

from benchmarks import harness


def test_interleave_alternates_and_compares_each_round(capsys):
    order = []
    rates = {"ours": iter([10.0, 40.0, 60.0]), "baseline": iter([5.0, 10.0, 20.0])}

    def measure(side):
        order.append(side)
        return next(rates[side])

    result = harness.interleave(lambda: measure("ours"), lambda: measure("baseline"), rounds=3)
    assert order == ["baseline", "ours"] * 3
    assert (result["median"], result["lowest"], result["highest"]) == (3.0, 2.0, 4.0)
    assert "round 2 of 3: 40 against 10, ratio 4.0" in capsys.readouterr().out


def make_result(median):
    return {
        "description": "which",
        "target": "2",
        "unit": "images/s",
        "conditions": harness.conditions(data="some"),
        "ours": [4.0],
        "baseline": [2.0],
        "median": median,
        "lowest": 1.0,
        "highest": 9.0,
    }


def test_save_result_replaces_its_own_row_and_leaves_the_others(tmp_path):
    harness.save_result("first", make_result(2.0), folder=tmp_path)
    harness.save_result("second", make_result(3.0), folder=tmp_path)
    harness.save_result("first", make_result(5.0), folder=tmp_path)
    assert json.loads((tmp_path / "results.json").read_text())["first"]["median"] == 5.0
    text = (tmp_path / "RESULTS.md").read_text()
    assert "**5.0** (1.0 to 9.0)" in text
    assert "**3.0**" in text
    assert "**2.0**" not in text
    assert "TensorFlow" in text


def test_results_md_is_the_report_of_results_json():
    results, long = harness.read_results()
    assert (harness.FOLDER / "RESULTS.md").read_text() == harness.report(results, long)
    for name, found in results.items():
        ratios = [ours / baseline for ours, baseline in zip(found["ours"], found["baseline"], strict=True)]
        assert len(ratios) >= 3
        assert found["median"] == pytest.approx(np.median(ratios)), name
