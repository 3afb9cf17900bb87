"""Checkers of lesson 03."""

from __future__ import annotations

import numpy as np

from dlkit.exercises.helpers import check_number, checker


@checker("03.one_step_on_paper")
def one_step_on_paper(answer):
    """x = 2, w = 0.5, b = 0, y = 3, loss (w x + b - y)^2, rate 0.1: the weight after one step."""
    hints = {
        0.5 - 0.8: "the sign: the gradient is negative, and the step goes against it",
        0.5 + 0.4: "the square's derivative brings a factor 2",
        0.5 + 8.0: "that is the whole gradient; multiply it by the learning rate",
        0.5 + 0.2: "the 2 of the square and the input x = 2 both belong in the gradient",
        -8.0: "that is the gradient; now take the step",
    }
    otherwise = "forward: ŷ = w·x + b; backward: dL/dŷ = 2(ŷ − y), dL/dw = dL/dŷ·x; step: w − rate·dL/dw"
    return check_number(answer, "new_weight", 1.3, hints, otherwise)


@checker("03.tanh_layer_gradient")
def tanh_layer_gradient(student):
    """Gradients of a layer a = tanh(x W + b), given dL/da: compared with finite differences of the loss."""
    rng = np.random.default_rng(3)
    x, W, b, da = rng.normal(size=(4, 3)), rng.normal(size=(3, 2)), rng.normal(size=2), rng.normal(size=(4, 2))
    returned = student(x.copy(), W.copy(), b.copy(), da.copy())
    if not isinstance(returned, (tuple, list)) or len(returned) != 3:
        return "return three arrays: dW, db, dx"
    found = [np.asarray(array, dtype=float) for array in returned]
    slope = 1 - np.tanh(x @ W + b) ** 2
    dz = da * slope
    right = {"dW": x.T @ dz, "db": dz.sum(axis=0), "dx": dz @ W.T}
    for (name, value), got in zip(right.items(), found, strict=True):
        if name == "db" and got.shape == (4, 2):
            return "db has a row for each example; the bias is shared, so sum over the batch"
        if name == "db" and np.allclose(got, dz.mean(axis=0)):
            return "db is a mean; da already says how much each example counts, so sum"
        if got.shape != value.shape and not (name == "db" and got.shape == (1, 2)):
            return f"{name} has shape {got.shape}, but what it is the gradient of has shape {value.shape}"
    if all(np.allclose(got, -value) for got, value in zip(found, right.values(), strict=True)):
        return "the sign is turned; the gradient points uphill, the minus comes in the update"
    no_slope = [x.T @ da, da.sum(axis=0), da @ W.T]
    if np.allclose(found[0], no_slope[0]):
        return "the derivative of tanh is missing: 1 − tanh(z)²"
    wrong_point = da * (1 - np.tanh(np.tanh(x @ W + b)) ** 2)
    if np.allclose(found[0], x.T @ wrong_point):
        return "tanh is taken twice: with a = tanh(z), the slope is 1 − a², not 1 − tanh(a)²"
    for (name, value), got in zip(right.items(), found, strict=True):
        if not np.allclose(got.reshape(value.shape), value):
            return (
                f"{name} does not match finite differences; write the forward pass line by line and go back through it"
            )
    return None


@checker("03.flipped_sign")
def flipped_sign(answer):
    """What the loss does when the update adds the gradient: one of four words, chosen before running."""
    words = ("falls", "stays", "rises", "oscillates")
    if not isinstance(answer, str) or answer.strip().lower() not in words:
        return f'choose one of {", ".join(words)}, as a text: prediction = "stays"'
    hints = {
        "falls": "adding the gradient walks uphill; run the cell and look",
        "stays": "the weights do move, and the gradient is the direction of fastest growth; run the cell and look",
        "oscillates": "a step too long oscillates; one in the wrong direction does not come back. Run the cell",
    }
    return hints.get(answer.strip().lower())
