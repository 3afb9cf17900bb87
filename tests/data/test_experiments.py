"""Tables that were computed beforehand, as a lesson loads and shows them."""

import pytest

from dlkit.data import experiments


@pytest.fixture
def content():
    """The content of a finished experiment of four rows: two ways, each with 5 and 20 images."""
    return {
        "title": "Twice",
        "made": "2026-11-05",
        "seconds": 840,
        "machine": {"cores": 2, "processor": "Fast", "device": "CPU"},
        "versions": {"Python": "3.11"},
        "data": {"name": "digits", "is_real": True, "train": 1347, "test": 450},
        "settings": {"seeds": [0, 1]},
        "show": {"rows": "way", "columns": "count", "values": "test"},
        "rows": [
            {"way": "a", "count": 5, "test": [10, 20]},
            {"way": "b", "count": 5, "test": [10, 20]},
            {"way": "a", "count": 20, "test": [40, 50]},
            {"way": "b", "count": 20, "test": [40, 50]},
        ],
    }


@pytest.fixture
def table(content):
    return experiments.Experiment(content)


def test_experiment_shows_means_deviations_and_conditions(table):
    assert "\na\t15.000 ± 7.071\t45.000 ± 7.071\n" in repr(table)
    assert "<td>45.000 ± 7.071</td>" in table._repr_html_()
    for text in (repr(table), table._repr_html_()):
        assert "Computed beforehand: " in text
        assert "data: real digits" in text


def test_experiment_of_one_seed_has_no_deviation(content):
    for row in content["rows"]:
        row["test"] = row["test"][:1]
    assert "\na\t10.000\t40.000\n" in repr(experiments.Experiment(content))


def test_caption_has_date_minutes_and_machine(table):
    assert table.caption().startswith("Computed beforehand: 5 November 2026, 14 min on CPU (2 cores, Fast), data: ")


def test_caption_names_stand_in_data(table):
    table.conditions["data"] = {"name": "shapes10", "is_real": False}
    assert "data: stand-in shapes10" in table.caption()


def test_find_needs_exactly_one_row(table):
    assert table.find(way="b", count=5)["test"] == [10, 20]
    with pytest.raises(ValueError, match="2 rows have"):
        table.find(way="b")
