"""The races' bookkeeping, and that the pipeline's two sides do the same work."""

import dataclasses
import json

import numpy as np
import pytest

from benchmarks import pipeline, race, transfer
from dlkit import data


def test_both_take_turns_and_the_ratio_is_that_of_each_turn(capsys):
    order = []
    rates = {"ours": iter([10.0, 40.0, 60.0]), "theirs": iter([5.0, 10.0, 20.0])}

    def side(name):
        order.append(name)
        return next(rates[name])

    result = race.take_turns(lambda: side("ours"), lambda: side("theirs"), rounds=3)
    assert order == ["theirs", "ours"] * 3
    assert (result["median"], result["lowest"], result["highest"]) == (3.0, 2.0, 4.0)
    assert "turn 2 of 3: 40 against 10, 4.0 times" in capsys.readouterr().out


def result(median):
    told = race.conditions(data="some")
    rest = {"question": "which", "goal": "2", "unit": "images/s", "conditions": told, "lowest": 1.0, "highest": 9.0}
    return {"ours": [4.0], "theirs": [2.0], "median": median, **rest}


def test_a_saved_race_replaces_its_own_row_and_leaves_the_others(tmp_path):
    race.save("first", result(2.0), folder=tmp_path)
    race.save("second", result(3.0), folder=tmp_path)
    race.save("first", result(5.0), folder=tmp_path)
    assert json.loads((tmp_path / "results.json").read_text())["first"]["median"] == 5.0
    text = (tmp_path / "RESULTS.md").read_text()
    assert "**5.0** (1.0 to 9.0)" in text
    assert "**3.0**" in text
    assert "**2.0**" not in text
    assert "TensorFlow" in text


def test_the_published_table_is_that_of_the_published_numbers():
    results = json.loads((race.FOLDER / "results.json").read_text())
    assert (race.FOLDER / "RESULTS.md").read_text() == race.table(results)
    for name, found in results.items():
        ratios = [ours / theirs for ours, theirs in zip(found["ours"], found["theirs"], strict=True)]
        assert len(ratios) >= 3
        assert found["median"] == pytest.approx(np.median(ratios)), name


@pytest.mark.filterwarnings("ignore:Please import `affine_transform`")
def test_both_sides_of_the_pipeline_race_deliver_batches_of_224_pixels(tmp_path, monkeypatch):
    monkeypatch.setattr(pipeline, "IMAGE_COUNT", 64)
    monkeypatch.setattr(pipeline, "LEGACY_BATCHES", 1)
    pipeline.write_folder(tmp_path, data.load("shapes10"), 32)
    assert data.image_folder(tmp_path).train[0].shape == (64, 32, 32, 3)
    made = []
    original = data.pipeline
    monkeypatch.setattr(data, "pipeline", lambda *args, **options: made.append(original(*args, **options)) or made[-1])
    assert pipeline.our_rate(tmp_path) > 0
    assert made[0].element_spec[0].shape[1:] == (224, 224, 3)
    assert pipeline.make_legacy(tmp_path)() > 0


def test_both_ways_of_the_transfer_race_train_the_head_and_leave_the_backbone_alone(tmp_path, monkeypatch):
    shapes = data.load("shapes10")
    small = dataclasses.replace(
        shapes, train=tuple(x[:300] for x in shapes.train), test=tuple(x[:200] for x in shapes.test)
    )
    monkeypatch.setattr(data, "load", lambda name: small)
    monkeypatch.setattr(transfer, "EPOCHS", 1)
    monkeypatch.setattr(transfer, "IMAGE_SIZE", 32)
    contest = transfer.Contest(tmp_path, image_count=300, weights=None)
    before = contest.backbone.get_weights()
    assert contest.theirs() > 0
    assert contest.ours() > 0
    assert len(contest.seconds["again"]) == 1
    assert [len(contest.accuracies[side]) for side in ("theirs", "ours")] == [1, 2]
    assert contest.extraction() > 0
    for old, new in zip(before, contest.backbone.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
