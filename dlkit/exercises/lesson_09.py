"""Checkers of lesson 09."""

from __future__ import annotations

import numpy as np

from dlkit.exercises.helpers import checker


@checker("09.output_size")
def output_size(student):
    """floor((n + 2p - d(k - 1) - 1) / s) + 1, on cases that tell the usual slips apart."""
    cases = [  # size, kernel, stride, padding, dilation, right, hint
        (
            32,
            3,
            1,
            0,
            1,
            30,
            "without stride, padding and dilation a window of k fits into n pixels at n − k + 1 places",
        ),
        (32, 3, 1, 1, 1, 32, "padding adds p zeros on *both* sides"),
        (32, 2, 2, 0, 1, 16, "with stride s only every s-th of the places counts"),
        (33, 4, 2, 0, 1, 15, "a window that hangs over the edge does not count: round down"),
        (32, 3, 1, 0, 2, 28, "a window of k with dilation d reaches over d(k − 1) + 1 pixels"),
        (31, 5, 3, 2, 2, 9, "each part is right alone; put them together: reach first, then padding, then stride"),
        (7, 7, 1, 0, 1, 1, "a window as large as the image fits once"),
    ]
    for *numbers, right, hint in cases:
        found = student(*numbers)
        if found is None:
            return "your function returns nothing; is the `return` missing?"
        if np.ndim(found) != 0 or found != int(found):
            return f"expected a whole number, this is {found}; // divides and rounds down"
        if found != right:
            case = f"size, kernel, stride, padding, dilation = {tuple(numbers)}"
            return f"{hint}. For {case} this gives {found}, not {right}"
    return None


@checker("09.correlate_with_stride")
def correlate_with_stride(student):
    """A strided cross-correlation of a grey image that is not square, against sums written out."""
    rng = np.random.default_rng(0)
    image, kernel = rng.normal(size=(9, 12)), rng.normal(size=(3, 3))

    def expected(stride, kernel=kernel, image=image):
        view = np.lib.stride_tricks.sliding_window_view(image, kernel.shape)[::stride, ::stride]
        return np.einsum("ijuv,uv->ij", view, kernel)

    for stride in (1, 2, 3):
        found = student(image.copy(), kernel.copy(), stride)
        if found is None:
            return "your function returns nothing; is the `return` missing?"
        found, right = np.asarray(found, dtype=float), expected(stride)
        if stride > 1 and found.shape == expected(1).shape:
            return "the output is as large as with stride 1; the window must move on by `stride` pixels"
        if found.shape == right.T.shape != right.shape:
            return "rows and columns are exchanged"
        if found.shape != right.shape:
            return f"a 9 x 12 image, a 3 x 3 kernel and stride {stride} give {right.shape}; this is {found.shape}"
        if np.allclose(found, expected(stride, kernel[::-1, ::-1])):
            return "the kernel is turned by half a turn; here it is laid on the image as it is"
        if stride > 1 and np.allclose(found, expected(1)[: right.shape[0], : right.shape[1]]):
            return (
                "the size is right, but the window still moves by one pixel: it starts at row i·stride, column j·stride"
            )
        if not np.allclose(found, right):
            return f"the size is right, the numbers are not (stride {stride}); each is the sum of kernel · window"
    for size in (2, 5):  # the image stands upright now
        own, upright = rng.normal(size=(size, size)), image.T
        found = np.asarray(student(upright.copy(), own.copy(), 2), dtype=float)
        right = expected(2, own, upright)
        if found.shape != right.shape or not np.allclose(found, right):
            return f"right for kernels of 3, wrong for one of {size}; is the 3, or 9 x 12, written into the function?"
    return None


@checker("09.diagonal_kernel")
def diagonal_kernel(answer):
    """A kernel whose largest answer to a falling line is twice that to any other line, and 0 to an even grey."""
    kernel = np.asarray(answer, dtype=float)
    if kernel.shape != (3, 3):
        return f"expected an array of shape (3, 3). This has shape {kernel.shape}"
    if abs(kernel.sum()) > 1e-6:
        return f"its numbers sum to {kernel.sum():.3g}; an even grey gives that sum times the grey, so it must be 0"
    lines = {"the other diagonal": np.eye(9)[::-1], "level lines": np.zeros((9, 9)), "upright lines": np.zeros((9, 9))}
    lines["level lines"][4] = lines["upright lines"][:, 4] = 1

    def strongest(image):
        view = np.lib.stride_tricks.sliding_window_view(image, (3, 3))
        return np.einsum("ijuv,uv->ij", view, kernel).max()

    wanted = np.trace(kernel)  # the line under the whole diagonal
    if wanted <= 0:
        return "it does not answer to the line at all; the weights on the diagonal should be the positive ones"
    for name, other in lines.items():
        if wanted <= 2 * strongest(other):
            return (
                f"to {name} it answers with {strongest(other):.2f}, to the falling diagonal with {wanted:.2f}; more "
                "than twice is wanted. Weights beside the line can punish what is not on it"
            )
    return None
