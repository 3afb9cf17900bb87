"""Checkers of lesson 04."""

from __future__ import annotations

import numpy as np

from dlkit.exercises.helpers import check_number, checker


@checker("04.two_momentum_steps")
def two_momentum_steps(answer):
    """f(w) = w^2 from 1 with m = 0, rate 0.1, beta 0.9: w after two steps."""
    hints = {
        0.8: "that is one step; take the second from there, with the velocity m = -0.2",
        0.64: "that is plain gradient descent; the second step also has 0.9 of the first one's velocity",
        0.44: "keep 0.9 of the velocity, not all of it",
        0.2224: "that is Nesterov's version; plain momentum adds m and nothing else",
        0.42: "the second gradient is taken where the first step led, at 0.8: it is 1.6",
        1.54: "the signs: m gets *minus* rate times gradient",
    }
    return check_number(
        answer,
        "after_two_steps",
        0.46,
        hints,
        "first step: m = -0.1·2, w = 1 + m; second: m = 0.9·m - 0.1·2w, w = w + m",
    )


@checker("04.adagrad")
def adagrad(student):
    """Five steps on two arrays, each with a memory of its own, as Keras's Adagrad; some gradients are 0."""
    rng = np.random.default_rng(4)
    for shape in ((3,), (2, 4)):
        gradients = rng.normal(size=(5, *shape))
        gradients[..., 0] = 0  # as for a pixel that is black in all images
        start = rng.normal(size=shape)
        w, memory, expected, v = start.copy(), {}, start.copy(), 0.1
        no_start, forgets = start.copy(), start.copy()
        for t, g in enumerate(gradients, start=1):
            w = student(w, g.copy(), memory, t, 0.3)
            if np.shape(w) != shape:
                return f"return the new w, of shape {shape}; this has shape {np.shape(w)}"
            v = v + g**2
            expected = expected - 0.3 * g / np.sqrt(v + 1e-7)
            no_start = no_start - 0.3 * g / np.sqrt(v - 0.1 + 1e-7)
            forgets = forgets - 0.3 * g / np.sqrt(0.1 + g**2 + 1e-7)
        if np.isnan(w).any():
            return "nan: a weight whose gradient was always 0 stays where it is; 0.1 and epsilon keep √ from being 0"
        if np.allclose(w, 2 * start - expected):
            return "the sign: the step goes against the gradient"
        if np.allclose(w, no_start):
            return 'v starts at 0.1, not at 0: memory.get("v", 0.1)'
        if np.allclose(w, forgets):
            return "v is forgotten after each step: keep it in memory, and add to what is there"
        if not np.allclose(w, expected):
            return "v = v + g², kept in memory and starting at 0.1; then w − rate·g/√(v + 1e-7)"
        if np.asarray(w).dtype == float and np.abs(w - expected).max() > 1e-9:
            return "right to six digits; epsilon, 1e-7, is added to v, under the root"
    return None


@checker("04.largest_rates")
def largest_rates(answer):
    """{curvature: largest stable rate} of momentum 0.9: 2 (1 + beta) / curvature."""
    if not isinstance(answer, dict):
        return "give a dictionary from λ to the largest rate that still comes down, such as {1.0: 2.5}"
    measured = {float(curvature): float(rate) for curvature, rate in answer.items()}
    if len(measured) < 3:
        return f"{len(measured)} curvature(s) so far; at least three are asked for"
    if outside := [curvature for curvature in measured if not 0.5 <= curvature <= 50]:
        return f"λ = {outside[0]:g} is not between 0.5 and 50"
    for curvature, rate in measured.items():
        if abs(rate * curvature / 2 - 1) < 0.03:
            return (
                f"λ = {curvature:g}: {rate:g} is 2/λ, plain gradient descent's; momentum can bear more. Try larger ones"
            )
        if rate * curvature < 3.8 * 0.979:
            return f"λ = {curvature:g}: with a little more than {rate:g} it still comes down; try larger rates"
        if rate * curvature > 3.8 * 1.021:
            return f"λ = {curvature:g}: with {rate:g} it does not come down any more"
    return None
