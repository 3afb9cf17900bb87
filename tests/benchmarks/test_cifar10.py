"""The trainings that are compared on CIFAR-10, and what is saved about them."""

import json

import pytest

from benchmarks import cifar10


@pytest.mark.slow
def test_every_training_classifies_the_test_images(small_cifar10, monkeypatch):
    monkeypatch.setattr(cifar10, "BASELINE_EPOCHS", 1)
    monkeypatch.setattr(cifar10, "PRETRAINED_SIZE", 32)
    trainings = cifar10.Trainings(weights=None)
    for seconds, accuracy in (
        trainings.train_baseline(0),
        trainings.train_from_scratch(0, 1),
        trainings.train_pretrained(0),
    ):
        assert seconds > 0
        assert 0 <= accuracy <= 1


def test_epochs_within_leaves_time_for_building_and_testing(small_cifar10):
    trainings = cifar10.Trainings(weights=None)
    trainings.epoch_seconds = 12.0
    assert trainings.epochs_within(100.0, 20.0) == 7  # 8 s for the rest, 95 s in total
    assert trainings.epochs_within(10.0, 20.0) == 1


def test_save_runs_counts_missed_accuracy_or_time_as_zero(small_cifar10, tmp_path):
    runs = {
        "baseline": [(100.0, 0.70), (100.0, 0.69), (90.0, 0.70)],
        "short": [(20.0, 0.71), (20.0, 0.60), (18.0, 0.70)],
        "long": [(99.0, 0.80), (101.0, 0.83), (80.0, 0.84)],
        "pretrained": [(10.0, 0.71), (10.0, 0.72), (9.0, 0.73)],
    }
    cifar10.save_runs(small_cifar10, runs, folder=tmp_path)
    results = json.loads((tmp_path / "results.json").read_text())
    assert results["cifar10-scratch"]["ours"] == [180.0, 0.0, 200.0]
    assert (results["cifar10-scratch"]["median"], results["cifar10-scratch"]["lowest"]) == (5.0, 0.0)
    assert results["cifar10-same-time"]["ours"] == [0.80, 0.0, 0.84]
    assert results["cifar10-pretrained"]["median"] == 10.0
    assert "0.7100 0.6000 0.7000" in (tmp_path / "RESULTS.md").read_text()
