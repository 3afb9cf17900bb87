"""Checkers of notebooks 09 to 12: vision."""

from __future__ import annotations

import numpy as np

from dlkit.exercises import checker


@checker("11.multiply_adds")
def multiply_adds(answer):
    """Multiply-adds of a 3x3 convolution from 32 to 64 channels, output 13 x 13, for one image."""
    right = 13 * 13 * 64 * 3 * 3 * 32
    if isinstance(answer, bool) or not isinstance(answer, (int, float, np.integer)):
        return f"give one number, such as `multiply_adds = 7`; this is {type(answer).__name__}"
    hints = {
        3 * 3 * 32 * 64: "those are the weights; each is used once for every place of the output",
        13 * 13 * 64 * 9: "each output sums over all 32 input channels too",
        13 * 13 * 9 * 32: "that is one output channel; there are 64",
        15 * 15 * 64 * 9 * 32: "without padding the kernel fits 13 times each way, not 15",
        2 * right: "a multiplication and the addition that follows count as one multiply-add here",
        right + 64 * 13 * 13: "additions of the bias are not counted",
    }
    if answer != right:
        return hints.get(answer, "places of the output (13·13) × output channels × kernel (3·3) × input channels")
    return None


@checker("11.cutout")
def cutout(student):
    """Zeroes one square of each image, somewhere else in each, and leaves the given array alone."""
    images = np.full((64, 16, 16, 3), 200, "uint8")
    images[:, :, :, 1] = np.arange(1, 17, dtype="uint8")[None, :, None]
    before = images.copy()
    result = student(images, 6, np.random.default_rng(0))
    if result is None:
        return "your function returns nothing; is the `return` missing?"
    result = np.asarray(result)
    if result.shape != images.shape:
        return f"the result has shape {result.shape}, expected {images.shape}"
    if not np.array_equal(images, before):
        return "the images that came in were changed; work on a copy, they are needed again in the next epoch"
    if result.dtype != images.dtype:
        return f"the result is {result.dtype}, the images are {images.dtype}; keep their type"
    zero = result == 0
    if not zero.any():
        return "no pixel was set to zero"
    if not np.array_equal(zero.all(axis=-1), zero.any(axis=-1)):
        return "the square must be cut out of all three channels"
    hole = zero.all(axis=-1)
    if not np.array_equal(result[~hole], images[~hole]):
        return "pixels outside the square were changed"
    counts = hole.sum(axis=(1, 2))
    if (counts == 0).any():
        return "some images have no hole; every image gets one"
    boxes = [(np.ptp(rows) + 1, np.ptp(columns) + 1) for rows, columns in map(np.nonzero, hole)]
    if any(height * width != count for (height, width), count in zip(boxes, counts, strict=True)):
        return "the hole of an image must be one filled square"
    if max(counts) != 36 or any(height > 6 or width > 6 for height, width in boxes):
        return f"a square of 6 x 6 pixels was asked for; the largest hole here has {max(counts)} pixels"
    places = {tuple(np.argwhere(image)[0]) for image in hole}
    if len(places) == 1:
        return "every image has its hole at the same place; draw a place for each image"
    return None


@checker("11.five_points")
def five_points(measured):
    """The student's experiment: {"before": (accuracy, seconds), "after": (accuracy, seconds)} on validation images."""
    if not isinstance(measured, dict) or set(measured) != {"before", "after"}:
        return 'give {"before": (accuracy, seconds), "after": (accuracy, seconds)}'
    try:
        (before, _), (after, seconds) = ((float(a), float(s)) for a, s in (measured["before"], measured["after"]))
    except (TypeError, ValueError):
        return "each entry is a pair of numbers: (accuracy, seconds)"
    if not 0 <= min(before, after) <= max(before, after) <= 1:
        return "accuracies are shares between 0 and 1, not percentages"
    if seconds > 60:
        return f"the budget is 60 s of training, this took {seconds:.0f} s; where does the time go?"
    if after - before < 0.05:
        return f"{(after - before) * 100:+.1f} points; change one thing at a time, keep what helps"
    return None
