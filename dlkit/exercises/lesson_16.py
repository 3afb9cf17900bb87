"""Checkers of lesson 16."""

from __future__ import annotations

import numpy as np

from dlkit.exercises.helpers import check_number, checker


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
    return check_number(answer, "h_2", right, hints, "h_1 = tanh(W_x · 2), then h_2 = tanh(W_h · h_1)", tolerance=6e-4)


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
