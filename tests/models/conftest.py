"""The architectures that several tests build."""

import keras
import pytest

from tests.models.helpers import BUILDERS


@pytest.fixture(params=BUILDERS)
def architecture(request):
    """Each of the well-known networks in turn, newly initialized, with small dense layers."""
    keras.utils.set_random_seed(0)
    return BUILDERS[request.param]()
