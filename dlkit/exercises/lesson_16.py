"""Checkers of lesson 16."""

from __future__ import annotations

import numpy as np

from dlkit.exercises.helpers import check_accuracies, check_number, check_shape, checker, first_match


@checker("16.two_steps")
def two_steps(answer):
    """Checks h_2 of h_1 = tanh(0.5 * 2), h_2 = tanh(-h_1)."""
    h_1 = np.tanh(1.0)
    expected = np.tanh(-h_1)
    hints = {
        h_1: "that is h_1; the hidden state goes through one more step",
        -h_1: "one tanh is missing: tanh is applied to the hidden state at every step",
        -expected: "look at the sign of W_h",
        -1.0: "both tanh are missing: tanh is applied to the hidden state at every step",
        0.0: "the second input is 0, but the hidden state is not",
    }
    default_hint = "compute h_1 = tanh(W_x · 2), then h_2 = tanh(W_h · h_1)"
    return check_number(answer, "h_2", expected, hints, default_hint, tolerance=6e-4)


@checker("16.gradient_of_a")
def gradient_of_a(student):
    """Checks backpropagation through time of h_t = a h_(t-1) + x_t, with a target at every step."""
    rng = np.random.default_rng(0)
    for steps, a in ((1, 0.5), (2, 0.5), (6, -0.8)):
        x, y = rng.normal(size=(2, steps))
        found = student(x.copy(), y.copy(), a)
        if hint := check_shape(found, (), "dL/da is one number"):
            return hint
        expected, hints = _gradients_of_a(x, y, a)
        if not np.isclose(found, expected):
            default_hint = f"with {steps} steps and a = {a} the gradient is {expected:.4f}, not {found:.4f}"
            return first_match(found, hints, default_hint)
    return None


def _gradients_of_a(x, y, a):
    """The correct gradient, and wrong ones with their hints."""
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
        (2 * dh @ h[:-1], "there is a factor of 2 too much: the loss has a ½"),
        (dh @ h[:-1] / steps, "the loss is the sum over the steps, not the mean"),
        (-(dh @ h[:-1]), "the sign is wrong: the error is h - y"),
        (dh @ h[1:], "a is multiplied by the state *before* the step"),
        (errors @ h[:-1], "a state also affects all later ones: pass the gradient back, times a"),
        (last_only @ h[:-1], "every step has a target, not only the last"),
    ]
    return dh @ h[:-1], hints


@checker("16.memory_length")
def memory_length(measured):
    """Checks the experiment: a length that is learned and a longer one that is not."""
    if not isinstance(measured, dict) or len(measured) < 2:
        return "give the accuracy for at least two lengths, such as {10: 0.99, 20: 0.98}"
    if any(np.ndim(value) for value in measured.values()):
        return "give one accuracy for each length"
    if hint := check_accuracies(measured.values()):
        return hint
    learned = [length for length, value in measured.items() if value >= 0.9]
    guessed = [length for length, value in measured.items() if value <= 0.6]
    if not learned:
        return "no length has an accuracy of at least 0.9: begin with short sequences"
    if not guessed:
        return "no length has an accuracy of at most 0.6: try longer sequences"
    if min(measured.values()) < 0.4:
        return "an accuracy is far below one half: are the targets those of the same sequences?"
    if min(guessed) < max(learned):
        return f"it guesses at {min(guessed)}, but remembers at {max(learned)}: start each length from fresh weights"
    return None
