"""Checkers of lesson 22."""

from __future__ import annotations

import numpy as np

from dlkit.exercises.helpers import check_accuracies, check_keys, check_returned, check_shape, checker, first_match

_TOP, _LEFT, _SIZE = 22, 5, 4


def plant(images, labels):
    """Hides a shortcut in the images of label 1. Students of exercise 22.3: please stop reading here.

    Args:
        images: Array of uint8 of shape (count, 32, 32, 3).
        labels: Array of integers of shape (count,), 0 or 1.

    Returns:
        Array of new images of the same shape; those of label 1 have a faint checkered square in rows 22 to 25, columns
        5 to 8.
    """
    pattern = 40 * (2 * (np.indices((_SIZE, _SIZE)).sum(axis=0) % 2) - 1)[..., None]
    planted = images.astype(int)
    square = (np.asarray(labels) == 1, slice(_TOP, _TOP + _SIZE), slice(_LEFT, _LEFT + _SIZE))
    planted[square] += pattern
    return planted.clip(0, 255).astype("uint8")


@checker("22.integrated_linear")
def integrated_linear(answer):
    """Checks three integrated gradients of a linear model, weight times difference to the baseline."""
    hints = [
        ((3.0, -2.0, 0.5), "those are the gradients; multiply each of them by the difference x − x'"),
        ((6.0, -2.0, 2.0), "multiply by the difference x − x', not by x"),
        ((2.0, 0.0, 2.0), "that is the difference x − x'; multiply it by the weights"),
        ((7.0, 1.0, 2.0), "the constant 1 is in both logits and belongs to no input"),
        ((-6.0, 0.0, -1.0), "the path leads from x' to x, not back"),
    ]
    if np.shape(answer) != (3,):
        return "give three numbers, (a_1, a_2, a_3)"
    if np.allclose(answer, (6.0, 0.0, 1.0)):
        return None
    return first_match(answer, hints, "the gradient is the same all along the path: compute weight times (x − x')")


@checker("22.occlude")
def occlude(student):
    """Checks occlusion of a linear score at two sizes, with an image that must not change."""
    for shape, size in (((6, 8, 2), 2), ((9, 3, 1), 3)):
        if hint := _compare_drops(student, shape, size):
            return hint
    return None


def _compare_drops(student, shape, size):
    rng = np.random.default_rng(0)
    weights, image = rng.normal(size=shape), rng.uniform(1, 9, shape)

    def score(images):
        if np.ndim(images) != 4:
            raise ValueError(f"score takes a batch of images, four dimensions; this has {np.ndim(images)}: image[None]")
        return (np.asarray(images) * weights).sum(axis=(1, 2, 3))

    before, table = image.copy(), (shape[0] // size, shape[1] // size)
    found = student(score, image, size, 5.0)
    if hint := check_returned(found):
        return hint
    if not np.array_equal(image, before):
        return "the image itself has changed: cover squares of a copy"
    description = f"one number for each square: shape {table} for {shape[0]} x {shape[1]} pixels and size {size}"
    if hint := check_shape(found, table, description):
        return hint

    def sums(values):
        return values.reshape(table[0], size, table[1], size, -1).sum(axis=(1, 3, 4))

    drops = sums((image - 5.0) * weights)
    if np.allclose(found, drops):
        return None
    covered = score(image[None])[0] - drops
    hints = [
        (-drops, "compute the score before minus the score after, so that a drop is positive"),
        (covered, "those are the scores of the covered images; subtract them from the score of the image"),
        (sums(image * weights), "cover with `fill`, not with 0"),
        (np.cumsum(drops).reshape(table), "only one square is covered at a time: take a new copy for each"),
    ]
    return first_match(found, hints, "for each square, subtract the score of the covered image from that of the image")


@checker("22.find_the_shortcut")
def find_the_shortcut(measured):
    """Checks the experiment: the position of the planted square, and the accuracy that it adds."""
    if hint := check_keys(measured, {"row": "…", "column": "…", "with": "accuracy", "without": "accuracy"}):
        return hint
    if hint := check_accuracies((measured["with"], measured["without"])):
        return hint
    center = np.array([_TOP, _LEFT]) + (_SIZE - 1) / 2
    position = np.array([measured["row"], measured["column"]], float)
    if np.abs(position - center).max() > 3:
        if np.abs(position[::-1] - center).max() <= 3:
            return "row and column are swapped"
        return "the shortcut is not there: average the maps of many images, then take the peak"
    if measured["with"] < 0.9:
        return "with the shortcut, the network should reach an accuracy of 0.9: train it for longer, then look again"
    if measured["with"] - measured["without"] < 0.15:
        return "the position is correct; now prove it: without the shortcut, accuracy should drop by at least 0.15"
    return None
