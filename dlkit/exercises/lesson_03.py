"""Checkers of lesson 03."""

from __future__ import annotations

import numpy as np

from dlkit.exercises.helpers import check_number, check_shape, checker


@checker("03.one_step_on_paper")
def one_step_on_paper(answer):
    """Checks the weight after one step: x = 2, w = 0.5, b = 0, y = 3, loss (w x + b - y)^2, learning rate 0.1."""
    hints = {
        0.5 - 0.8: "the sign is wrong: the gradient is negative, and the step goes against it",
        0.5 + 0.4: "a factor of 2 is missing: the square has a factor 2 in its derivative, and the input is x = 2",
        0.5 + 8.0: "you subtracted the gradient itself; multiply it by the learning rate",
        0.5 + 0.2: "the gradient contains two factors of 2: one from the square and the input x = 2",
        -8.0: "that is the gradient; now take the step",
    }
    default_hint = "forward: ŷ = w·x + b; backward: dL/dŷ = 2(ŷ − y), dL/dw = dL/dŷ·x; step: w − rate·dL/dw"
    return check_number(answer, "new_weight", 1.3, hints, default_hint)


@checker("03.tanh_layer_gradient")
def tanh_layer_gradient(student):
    """Checks the gradients of a layer a = tanh(x W + b), given dL/da."""
    rng = np.random.default_rng(3)
    x, W, b, da = rng.normal(size=(4, 3)), rng.normal(size=(3, 2)), rng.normal(size=2), rng.normal(size=(4, 2))
    returned = student(x.copy(), W.copy(), b.copy(), da.copy())
    if not isinstance(returned, (tuple, list)) or len(returned) != 3:
        return "return three arrays: dW, db, dx"
    found = [np.asarray(array, dtype=float) for array in returned]
    dz = da * (1 - np.tanh(x @ W + b) ** 2)
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
    if np.allclose(found[0], x.T @ da):
        return "the derivative of tanh is missing: 1 − tanh(z)²"
    wrong_point = da * (1 - np.tanh(np.tanh(x @ W + b)) ** 2)
    if np.allclose(found[0], x.T @ wrong_point):
        return "tanh is applied twice: with a = tanh(z), the derivative is 1 − a², not 1 − tanh(a)²"
    for (name, value), got in zip(expected.items(), found, strict=True):
        if not np.allclose(got.reshape(value.shape), value):
            return (
                f"{name} does not match finite differences; write the forward pass line by line and go back through it"
            )
    return None


@checker("03.flipped_sign")
def flipped_sign(answer):
    """Checks the word for what the loss does when the update adds the gradient."""
    words = ("falls", "stays", "rises", "oscillates")
    if not isinstance(answer, str) or answer.strip().lower() not in words:
        return f'choose one of {", ".join(words)}, as a string: prediction = "stays"'
    hints = {
        "falls": "adding the gradient goes uphill; run the cell and look",
        "stays": "the weights do change, and the gradient is the direction of steepest ascent; run the cell and look",
        "oscillates": "steps that are too long oscillate; steps in the wrong direction never come back. Run the cell",
    }
    return hints.get(answer.strip().lower())
