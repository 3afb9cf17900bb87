"""What every plotting function must do: close its figure and change no setting of Matplotlib."""

import matplotlib.pyplot as plt
import pytest


@pytest.fixture(autouse=True)
def check_that_nothing_is_left_behind():
    """After each test, no figure is open and Matplotlib's settings are those from before."""
    before = dict(plt.rcParams)
    yield
    assert plt.get_fignums() == [], "a figure left open is shown twice in a notebook"
    assert dict(plt.rcParams) == before
