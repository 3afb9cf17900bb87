"""What the tests of data share."""

import pytest

from dlkit.data import synthetic


@pytest.fixture
def small_stand_ins(small_stand_ins, monkeypatch):
    """Makes the stand-in for MNIST small, too."""
    digits28 = synthetic.digits28
    monkeypatch.setattr(synthetic, "digits28", lambda images, labels, count: digits28(images, labels, count // 100))
