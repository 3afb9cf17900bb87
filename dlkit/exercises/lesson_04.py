"""Checkers of lesson 04."""

from __future__ import annotations

import numpy as np

from dlkit.exercises.helpers import check_number, check_shape, checker


@checker("04.adam_uncorrected")
def adam_uncorrected(answer):
    """Checks the second step of Adam without bias correction at a constant gradient: 0.19 / sqrt(0.001999)."""
    hints = {
        1.0: "that is Adam's step with the correction; leave out both divisions by 1 - beta^t",
        3.1623: "that is the first step, 0.1 / sqrt(0.001); take the second from there",
        6.0083: "update v as well: after two steps it is 0.999 · 0.001 + 0.001 times g²",
        2.2366: "update m as well: after two steps it is 0.9 · 0.1 + 0.1 times g",
        4.4721: "the old average is multiplied by beta before the new gradient is added",
        95.05: "divide by the square root of v, not by v",
        0.2353: "divide m by the root of v, not the other way round",
    }
    default_hint = "with gradient g, m is 0.19·g after two steps and v is 0.001999·g²; the step is m / sqrt(v)"
    return check_number(answer, "second_step", 0.19 / 0.001999**0.5, hints, default_hint, tolerance=0.006)


@checker("04.adagrad")
def adagrad(student):
    """Checks five steps of Adagrad on two arrays, each with its own state; some gradients are 0."""
    rng = np.random.default_rng(4)
    for shape in ((3,), (2, 4)):
        gradients = rng.normal(size=(5, *shape))
        gradients[..., 0] = 0  # as for a pixel that is black in all images
        start = rng.normal(size=shape)
        w, state, expected, v = start.copy(), {}, start.copy(), 0.1
        from_zero, without_state = start.copy(), start.copy()
        for t, g in enumerate(gradients, start=1):
            w = student(w, g.copy(), state, t, 0.3)
            if hint := check_shape(w, shape, f"return the new w, of shape {shape}"):
                return hint
            v = v + g**2
            expected = expected - 0.3 * g / np.sqrt(v + 1e-7)
            from_zero = from_zero - 0.3 * g / np.sqrt(v - 0.1 + 1e-7)
            without_state = without_state - 0.3 * g / np.sqrt(0.1 + g**2 + 1e-7)
        if np.isnan(w).any():
            return (
                "a weight whose gradient was always 0 becomes NaN; the start at 0.1 and epsilon keep the root above 0"
            )
        if np.allclose(w, 2 * start - expected):
            return "the sign is wrong: the step goes against the gradient"
        if np.allclose(w, from_zero):
            return 'v starts at 0.1, not at 0: state.get("v", 0.1)'
        if np.allclose(w, without_state):
            return "v is lost after each step: store it in `state`, and add to the stored value"
        if not np.allclose(w, expected):
            return "compute v = v + g², starting at 0.1 and stored in `state`; then return w − rate·g/√(v + 1e-7)"
        if np.asarray(w).dtype == float and np.abs(w - expected).max() > 1e-9:
            return "this is correct to six digits only; add epsilon, 1e-7, to v under the root"
    return None


@checker("04.nesterov_limit")
def nesterov_limit(student):
    """Checks a function (curvature c, beta) -> the limit of Nesterov momentum, (2 + 2 beta) / (1 + 2 beta) / c."""
    for curvature, beta in ((1.0, 0.9), (10.0, 0.9), (0.25, 0.5), (3.0, 0.0), (300.0, 0.7)):
        rate = student(curvature, beta)
        if hint := check_shape(rate, (), "return one number, the learning rate"):
            return hint
        expected = (2 + 2 * beta) / (1 + 2 * beta) / curvature
        case = f"curvature {curvature:g}, beta {beta:g}"
        wrong = [
            (expected * curvature, "that is the rate times the curvature; return the rate alone"),
            (2 / curvature, "that is the limit of plain gradient descent"),
            (
                (2 + 2 * beta) / curvature,
                "that is the limit of ordinary momentum; take the gradient at w + beta·m, the point ahead",
            ),
        ]
        if abs(rate / expected - 1) <= 0.02:
            continue
        close = [hint for number, hint in wrong if abs(rate / number - 1) <= 0.02]
        if close:
            return f"{case}: {close[0]}"
        if rate < expected:
            return f"{case}: a rate slightly larger than {rate:.4g} still converges; try larger ones, in finer steps"
        return f"{case}: with rate {rate:.4g} the distance grows; run more steps, and try smaller rates"
    return None
