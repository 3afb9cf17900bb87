"""Checkers of lesson 01."""

from __future__ import annotations

import numpy as np

from dlkit.exercises.helpers import checker


@checker("01.softmax_on_paper")
def softmax_on_paper(answer):
    """Softmax of 1001, 1002, 1003: the same shares as of 0, 1, 2."""
    answer = np.asarray(answer, dtype=float)
    if answer.shape != (3,):
        return f"give three numbers, such as [0.1, 0.2, 0.7]; this has shape {answer.shape}"
    if np.isnan(answer).any():
        return "nan comes from infinity divided by infinity: first subtract the same number from all three logits"
    exponentials = np.exp([0.0, 1.0, 2.0])
    right = exponentials / exponentials.sum()
    if np.allclose(answer, right, atol=0.001):
        return None
    if np.allclose(answer, right[::-1], atol=0.001):
        return "the largest logit gets the largest share; the order is turned round"
    if np.allclose(answer, np.array([1001, 1002, 1003]) / 3006, atol=0.001):
        return "those are the shares of the logits themselves; softmax takes the exponential first"
    if abs(answer.sum() - 1) > 0.002:
        return f"shares sum to 1; yours sum to {answer.sum():.3f}"
    return "subtract 1001 from all three; what is left is softmax of 0, 1, 2: e⁰, e¹, e², each divided by their sum"


@checker("01.silu")
def silu(student):
    """z·sigmoid(z) and its slope, in places that lie apart, without warnings far out."""
    z = np.array([[-3.0, -1.0, 0.0], [0.5, 2.0, 30.0]])
    returned = student(z.copy())
    if not isinstance(returned, (tuple, list)) or len(returned) != 2:
        return "return two arrays: the value and the slope"
    value, slope = (np.asarray(array, dtype=float) for array in returned)
    if value.shape != z.shape or slope.shape != z.shape:
        return f"for an input of shape {z.shape} both results have that shape; yours have {value.shape}, {slope.shape}"
    s = 1 / (1 + np.exp(-z))
    if not np.allclose(value, z * s):
        return "the value is z·σ(z): at z = 2 it is 1.7616"
    if not np.allclose(slope, s + z * s * (1 - s)):
        hints = {
            "that is the slope of σ alone; z multiplies it, so use the product rule": s * (1 - s),
            "the product rule has two terms: yours lacks 1·σ(z)": z * s * (1 - s),
            "the product rule has two terms: yours lacks z·σ'(z)": s,
        }
        for hint, wrong in hints.items():
            if np.allclose(slope, wrong):
                return hint
        return "product rule: (z·σ)' = σ + z·σ', and σ' = σ(1 − σ)"
    with np.errstate(over="raise", invalid="raise"):
        try:
            far = np.array([student(np.array([-1000.0, 1000.0]))], dtype=float)
        except FloatingPointError as error:
            return f"at z = -1000 NumPy warns ({error}): np.exp(1000) is too large; write σ(z) as (1 + tanh(z/2))/2"
    if not np.allclose(far[0], [[0, 1000], [0, 1]]):
        return "far out on the left value and slope are 0, far out on the right z and 1"
    return None


@checker("01.xor")
def xor(answer):
    """Weights of a 2-2-1 network with ReLU and a linear output that computes exclusive or."""
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
    got = ", ".join(f"{value:g}" for value in found)
    if np.allclose(found, [1, 0, 0, 1], atol=0.01):
        return "that is the opposite, exactly *not* exclusive or: turn the signs of W2 and give b2 a 1"
    if np.allclose(hidden @ W2 + b2, [[0], [1], [1], [0]], atol=0.01) or (hidden >= 0).all() or (hidden <= 0).all():
        return (
            f"it gives {got}. None of your creases lies between the four inputs: a negative bias in b1 moves it there"
        )
    return f"it gives {got}, expected 0, 1, 1, 0. Let one unit add both inputs, the other fire only when both are 1"
