"""The races' bookkeeping, and that the pipeline's two sides do the same work."""

import json
import subprocess

import keras
import numpy as np
import pytest

from benchmarks import cifar10, frozen, long, pipeline, race, startup
from dlkit import data
from dlkit.data import synthetic


@pytest.fixture
def small_cifar10(monkeypatch):
    """A few drawn shapes that answer to the name of CIFAR-10."""
    train, test = synthetic.shapes10(300, seed=0), synthetic.shapes10(200, seed=1)
    small = data.Dataset("shapes10", train, test, list(synthetic.SHAPES), False, "dlkit (generated)")
    monkeypatch.setattr(data, "load", lambda name: small)
    return small


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
    results, trained = race.read()
    assert (race.FOLDER / "RESULTS.md").read_text() == race.table(results, trained)
    for name, found in results.items():
        ratios = [ours / theirs for ours, theirs in zip(found["ours"], found["theirs"], strict=True)]
        assert len(ratios) >= 3
        assert found["median"] == pytest.approx(np.median(ratios)), name


@pytest.mark.slow
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


@pytest.mark.slow
def test_both_ways_of_the_frozen_race_train_the_same_head_and_nothing_else(tmp_path, small_cifar10, monkeypatch):
    monkeypatch.setattr(frozen, "EPOCHS", 2)
    monkeypatch.setattr(frozen, "IMAGE_SIZE", 32)
    contest = frozen.Contest(tmp_path, image_count=100, backbone="mobilenet")
    for layer in contest.backbone.layers:  # else the features of random weights are too small to tell heads apart
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.gamma.assign(keras.ops.full_like(layer.gamma, 3.0))
    before = contest.backbone.get_weights()
    assert contest.theirs() > 0
    assert contest.ours() > 0
    assert len(contest.seconds["again"]) == 1
    theirs, first, again = *contest.losses["theirs"], *contest.losses["ours"]
    assert first == again
    assert first == pytest.approx(theirs, rel=1e-3), "features are kept with 16 bits"
    for old, new in zip(before, contest.backbone.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    assert frozen.extraction(contest.backbone, contest.images, tmp_path / "rate") > 0


@pytest.mark.slow
def test_all_who_take_part_in_the_cifar10_race_classify_the_test_images(small_cifar10, monkeypatch):
    monkeypatch.setattr(cifar10, "THEIR_EPOCHS", 1)
    monkeypatch.setattr(cifar10, "BORROWED_SIZE", 32)
    contest = cifar10.Contest(weights=None)
    for seconds, accuracy in (contest.theirs(0), contest.from_scratch(0, 1), contest.borrowed(0)):
        assert seconds > 0
        assert 0 <= accuracy <= 1


def test_so_many_epochs_are_run_that_building_and_testing_fit_in_too(small_cifar10):
    contest = cifar10.Contest(weights=None)
    contest.epoch_seconds = 12.0
    assert contest.epochs_within(100.0, 20.0) == 7  # 8 s for the rest, 95 s in all
    assert contest.epochs_within(10.0, 20.0) == 1


def test_who_misses_the_line_or_takes_too_long_has_nothing_in_that_turn(small_cifar10, tmp_path):
    runs = {
        "theirs": [(100.0, 0.70), (100.0, 0.69), (90.0, 0.70)],
        "short": [(20.0, 0.71), (20.0, 0.60), (18.0, 0.70)],
        "long": [(99.0, 0.80), (101.0, 0.83), (80.0, 0.84)],
        "borrowed": [(10.0, 0.71), (10.0, 0.72), (9.0, 0.73)],
    }
    cifar10.save(small_cifar10, runs, folder=tmp_path)
    results = json.loads((tmp_path / "results.json").read_text())
    assert results["cifar10-scratch"]["ours"] == [180.0, 0.0, 200.0]
    assert (results["cifar10-scratch"]["median"], results["cifar10-scratch"]["lowest"]) == (5.0, 0.0)
    assert results["cifar10-same-time"]["ours"] == [0.80, 0.0, 0.84]
    assert results["cifar10-borrowed"]["median"] == 10.0
    assert "0.7100 0.6000 0.7000" in (tmp_path / "RESULTS.md").read_text()


def test_the_long_training_is_told_with_its_curve(tmp_path):
    history = [{"accuracy": 0.1 * k, "val_accuracy": 0.08 * k, "seconds": 60.0} for k in range(1, 7)]
    card = {"name": "cifar10", "is_real": True, "train_images": 50_000, "test_images": 10_000}
    about = {"accuracy": 0.91234, "accuracy_interval_95": (0.906, 0.918), "seconds": 360.0, "parameters": 1_975_096}
    about |= {
        "epochs": 6,
        "batch_size": 128,
        "seed": 0,
        "precision": "mixed_bfloat16",
        "data": card,
        "history": history,
    }
    long.save(about, folder=tmp_path)
    text = (tmp_path / "RESULTS.md").read_text()
    assert "**0.9123** (95 % interval 0.906 to 0.918) after 6 minutes" in text
    assert "50,000 training images (a tenth of them for validation), 10,000 test" in text
    assert "| 5 | 5.0 | 0.500 | 0.400 |" in text
    assert "| 6 | 6.0 | 0.600 | 0.480 |" in text
    assert (tmp_path / "long.png").stat().st_size > 5_000


def test_a_start_is_timed_to_the_end_of_the_process_and_must_not_fail():
    assert startup.starts_per_minute("import time; time.sleep(0.2)") < 60 / 0.2
    with pytest.raises(subprocess.CalledProcessError):
        startup.starts_per_minute("raise SystemExit(1)")
    assert 0 < startup.import_milliseconds() < 500
