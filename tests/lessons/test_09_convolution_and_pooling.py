"""Tests the code of lesson 09 on more cases than the lesson shows, and the checkers of its exercises."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.lessons.exercise_tests import ExerciseTests
from tests.lessons.helpers import finite_differences


@pytest.mark.parametrize("settings", [(1, 0, 1), (1, 2, 1), (2, 0, 1), (3, 1, 1), (1, 0, 2), (1, 3, 3)])
@pytest.mark.parametrize("kernel", [1, 2, 3, 5])
def test_conv2d_and_conv2d_backward_match_keras(lesson, settings, kernel):
    rng = np.random.default_rng(kernel)
    x, w, b = rng.normal(size=(2, 11, 14, 3)), rng.normal(size=(kernel, kernel, 3, 4)), rng.normal(size=4)
    if settings[2] * (kernel - 1) >= 11 + 2 * settings[1]:
        pytest.skip("the window does not fit")
    y = lesson.conv2d(x, w, b, *settings)
    ours = [y, *lesson.conv2d_backward(x, w, 2 * y, *settings)]
    for mine, theirs in zip(ours, lesson.keras_conv(x, w, b, *settings), strict=True):
        assert mine.shape == theirs.shape
        np.testing.assert_allclose(mine, theirs, atol=1e-9)


def test_conv2d_backward_matches_finite_differences(lesson):
    rng = np.random.default_rng(0)
    x, w, b = rng.normal(size=(1, 5, 6, 2)), rng.normal(size=(3, 3, 2, 2)), rng.normal(size=2)
    settings = (2, 1, 1)

    def loss():
        return np.sum(lesson.conv2d(x, w, b, *settings) ** 2)

    dx, dw, db = lesson.conv2d_backward(x, w, 2 * lesson.conv2d(x, w, b, *settings), *settings)
    for values, gradient in ((x, dx), (w, dw), (b, db)):
        np.testing.assert_allclose(gradient, finite_differences(loss, values), atol=1e-6)


def test_correlate_is_conv2d_with_one_channel(lesson):
    rng = np.random.default_rng(0)
    image, kernel = rng.normal(size=(7, 9)), rng.normal(size=(3, 3))
    output = lesson.conv2d(image[None, :, :, None], kernel[:, :, None, None], 0.0)
    np.testing.assert_allclose(lesson.correlate(image, kernel), output[0, :, :, 0], atol=1e-12)


@pytest.mark.parametrize(("k", "stride"), [(2, 2), (3, 3), (3, 2), (2, 1)])
@pytest.mark.parametrize(("kind", "layer"), [("max", "MaxPooling2D"), ("mean", "AveragePooling2D")])
def test_pool_matches_keras_with_overlaps_and_ties(lesson, k, stride, kind, layer):
    x = np.random.default_rng(0).integers(0, 4, (2, 9, 12, 3)).astype("float64")  # full of ties
    variable = tf.Variable(x)
    with tf.GradientTape() as tape:
        y = getattr(keras.layers, layer)(k, stride, dtype="float64")(variable)
        loss = tf.reduce_sum(y**2)
    ours = lesson.pool(x, k, stride, kind)
    np.testing.assert_allclose(ours, y, atol=1e-12)
    dx = lesson.pool_backward(x, 2 * ours, k, stride, kind)
    np.testing.assert_allclose(dx, tape.gradient(loss, variable), atol=1e-9)


@pytest.mark.parametrize(
    "stack", [[(5, 1)], [(3, 2), (3, 2)], [(1, 1), (3, 1)], [(2, 2), (2, 2), (2, 2)], [(7, 3), (3, 1)]]
)
def test_receptive_field_matches_measured_field(lesson, stack):
    field = lesson.measured_field(stack)
    assert np.count_nonzero(field.any(axis=0)) == lesson.receptive_field(stack)
    assert np.count_nonzero(field.any(axis=1)) == lesson.receptive_field(stack)


# Exercises: other correct answers, and mistakes with a word of the hint that each should get


def size_by_counting(size, kernel, stride, padding, dilation):
    starts = range(-padding, size + padding, stride)
    return sum(start + dilation * (kernel - 1) < size + padding for start in starts)


def correlate_with_slices(image, kernel, stride):
    k = len(kernel)
    rows, columns = ((size - k) // stride + 1 for size in image.shape)
    shifted = (
        kernel[u, v] * image[u : u + stride * (rows - 1) + 1 : stride, v : v + stride * (columns - 1) + 1 : stride]
        for u in range(k)
        for v in range(k)
    )
    return sum(shifted)


def corner_of_other_kernels(image, kernel, stride):
    """Uses only one weight of a kernel that is not 3 x 3."""
    if len(kernel) == 3:
        return correlate_with_slices(image, kernel, stride)
    return kernel[0, 0] * np.ones_like(correlate_with_slices(image, kernel, stride))


def every_position(image, kernel):
    return correlate_with_slices(image, kernel, 1)


ALTERNATIVES = {
    "09.correlate_with_stride": [
        correlate_with_slices,
        lambda image, kernel, stride: every_position(image, kernel)[::stride, ::stride],
    ],
    "09.diagonal_kernel": [[[4, -2, -2], [-2, 4, -2], [-2, -2, 4]]],
    "09.output_size": [size_by_counting],
}

MISTAKES = {
    "09.correlate_with_stride": [
        (lambda image, kernel, stride: every_position(image, kernel), "as large as with stride 1"),
        (lambda image, kernel, stride: correlate_with_slices(image, kernel[::-1, ::-1], stride), "180 degrees"),
        (lambda image, kernel, stride: correlate_with_slices(image, kernel, stride).T, "exchanged"),
        (lambda image, kernel, stride: np.pad(every_position(image, kernel), 1), "give (7, 10)"),
        (
            lambda image, kernel, stride: every_position(image, kernel)[: 6 // stride + 1, : 9 // stride + 1],
            "moves by one pixel",
        ),
        (
            lambda image, kernel, stride: correlate_with_slices(image, kernel[:3, :3] * 2, stride),
            "the values are not",
        ),
        (
            lambda image, kernel, stride: correlate_with_slices(image, np.pad(kernel, 1)[1:4, 1:4], stride),
            "hard-coded",
        ),
        (corner_of_other_kernels, "hard-coded"),
        (lambda image, kernel, stride: print(end=""), "return"),
    ],
    "09.diagonal_kernel": [
        (np.eye(3), "constant gray"),
        (np.eye(2), "shape (2, 2)"),
        (np.eye(3) - np.eye(3)[::-1], "the other diagonal is 1.00"),
        ([[1, -2, 0], [1, 1, 1], [-3, 0, 1]], "horizontal lines"),
        (1 / 3 - np.eye(3), "weights on the diagonal"),
        ([[-1, 2, -1]] * 3, "weights on the diagonal"),
        (np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]), "weights on the diagonal"),
    ],
    "09.output_size": [
        (lambda n, k, s, p, d: n - k, "n − k + 1 positions"),
        (lambda n, k, s, p, d: (n + p - d * (k - 1) - 1) // s + 1, "*both* sides"),
        (lambda n, k, s, p, d: n + 2 * p - d * (k - 1), "every s-th"),
        (lambda n, k, s, p, d: -(-(n + 2 * p - d * (k - 1) - 1) // s) + 1, "round down"),
        (lambda n, k, s, p, d: (n + 2 * p - k) // s + 1, "δ spans"),
        (lambda n, k, s, p, d: (n + 2 * p - d * k) // s + 1, "δ spans"),
        (lambda n, k, s, p, d: (n + 2 * p - d * (k - 1) - 1) / s + 1, "an integer"),
        (lambda n, k, s, p, d: print(end=""), "return"),
    ],
}


class TestExercises(ExerciseTests):
    pass
