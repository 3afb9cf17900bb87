"""Fixtures for the tests that need real images and real weights."""

import pytest

from dlkit import data, transfer


@pytest.fixture(scope="session")
def real_cifar10():
    """The real CIFAR-10. Tests that need it are skipped if it or the weights of MobileNet are missing."""
    try:
        dataset = data.load("cifar10", real=True)
        transfer.find_weights("mobilenet")
    except data.DataError as error:
        pytest.skip(str(error))
    return dataset
