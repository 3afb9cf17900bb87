"""Checkers of lesson 22."""

from __future__ import annotations

import numpy as np

from dlkit.exercises.helpers import checker

_TOP, _LEFT, _SIZE = 22, 5, 4


def plant(images, labels):
    """Hides a shortcut in the images of label 1: students of exercise 22.3 stop reading here, please.

    Args:
        images: uint8 array of shape (count, 32, 32, 3).
        labels: integers of shape (count,), 0 or 1.

    Returns:
        New images; those of label 1 have a faint chequered square in rows 22 to 25, columns 5 to 8.
    """
    pattern = 40 * (2 * (np.indices((_SIZE, _SIZE)).sum(axis=0) % 2) - 1)[..., None]
    planted = images.astype(int)
    square = (np.asarray(labels) == 1, slice(_TOP, _TOP + _SIZE), slice(_LEFT, _LEFT + _SIZE))
    planted[square] += pattern
    return planted.clip(0, 255).astype("uint8")


@checker("22.integrated_linear")
def integrated_linear(answer):
    """Weight times way, for each input."""
    right = (6.0, 0.0, 1.0)
    hints = {
        (3.0, -2.0, 0.5): "those are the gradients; each is multiplied with the way x − x'",
        (6.0, -2.0, 2.0): "multiply with the way x − x', not with x",
        (2.0, 0.0, 2.0): "that is the way x − x'; multiply it with the weights",
        (7.0, 1.0, 2.0): "the constant 1 is in both logits and belongs to no input",
        (-6.0, 0.0, -1.0): "the way leads from x' to x, not back",
    }
    if np.shape(answer) != (3,):
        return "give three numbers, (a_1, a_2, a_3)"
    if np.allclose(answer, right):
        return None
    fits = (hint for wrong, hint in hints.items() if np.allclose(answer, wrong))
    return next(fits, "the slope is the same all along the way: weight times (x − x')")


@checker("22.occlude")
def occlude(student):
    """Against sums that are known, at two sizes, with an image that must stay as it was."""
    for shape, size in (((6, 8, 2), 2), ((9, 3, 1), 3)):
        if hint := _wrong_falls(student, shape, size):
            return hint
    return None


def _wrong_falls(student, shape, size):
    rng = np.random.default_rng(0)
    weights, image = rng.normal(size=shape), rng.uniform(1, 9, shape)

    def score(images):
        if np.ndim(images) != 4:
            raise ValueError(f"score takes a batch of images, four dimensions; this has {np.ndim(images)}: image[None]")
        return (np.asarray(images) * weights).sum(axis=(1, 2, 3))

    before, table = image.copy(), (shape[0] // size, shape[1] // size)
    found = student(score, image, size, 5.0)
    if found is None:
        return "your function returns nothing; is the `return` missing?"
    if not np.array_equal(image, before):
        return "the image itself has changed: cover a copy"
    if np.shape(found) != table:
        told = f"shape {table} for {shape[0]} x {shape[1]} pixels and size {size}"
        return f"one number for each square: {told}; this has {np.shape(found)}"

    def sums(values):
        return values.reshape(table[0], size, table[1], size, -1).sum(axis=(1, 3, 4))

    fall = sums((image - 5.0) * weights)
    if np.allclose(found, fall):
        return None
    hints = [
        (-fall, "before minus after: a fall is positive"),
        (
            score(image[None])[0] - fall,
            "those are the scores of the covered images; subtract them from the score of the image",
        ),
        (sums(image * weights), "cover with `fill`, not with 0"),
        (np.cumsum(fall).reshape(table), "each square is covered alone: begin with a new copy for each"),
    ]
    return next((hint for wrong, hint in hints if np.allclose(found, wrong)), "square by square: score − score covered")


@checker("22.find_the_shortcut")
def find_the_shortcut(measured):
    """The student's experiment: the place of the planted square, and what it is worth to the network."""
    if not isinstance(measured, dict) or set(measured) != {"row", "column", "with", "without"}:
        return 'give {"row": …, "column": …, "with": accuracy, "without": accuracy}'
    if not all(0 <= measured[key] <= 1 for key in ("with", "without")):
        return "accuracies lie between 0 and 1"
    centre = np.array([_TOP, _LEFT]) + (_SIZE - 1) / 2
    place = np.array([measured["row"], measured["column"]], float)
    if np.abs(place - centre).max() > 3:
        swapped = np.abs(place[::-1] - centre).max() <= 3
        return (
            "row and column are swapped" if swapped else "not there: take the mean of many images' maps, then its peak"
        )
    if measured["with"] < 0.9:
        return "with the shortcut the network should reach 0.9: train it longer, then look again"
    if measured["with"] - measured["without"] < 0.15:
        return "the place is right; now prove it: without the shortcut the accuracy should fall by 0.15 at least"
    return None
