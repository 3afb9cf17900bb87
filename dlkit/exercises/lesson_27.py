"""Checkers of lesson 27."""

from __future__ import annotations

import keras
import numpy as np
from keras import layers, ops

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


@checker("27.resize_positions")
@runtime.exact()  # the comparisons are closer than mixed precision computes
def resize_positions(student):
    """Compares the student's table with the correct one, and with typical wrong ones, on larger and smaller grids."""
    rng = np.random.default_rng(0)
    for grid, side, d in ((3, 5, 4), (6, 4, 3), (2, 2, 5)):
        positions = rng.normal(size=(1 + grid * grid, d)).astype("float32")
        before = positions.copy()
        result = student(positions, side)
        description = f"from {grid} × {grid} to {side} × {side} patches, return {1 + side * side} rows of {d} numbers"
        if hint := check_shape(result, (1 + side * side, d), description):
            return hint
        if not np.array_equal(positions, before):
            return "your function changes the table that it is given; make a new one"
        if hint := _wrong_positions(np.asarray(result), positions, grid, side):
            return hint
    return None


def _wrong_positions(found, positions, grid, side):
    token, patches = positions[:1], positions[1:]
    if np.allclose(found, np.concatenate([token, _resized(patches, grid, side)]), atol=1e-5):
        return None
    turned = patches.reshape(grid, grid, -1).swapaxes(0, 1).reshape(grid * grid, -1)
    by_column = _resized(turned, grid, side).reshape(side, side, -1).swapaxes(0, 1).reshape(side * side, -1)
    wrong = [
        (np.concatenate([_resized(patches, grid, side), token]), "the class token comes first"),
        (np.concatenate([0 * token, _resized(patches, grid, side)]), "the row of the class token stays as it is"),
        (np.concatenate([token, _resized(patches, grid, side, "nearest")]), "use bilinear interpolation"),
        (np.concatenate([token, _resized(patches, grid, side, "bicubic")]), "use bilinear interpolation"),
        (np.concatenate([token, _resized(turned, grid, side)]), "the patches are listed row by row, not by column"),
        (np.concatenate([token, by_column]), "the patches are listed row by row, not by column"),
        (np.concatenate([token, _stretched(patches, side)]), "resize the grid in two directions, not the list of rows"),
    ]
    default_hint = "keep row 0, reshape the others to (1, g, g, d), resize them to (side, side), and reshape them back"
    if not np.allclose(found[0], positions[0], atol=1e-5):
        default_hint = "the row of the class token stays as it is, and it comes first"
    return first_match(found, wrong, default_hint, atol=1e-5)


def _resized(patches, grid, side, interpolation="bilinear"):
    image = ops.image.resize(patches.reshape(1, grid, grid, -1), (side, side), interpolation=interpolation)
    return np.asarray(image).reshape(side * side, -1)


def _stretched(patches, side):
    """The list of patches, resized as if it had one dimension."""
    return np.asarray(ops.image.resize(patches[None, :, None], (side * side, 1)))[0, :, 0]


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
