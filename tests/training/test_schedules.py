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


def test_one_cycle_stays_at_zero_after_its_last_step():
    schedule = training.OneCycle(0.4, 10)
    assert [float(schedule(step)) for step in (10, 11, 50)] == [0, 0, 0]


@pytest.mark.parametrize(
    ("arguments", "name"), [((0, 10), "peak"), ((-1, 10), "peak"), ((1, 0), "steps"), ((1, 2.5), "steps")]
)
def test_one_cycle_refuses_arguments_out_of_range(arguments, name):
    with pytest.raises(ValueError, match=f"Expected {name} to be"):
        training.OneCycle(*arguments)
    with pytest.raises(ValueError, match="Expected warmup to be a number of at least 0 and of at most 1"):
        training.OneCycle(1.0, 10, warmup=25)
