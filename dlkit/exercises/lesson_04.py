"""Checkers of lesson 04."""

from __future__ import annotations

import numpy as np

from dlkit.exercises.helpers import check_number, check_shape, checker


@checker("04.two_momentum_steps")
def two_momentum_steps(answer):
    """Checks w after two steps with momentum on f(w) = w^2, from w = 1 and m = 0, rate 0.1, beta 0.9."""
    hints = {
        0.8: "that is one step; take the second from there, with the velocity m = -0.2",
        0.64: "that is plain gradient descent; the second step also adds 0.9 times the velocity of the first",
        0.44: "multiply the velocity by 0.9 before you add the new step",
        0.2224: "that is Nesterov momentum; plain momentum adds m and nothing else",
        0.42: "compute the second gradient at w = 0.8, where the first step ended: it is 1.6",
        1.62: "check the signs: m gets *minus* rate times gradient",
    }
    default_hint = "first step: m = -0.1·2, w = 1 + m; second step: m = 0.9·m - 0.1·2w, w = w + m"
    return check_number(answer, "after_two_steps", 0.46, hints, default_hint)


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


@checker("04.largest_rates")
def largest_rates(answer):
    """Checks {curvature: largest stable rate} for momentum 0.9, which is 2 (1 + beta) / curvature."""
    if not isinstance(answer, dict):
        return "give a dictionary from λ to the largest rate that still converges, such as {1.0: 2.5}"
    measured = {float(curvature): float(rate) for curvature, rate in answer.items()}
    if len(measured) < 3:
        return f"measure at least three curvatures; you have {len(measured)}"
    if outside := [curvature for curvature in measured if not 0.5 <= curvature <= 50]:
        return f"λ = {outside[0]:g} is not between 0.5 and 50"
    for curvature, rate in measured.items():
        if abs(rate * curvature / 2 - 1) < 0.03:
            return (
                f"λ = {curvature:g}: {rate:g} is the bound 2/λ of plain gradient descent; momentum allows larger rates"
            )
        if rate * curvature < 3.8 * 0.979:
            return f"λ = {curvature:g}: a rate slightly larger than {rate:g} still converges; try larger rates"
        if rate * curvature > 3.8 * 1.021:
            return f"λ = {curvature:g}: momentum does not converge with rate {rate:g}; try smaller rates"
    return None
