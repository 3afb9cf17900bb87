"""Checkers of lesson 17."""

from __future__ import annotations

import numpy as np

from dlkit import data
from dlkit.exercises.helpers import check_keys, check_number, check_shape, checker, first_match


@checker("17.cell")
def cell(answer):
    """Checks c = f c_before + i g, with f = i = sigmoid(0), c_before = 2 and g = tanh(1)."""
    g = np.tanh(1.0)
    expected = 0.5 * 2 + 0.5 * g
    hints = {
        np.tanh(expected): "that is h, the output of the cell; c is its state",
        0.5 * 2 + 0.5: "the content goes through tanh: tanh(1)",
        0.5 * 2 + 0.5 / (1 + np.exp(-1)): "the content has a tanh, not a sigmoid",
        2 + g: "gates at 0 before the sigmoid are half open: sigmoid(0) = 0.5",
        0.0: "0 before the sigmoid does not mean closed: sigmoid(0) = 0.5",
        0.5 * g: "the forget gate keeps half of the old 2",
        1.0: "the input gate lets half of tanh(1) in",
    }
    default_hint = "compute c = f · 2 + i · tanh(1); what is sigmoid(0)?"
    return check_number(answer, "c_t", expected, hints, default_hint, tolerance=6e-4)


@checker("17.mgu_step")
def mgu_step(student):
    """Checks one step of the minimal gated unit, at two sizes."""
    return _wrong_step(student, 6, 3, 4) or _wrong_step(student, 1, 5, 2)


def _wrong_step(student, n, inputs, units):
    rng = np.random.default_rng(0)
    x, h = rng.normal(size=(n, inputs)), rng.normal(size=(n, units))
    shapes = ((inputs, units), (units, units), (units,))
    gate, content = ([rng.normal(size=shape) for shape in shapes] for _ in range(2))
    found = student(x, h, gate, content)
    if hint := check_shape(found, h.shape, f"the new hidden state has the shape of h, {h.shape}"):
        return hint

    def pre_activation(weights, state):
        return x @ weights[0] + state @ weights[1] + weights[2]

    f = 1 / (1 + np.exp(-pre_activation(gate, h)))
    new = np.tanh(pre_activation(content, f * h))
    hints = [
        (f * h + (1 - f) * new, "the gate is reversed: f = 1 takes the new content, f = 0 keeps the old state"),
        ((1 - f) * h + f * np.tanh(pre_activation(content, h)), "the gate also acts inside: (f · h) W_h"),
        ((1 - f) * h + f * pre_activation(content, f * h), "the content lacks its tanh"),
        (new, "that is the content; mix it with h"),
        (f, "that is the gate; use it to mix h and the content"),
        (
            (1 - f) * h + f * np.tanh(x @ content[0] + f * (h @ content[1]) + content[2]),
            "f acts on h, before the product with W_h",
        ),
    ]
    if np.allclose(found, (1 - f) * h + f * new, atol=1e-5):
        return None
    return first_match(
        found, hints, "compare your code with the formulas line by line: f, then h̃, then the new h", atol=1e-5
    )


@checker("17.honest_forecast")
def honest_forecast(measured):
    """Checks the experiment: errors a year ahead, of which the naive one is known and none may be too small."""
    if hint := check_keys(measured, dict.fromkeys(("naive", "linear", "yours"), "…")):
        return hint
    if not all(np.ndim(value) == 0 and np.isfinite(value) and value > 0 for value in measured.values()):
        return "each error is one positive number, in sunspots"
    sunspots = data.load("sunspots")
    values = np.concatenate([sunspots.train[1], sunspots.test[1]])
    first = len(sunspots.train[1])

    def naive(ahead):
        return np.sqrt(np.mean((values[first:] - values[first - ahead : len(values) - ahead]) ** 2))

    if abs(measured["naive"] - naive(12) ** 2) < 1:
        return "that is the mean squared error; take its root"
    if abs(measured["naive"] - naive(12)) > 0.1:
        closest = min(range(1, 25), key=lambda ahead: abs(naive(ahead) - measured["naive"]))
        if abs(naive(closest) - measured["naive"]) < 0.1:
            return f"your naive forecast looks {closest} months ahead, not 12"
        return f"the naive forecast of these 360 months has an RMSE of {naive(12):.1f}; which months did you test on?"
    for name in ("linear", "yours"):
        if measured[name] < 25:
            return f'"{name}" is too good to be true a year ahead: does a training window contain test months?'
    if measured["linear"] >= measured["naive"]:
        return "a linear model of 24 months should beat the naive forecast; are windows and targets aligned?"
    return None
