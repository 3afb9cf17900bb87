"""Checkers of notebooks 16 and 17: recurrent networks and gates."""

from __future__ import annotations

import numpy as np

from dlkit import data
from dlkit.exercises import checker, wrong_number


@checker("16.two_steps")
def two_steps(answer):
    """h_1 = tanh(0.5 * 2), h_2 = tanh(-h_1)."""
    h_1 = np.tanh(1.0)
    right = np.tanh(-h_1)
    hints = {
        h_1: "that is h_1; the memory goes through one more step",
        -h_1: "one tanh is missing: the memory is squeezed at every step",
        -right: "look at the sign of W_h",
        -1.0: "both tanh are missing: the memory is squeezed at every step",
        0.0: "the second input is 0, but the memory is not",
    }
    return wrong_number(answer, "h_2", right, hints, "h_1 = tanh(W_x · 2), then h_2 = tanh(W_h · h_1)", tolerance=6e-4)


@checker("16.gradient_of_a")
def gradient_of_a(student):
    """Backpropagation through time of h_t = a h_(t-1) + x_t, with a target at every step."""
    rng = np.random.default_rng(0)
    for steps, a in ((1, 0.5), (2, 0.5), (6, -0.8)):
        x, y = rng.normal(size=(2, steps))
        found = student(x.copy(), y.copy(), a)
        if found is None:
            return "your function returns nothing; is the `return` missing?"
        if np.ndim(found) != 0:
            return f"dL/da is one number; this has shape {np.shape(found)}"
        right, hints = _gradients_of_a(x, y, a)
        if not np.isclose(found, right):
            hint = next((hint for value, hint in hints if np.isclose(found, value)), None)
            return hint or f"with {steps} steps and a = {a} the gradient is {right:.4f}, not {found:.4f}"
    return None


def _gradients_of_a(x, y, a):
    """The right gradient, and wrong ones with their hints."""
    steps = len(x)
    h = np.zeros(steps + 1)
    for t in range(steps):
        h[t + 1] = a * h[t] + x[t]
    errors = h[1:] - y

    def through_time(errors):
        dh = np.zeros(steps + 1)
        for t in reversed(range(steps)):
            dh[t] = errors[t] + a * dh[t + 1]
        return dh[:-1]

    dh = through_time(errors)
    last_only = through_time(np.where(np.arange(steps) == steps - 1, errors, 0))
    hints = [
        (2 * dh @ h[:-1], "a factor of 2 too much: the loss has a ½"),
        (dh @ h[:-1] / steps, "the loss is the sum over the steps, not the mean"),
        (-(dh @ h[:-1]), "the sign is turned: the error is h - y"),
        (dh @ h[1:], "the factor beside a is the memory *before* the step"),
        (errors @ h[:-1], "a memory also acts on all later ones: pass the gradient on, times a"),
        (last_only @ h[:-1], "every step has a target, not only the last"),
    ]
    return dh @ h[:-1], hints


@checker("16.how_long")
def how_long(measured):
    """The student's experiment: a length that is learnt and a longer one that is not."""
    if not isinstance(measured, dict) or len(measured) < 2:
        return "give the accuracy for at least two lengths, such as {10: 0.99, 20: 0.98}"
    if not all(np.ndim(value) == 0 and 0 <= value <= 1 for value in measured.values()):
        return "an accuracy is a share between 0 and 1"
    learnt = [length for length, value in measured.items() if value >= 0.9]
    guessed = [length for length, value in measured.items() if value <= 0.6]
    if not learnt:
        return "no length with at least 0.9: begin with short sequences"
    if not guessed:
        return "no length with at most 0.6: go on to longer ones"
    if min(measured.values()) < 0.4:
        return "an accuracy far below a half: are the targets those of the same sequences?"
    if min(guessed) < max(learnt):
        return f"it guesses at {min(guessed)} and remembers at {max(learnt)}? Start each length from fresh weights"
    return None


@checker("17.cell")
def cell(answer):
    """c = f c_before + i g, with f = i = sigmoid(0) and g = tanh(1)."""
    g = np.tanh(1.0)
    right = 0.5 * 2 + 0.5 * g
    hints = {
        np.tanh(right): "that is h, shown through the open output gate; c is what is kept",
        0.5 * 2 + 0.5: "the content goes through tanh: tanh(1)",
        0.5 * 2 + 0.5 / (1 + np.exp(-1)): "the content has a tanh, not a sigmoid",
        2 + g: "gates at 0 before the sigmoid are half open: sigmoid(0) = 0.5",
        0.0: "0 before the sigmoid does not mean closed: sigmoid(0) = 0.5",
        0.5 * g: "the forget gate keeps half of the old 2",
        1.0: "the input gate lets half of tanh(1) in",
    }
    return wrong_number(answer, "c_t", right, hints, "c = f · 2 + i · tanh(1); what is sigmoid(0)?", tolerance=6e-4)


@checker("17.mgu_step")
def mgu_step(student):
    """One step of the minimal gated unit, at two sizes."""
    return _wrong_step(student, 6, 3, 4) or _wrong_step(student, 1, 5, 2)


def _wrong_step(student, n, inputs, units):
    rng = np.random.default_rng(0)
    x, h = rng.normal(size=(n, inputs)), rng.normal(size=(n, units))
    shapes = ((inputs, units), (units, units), (units,))
    gate, content = ([rng.normal(size=shape) for shape in shapes] for _ in range(2))
    found = student(x, h, gate, content)
    if found is None:
        return "your function returns nothing; is the `return` missing?"
    if np.shape(found) != h.shape:
        return f"the new memory has the shape of h, {h.shape}; this has {np.shape(found)}"

    def pre(parts, memory):
        return x @ parts[0] + memory @ parts[1] + parts[2]

    f = 1 / (1 + np.exp(-pre(gate, h)))
    new = np.tanh(pre(content, f * h))
    hints = [
        (f * h + (1 - f) * new, "turned round: f = 1 takes the new content, f = 0 keeps the old memory"),
        ((1 - f) * h + f * np.tanh(pre(content, h)), "the gate also acts inside: (f · h) W_h"),
        ((1 - f) * h + f * pre(content, f * h), "the content lacks its tanh"),
        (new, "that is the content; mix it with h"),
        (f, "that is the gate"),
        ((1 - f) * h + f * np.tanh(x @ content[0] + f * (h @ content[1]) + content[2]), "f acts on h, before W_h"),
    ]
    if np.allclose(found, (1 - f) * h + f * new, atol=1e-5):
        return None
    return next((hint for value, hint in hints if np.allclose(found, value, atol=1e-5)), "go line by line: f, h̃, h")


@checker("17.honest_forecast")
def honest_forecast(measured):
    """The student's experiment: forecasts a year ahead; the naive one is known, and nobody is perfect."""
    if not isinstance(measured, dict) or set(measured) != {"naive", "linear", "yours"}:
        return 'give {"naive": …, "linear": …, "yours": …}'
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
        near = min(range(1, 25), key=lambda ahead: abs(naive(ahead) - measured["naive"]))
        if abs(naive(near) - measured["naive"]) < 0.1:
            return f"your naive forecast looks {near} months ahead, not 12"
        return f"the naive forecast of these 360 months is off by {naive(12):.1f}; which months did you test on?"
    for name in ("linear", "yours"):
        if measured[name] < 25:
            return f'"{name}" is too good to be true a year ahead: does a training window hold test months?'
    if measured["linear"] >= measured["naive"]:
        return "a line on two years of months should beat the naive forecast; are windows and targets aligned?"
    return None
