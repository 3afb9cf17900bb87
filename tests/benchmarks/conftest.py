"""Data that is small enough to run a benchmark as a test."""

import pytest

from dlkit import data
from dlkit.data import synthetic


@pytest.fixture
def small_cifar10(monkeypatch):
    """Replaces CIFAR-10 by a few drawn shapes."""
    train, test = synthetic.shapes10(300, seed=0), synthetic.shapes10(200, seed=1)
    small = data.Dataset("shapes10", train, test, list(synthetic.SHAPES), False, "dlkit (generated)")
    monkeypatch.setattr(data, "load", lambda name: small)
    return small
