"""Checkers of lesson 01."""

from __future__ import annotations

import numpy as np

from dlkit.exercises.helpers import check_shape, checker, first_match


@checker("01.hinges")
def hinges(answer):
    """Checks the weights of three hinges with the slopes 3, 1 and 0, and the number of pieces of the function twice."""
    answer = np.asarray(answer, dtype=float)
    if hint := check_shape(answer, (4,), "give four numbers, such as (1, 1, 1, 2)"):
        return hint
    weights, pieces = answer[:3], answer[3]
    if not np.allclose(weights, [3, -2, -1]):
        hints = [
            (
                np.array([3.0, 1.0, 0.0]),
                "these are the slopes; a hinge adds its weight to the slope before its knot",
            ),
            (np.array([3.0, 2.0, 1.0]), "the sizes are right, but at both knots the slope becomes smaller"),
        ]
        return first_match(
            weights, hints, "each weight is the change of the slope at its knot, and f starts with the slope 0"
        )
    if pieces == 3:
        return None
    hints = {
        9: "the weights are right. The pieces would multiply if the inner function ran through each piece of the outer "
        "one three times; it only rises, and runs through them once",
        4: "the weights are right. Count the pieces for x ≥ 0 only, and join neighbors with the same slope",
        5: "the weights are right. Where the outer function is constant, a knot of the inner one makes no new piece",
    }
    default_hint = "the weights are right. Mark the x at which f(x) is 2 or 5, and work out the slope on each side"
    return hints.get(pieces, default_hint)


@checker("01.silu")
def silu(student):
    """Checks z·sigmoid(z) and its derivative at many z; large |z| must not raise a warning."""
    z = np.array([[-3.0, -1.0, 0.0], [0.5, 2.0, 30.0]])
    returned = student(z.copy())
    if not isinstance(returned, (tuple, list)) or len(returned) != 2:
        return "return two arrays: the value and the derivative"
    value, gradient = (np.asarray(array, dtype=float) for array in returned)
    for array in (value, gradient):
        if hint := check_shape(array, z.shape, f"for an input of shape {z.shape}, both results have that shape"):
            return hint
    s = 1 / (1 + np.exp(-z))
    if not np.allclose(value, z * s):
        return "the value is z·σ(z); at z = 2 it is 1.7616"
    if not np.allclose(gradient, s + z * s * (1 - s)):
        hints = [
            (s * (1 - s), "that is the derivative of σ(z) alone; use the product rule for z·σ(z)"),
            (z * s * (1 - s), "the product rule has two terms; yours lacks 1·σ(z)"),
            (s, "the product rule has two terms; yours lacks z·σ'(z)"),
        ]
        return first_match(gradient, hints, "use the product rule: (z·σ)' = σ + z·σ', and σ' = σ(1 − σ)")
    with np.errstate(over="raise", invalid="raise"):
        try:
            far = np.array([student(np.array([-1000.0, 1000.0]))], dtype=float)
        except FloatingPointError as error:
            return f"at z = -1000, NumPy warns: {error}. np.exp(1000) is too large; write σ(z) as (1 + tanh(z/2))/2"
    if not np.allclose(far[0], [[0, 1000], [0, 1]]):
        return "for very negative z, value and derivative are 0; for very large z they are z and 1"
    return None


@checker("01.xor")
def xor(answer):
    """Checks the weights of a 2-2-1 network with ReLU and a linear output that computes exclusive or."""
    if not isinstance(answer, (tuple, list)) or len(answer) != 4:
        return "give four arrays: (W1, b1, W2, b2)"
    arrays = [np.asarray(array, dtype=float) for array in answer]
    shapes = [(2, 2), (2,), (2, 1), (1,)]
    for name, array, shape in zip(("W1", "b1", "W2", "b2"), arrays, shapes, strict=True):
        if array.shape != shape:
            return f"{name} has shape {array.shape}, expected {shape}"
    W1, b1, W2, b2 = arrays
    inputs = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    hidden = inputs @ W1 + b1
    found = (np.maximum(0, hidden) @ W2 + b2)[:, 0]
    if np.allclose(found, [0, 1, 1, 0], atol=0.01):
        return None
    outputs = ", ".join(f"{value:g}" for value in found)
    if np.allclose(found, [1, 0, 0, 1], atol=0.01):
        return f"that is the opposite of exclusive or: change the signs in W2, and replace b2 by 1 − b2 = {1 - b2[0]:g}"
    if ((hidden >= 0).all(axis=0) | (hidden <= 0).all(axis=0)).all():
        return (
            f"the outputs are {outputs}. No ReLU switches on or off between the four inputs, so that the network is "
            "linear there; a negative bias in b1 can make one switch"
        )
    advice = "Let one unit add both inputs, and let the other be positive for (1, 1) only"
    return f"the outputs are {outputs}, expected 0, 1, 1, 0. {advice}"
