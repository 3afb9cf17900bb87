"""Comparisons of lists of arrays, such as the weights of two models."""

import numpy as np


def assert_same_arrays(found, expected):
    """Asserts that two lists have the same length and that their arrays are equal to the last bit."""
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_array_equal(a, b)
