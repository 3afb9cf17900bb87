"""Checkers of lesson 09."""

from __future__ import annotations

import numpy as np

from dlkit.exercises.helpers import check_returned, check_shape, checker


@checker("09.output_size")
def output_size(student):
    """Checks floor((n + 2p - δ(k - 1) - 1) / s) + 1, on cases that separate the usual mistakes."""
    cases = [  # size, kernel, stride, padding, dilation, expected, hint
        (
            32,
            3,
            1,
            0,
            1,
            30,
            "without padding and dilation, a window of size k fits n pixels at n − k + 1 positions",
        ),
        (32, 3, 1, 1, 1, 32, "padding adds p zeros on *both* sides"),
        (32, 2, 2, 0, 1, 16, "with stride s, only every s-th position counts"),
        (33, 4, 2, 0, 1, 15, "a window that hangs over the edge does not count: round down"),
        (32, 3, 1, 0, 2, 28, "a window of size k with dilation δ spans δ(k − 1) + 1 pixels"),
        (31, 5, 3, 2, 2, 9, "each rule is correct alone; combine them: first dilation, then padding, then stride"),
        (7, 7, 1, 0, 1, 1, "a window as large as the image fits once"),
    ]
    for *numbers, expected, hint in cases:
        found = student(*numbers)
        if wrong_shape := check_shape(found, (), "the size of the output is one integer"):
            return wrong_shape
        if found != int(found):
            return f"expected an integer, this is {found}; // divides and rounds down"
        if found != expected:
            case = f"size, kernel, stride, padding, dilation = {tuple(numbers)}"
            return f"{hint}. For {case} this gives {found}, not {expected}"
    return None


@checker("09.correlate_with_stride")
def correlate_with_stride(student):
    """Checks a strided cross-correlation of images that are not square against NumPy's sliding windows."""
    rng = np.random.default_rng(0)
    image, kernel = rng.normal(size=(9, 12)), rng.normal(size=(3, 3))

    def correlate(stride, kernel=kernel, image=image):
        view = np.lib.stride_tricks.sliding_window_view(image, kernel.shape)[::stride, ::stride]
        return np.einsum("ijuv,uv->ij", view, kernel)

    for stride in (1, 2, 3):
        found = student(image.copy(), kernel.copy(), stride)
        if hint := check_returned(found):
            return hint
        found, expected = np.asarray(found, dtype=float), correlate(stride)
        if stride > 1 and found.shape == correlate(1).shape:
            return "the output is as large as with stride 1; the window must move on by `stride` pixels"
        if found.shape == expected.T.shape != expected.shape:
            return "rows and columns are exchanged"
        if found.shape != expected.shape:
            return f"a 9 x 12 image, a 3 x 3 kernel and stride {stride} give {expected.shape}; this is {found.shape}"
        if np.allclose(found, correlate(stride, kernel[::-1, ::-1])):
            return "the kernel is rotated by 180 degrees; cross-correlation uses it as it is"
        if stride > 1 and np.allclose(found, correlate(1)[: expected.shape[0], : expected.shape[1]]):
            return "the shape is correct, but the window moves by one pixel: start it at row i·stride, column j·stride"
        if not np.allclose(found, expected):
            return f"the shape is correct, but the values are not (stride {stride}); each is the sum of kernel · window"
    for size in (2, 5):  # with an image that has more rows than columns
        other_kernel, tall_image = rng.normal(size=(size, size)), image.T
        found = np.asarray(student(tall_image.copy(), other_kernel.copy(), 2), dtype=float)
        expected = correlate(2, other_kernel, tall_image)
        if found.shape != expected.shape or not np.allclose(found, expected):
            return f"this is correct for kernels of size 3, but not for {size}; is 3 or 9 x 12 hard-coded in it?"
    return None


@checker("09.diagonal_kernel")
def diagonal_kernel(answer):
    """Checks that a kernel responds over twice as much to falling diagonals as to other lines, and not to gray."""
    kernel = np.asarray(answer, dtype=float)
    if hint := check_shape(kernel, (3, 3), "the kernel is an array of shape (3, 3)"):
        return hint
    if abs(kernel.sum()) > 1e-6:
        return f"the response to constant gray must be 0, so the weights must sum to 0; they sum to {kernel.sum():.3g}"
    horizontal = np.zeros((9, 9))
    horizontal[4] = 1
    lines = {"the other diagonal": np.eye(9)[::-1], "horizontal lines": horizontal, "vertical lines": horizontal.T}

    def strongest(image):
        view = np.lib.stride_tricks.sliding_window_view(image, (3, 3))
        return np.einsum("ijuv,uv->ij", view, kernel).max()

    response = np.trace(kernel)  # with the complete diagonal on the line
    if response <= 0:
        return "the kernel does not respond to the line at all; the weights on the diagonal should be the positive ones"
    for name, other in lines.items():
        if response <= 2 * strongest(other):
            return (
                f"the response to {name} is {strongest(other):.2f}, to the falling diagonal {response:.2f}; it should "
                "be more than twice as large. Weights next to the diagonal can penalize what is not on it"
            )
    return None
