"""Checkers of lesson 03."""

from __future__ import annotations

import numpy as np

from dlkit.exercises.helpers import check_number, check_returned, check_shape, checker

# Factor of the loss, entries of w, {entry: how far it is off, in units of the largest}, hint.
_PROBLEMS = (
    (1.0, 4, {}, "a correct gradient has no wrong entries, but yours finds some"),
    (1.0, 5, {2: 0.5}, "one wrong entry of five was not reported, or not alone"),
    (1.0, 3, {0: 1.0, 2: -0.8}, "two wrong entries of three, one too large and one too small, were not both reported"),
    (1.0, 6, {1: 0.012}, "an entry that is off by 1.2% of the largest was not reported; the tolerance is too wide"),
    (1e-7, 4, {3: 0.5}, "with a very small loss, you miss the wrong entry; compare with the largest entry instead"),
    (1e7, 4, {}, "with a very large loss, you report correct entries; compare with the largest entry instead"),
    (1.0, 6, {0: 0.008}, "an entry that is off by 0.8% of the largest counts as correct, however small it is"),
    (-1.0, 4, {1: 0.5}, "all true entries are negative here; the largest one is meant in absolute value"),
)


@checker("03.shared_weight")
def shared_weight(answer):
    """Checks the derivative of (w (w x + 1) - y)^2 with respect to w, for x = 3, w = 2 and y = 12."""
    hints = {
        28.0: "that is the path through ŷ = w·h alone; w also changes h. Add both paths",
        24.0: "that is the path through h = w·x + 1 alone; w is also a factor of ŷ = w·h. Add both paths",
        26.0: "a factor of 2 is missing: the derivative of the square is 2(ŷ − y)",
        13.0: "that is the derivative of ŷ; multiply it by that of the loss, 2(ŷ − y)",
        672.0: "you multiplied the two paths; multiply along a path, and add over all paths",
        -52.0: "the sign is wrong: ŷ is larger than y, so a larger w raises the loss",
    }
    default_hint = "forward: h = 7, ŷ = 14; backward: dL/dŷ, then one path from ŷ straight to w and one through h"
    return check_number(answer, "derivative", 52.0, hints, default_hint)


@checker("03.tanh_layer_gradient")
def tanh_layer_gradient(student):
    """Checks the gradients of a layer H = tanh(X W + b), given dL/dH."""
    rng = np.random.default_rng(3)
    x, W, b, dh = rng.normal(size=(4, 3)), rng.normal(size=(3, 2)), rng.normal(size=2), rng.normal(size=(4, 2))
    returned = student(x.copy(), W.copy(), b.copy(), dh.copy())
    if not isinstance(returned, (tuple, list)) or len(returned) != 3:
        return "return three arrays: dW, db, dx"
    found = [np.asarray(array, dtype=float) for array in returned]
    dz = dh * (1 - np.tanh(x @ W + b) ** 2)
    expected = {"dW": x.T @ dz, "db": dz.sum(axis=0), "dx": dz @ W.T}
    for (name, value), got in zip(expected.items(), found, strict=True):
        if name == "db" and got.shape == (4, 2):
            return "db has one row for each example; all examples share the bias, so sum over the batch"
        if name == "db" and got.shape == (1, 2):
            got = got[0]
        if hint := check_shape(got, value.shape, f"{name} must have the shape {value.shape} of {name[1:]}"):
            return hint
        if name == "db" and np.allclose(got, dz.mean(axis=0)):
            return "db is a mean over the batch; it has to be the sum"
    if all(np.allclose(got, -value) for got, value in zip(found, expected.values(), strict=True)):
        return "the sign is flipped; the gradient points uphill, and the minus belongs in the update"
    if np.allclose(found[0], x.T @ dh):
        return "the derivative of tanh is missing: 1 − tanh(z)²"
    wrong_point = dh * (1 - np.tanh(np.tanh(x @ W + b)) ** 2)
    if np.allclose(found[0], x.T @ wrong_point):
        return "tanh is applied twice: with h = tanh(z), the derivative is 1 − h², not 1 − tanh(h)²"
    for (name, value), got in zip(expected.items(), found, strict=True):
        if not np.allclose(got.reshape(value.shape), value):
            return (
                f"{name} does not match finite differences; write the forward pass line by line and go back through it"
            )
    return None


@checker("03.wrong_entries")
def wrong_entries(student):
    """Checks which entries of several gradients the student's function finds wrong."""
    for scale, size, errors, hint in _PROBLEMS:
        w = np.linspace(-1.0, 1.2, size)
        gradient = scale * _slope(w)
        for k, error in errors.items():
            gradient[k] += error * np.abs(scale * _slope(w)).max()
        before = w.copy()
        found = student(lambda w, scale=scale: float(scale * _height(w)), w, gradient.copy())
        if problem := check_returned(found):
            return problem
        if not np.array_equal(w, before):
            return "your function has changed w; restore each entry, or change a copy"
        try:
            found = sorted(int(k) for k in found)
        except (TypeError, ValueError):
            return "return a list of indices, such as [0, 3], or [] if all entries are correct"
        if found != [k for k, error in sorted(errors.items()) if abs(error) > 0.01]:
            return hint
    return None


def _height(w):
    return np.sum(np.exp(w)) + 0.1 * np.sum(w) ** 2


def _slope(w):
    return np.exp(w) + 0.2 * np.sum(w)
