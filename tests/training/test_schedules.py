"""The one-cycle schedule of the learning rate."""

import numpy as np
import pytest

from dlkit import training


def test_one_cycle_rises_to_its_peak_and_falls_to_almost_zero():
    schedule = training.OneCycle(0.4, 100, warmup=0.25)
    rates = np.array([float(schedule(step)) for step in range(100)])
    assert rates.argmax() == 24
    assert rates.max() == pytest.approx(0.4)
    assert np.allclose(np.diff(rates[:25]), 0.4 / 25)
    assert (np.diff(rates[24:]) < 0).all()
    assert 0 < rates[-1] < 0.01
    restored = training.OneCycle.from_config(schedule.get_config())
    assert float(restored(10)) == float(schedule(10))


def test_one_cycle_default_warmup_is_a_quarter_of_the_steps():
    # The accuracies in benchmarks/RESULTS.md were measured with it.
    assert training.OneCycle(1.0, 100).get_config() == {"peak": 1.0, "steps": 100, "warmup": 0.25}
