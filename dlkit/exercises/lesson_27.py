"""Checkers of lesson 27."""

from __future__ import annotations

import keras
import numpy as np
from keras import layers

from dlkit import runtime
from dlkit.exercises.helpers import check_number, check_shape, checker, first_match


@checker("27.position_numbers")
def position_numbers(answer):
    """Checks the size of a table of position embeddings: 24 · 24 patches and a class token, 768 numbers each."""
    hints = {
        24 * 24 * 768: "the class token has a position, too",
        (14 * 14 + 1) * 768: "that is the table for 224 pixels; at 384 pixels there are more patches",
        14 * 14 * 768: "that is the table for 224 pixels, without the class token",
        24 * 24 + 1: "those are the tokens; each has a vector of 768 numbers",
        24 * 24: "those are the patches; each has a vector of 768 numbers, and the class token has one",
        (24 + 1) * 768: "the patches lie on a grid: 24 rows of 24 patches",
        (384 * 384 + 1) * 768: "a token is a patch of 16 × 16 pixels, not a pixel",
    }
    default_hint = "count the patches (384 / 16 in each direction), add the class token, multiply by 768"
    return check_number(answer, "numbers", (24 * 24 + 1) * 768, hints, default_hint)


@checker("27.pareto_front")
def pareto_front(student):
    """Tries random tables of options: without ties, with ties in time or accuracy, and with options that are equal."""
    rng = np.random.default_rng(0)
    for count, levels in ((5, None), (30, None), (12, 4), (30, 6), (1, None), (6, 1)):
        columns = rng.random((2, count)) if levels is None else rng.integers(0, levels, (2, count)) / levels
        milliseconds, accuracies = 100 * columns[0] + 1, columns[1].copy()
        before = milliseconds.copy(), accuracies.copy()
        found = student(milliseconds, accuracies)
        description = f"for {count} options, return {count} Boolean values, True where an option is not dominated"
        if hint := check_shape(found, (count,), description):
            return hint
        if not (np.array_equal(milliseconds, before[0]) and np.array_equal(accuracies, before[1])):
            return "your function changes an array that it is given; change a copy"
        if np.asarray(found).dtype != bool:
            return f"{description}; these values have the type {np.asarray(found).dtype}"
        if hint := _wrong_front(np.asarray(found), *before):
            return hint
    return None


def _front(milliseconds, accuracies, *, strict_in=1):
    """Where no other option is at least as good in both respects and better in at least `strict_in` of them."""
    faster, better = milliseconds[:, None] < milliseconds, accuracies[:, None] > accuracies
    at_least_as_good = (milliseconds[:, None] <= milliseconds) & (accuracies[:, None] >= accuracies)
    others = ~np.eye(len(milliseconds), dtype=bool)
    return ~(at_least_as_good & (faster + 0 + better >= strict_in) & others).any(axis=0)


def _wrong_front(found, milliseconds, accuracies):
    right = _front(milliseconds, accuracies)
    if np.array_equal(found, right):
        return None
    wrong = [
        (~right, "these are the dominated options; return True for the others"),
        (_front(milliseconds, accuracies, strict_in=0), "two options that are equal do not dominate each other"),
        (np.zeros(len(found), dtype=bool), "every option dominates itself here; it has to be better in one respect"),
        (_front(-milliseconds, accuracies), "less time is better"),
        (_front(milliseconds, -accuracies), "more accuracy is better"),
        (
            _front(milliseconds, accuracies, strict_in=2),
            "an option that is equal in one respect and worse in the other is dominated",
        ),
    ]
    return first_match(found, wrong, "compare each option with all others, in both respects")


@checker("27.reach")
@runtime.exact()
def reach(student):
    """Runs the student's function on networks whose reach is known."""
    rng = np.random.default_rng(0)
    cases = (
        ("one 3 × 3 convolution", _convolutions(3), (9, 9), (4, 4), 9),
        ("two 3 × 3 convolutions", _convolutions(3, 3), (9, 9), (4, 4), 25),
        ("a 3 × 3 convolution, at the corner", _convolutions(3), (9, 9), (0, 0), 4),
        ("a 7 × 7 convolution, next to an edge", _convolutions(7), (6, 12), (1, 5), 35),
        ("a 1 × 1 convolution", _convolutions(1), (9, 9), (2, 6), 1),
        ("patches of 3 × 3 pixels", _convolutions(3, stride=3, padding="valid"), (9, 12), (4, 4), 1),
        ("self-attention between patches", _attention(), (9, 9), (8, 1), 9),
    )
    for number, (name, build, size, (row, column), expected) in enumerate(cases):
        network = build(size)
        network.set_weights([rng.normal(0.1, 0.5, w.shape) for w in network.weights])
        image = rng.normal(size=(*size, 2)).astype("float32")
        image[row, column] = number % 2  # so that setting the pixel to 0, or to 1, does not always change it
        before = image.copy()
        found = student(network, image, row, column)
        if hint := check_shape(found, (), f"return one number; tried on {name}"):
            return hint
        if not np.array_equal(image, before):
            return "your function changes the image that it is given; change a copy"
        if int(found) != expected:
            return _wrong_reach(name, network, int(found), expected)
    return None


def _wrong_reach(name, network, found, expected):
    rows, columns, channels = network.output.shape[1:]
    message = f"on {name}, {expected} positions change; you count {found}"
    if found == expected * channels:
        return f"{message}: a position with several channels that change counts once"
    if found == rows * columns - expected:
        return f"{message}: those are the positions that stay the same"
    if found == 0:
        return f"{message}: do your two images really differ at this pixel, also when its value is 0 or 1?"
    return f"{message}; compare the outputs for the image and for a copy with another value at this pixel"


def _convolutions(*kernels, stride=1, padding="same"):
    def build(size):
        x = inputs = keras.Input((*size, 2))
        for kernel in kernels:
            x = layers.Conv2D(3, kernel, strides=stride, padding=padding)(x)
        return keras.Model(inputs, x)

    return build


def _attention():
    def build(size):
        inputs = keras.Input((*size, 2))
        x = layers.Conv2D(4, 3, strides=3)(inputs)
        rows, columns, d = x.shape[1:]
        x = layers.Reshape((rows * columns, d))(x)
        return keras.Model(inputs, layers.Reshape((rows, columns, d))(layers.MultiHeadAttention(2, 2)(x, x)))

    return build
