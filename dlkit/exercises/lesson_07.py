"""Checkers of lesson 07."""

from __future__ import annotations

import numpy as np

from dlkit.exercises.helpers import check_number, checker


@checker("07.l2_step")
def l2_step(answer):
    """Checks one step from w = 3 with gradient 0.5, learning rate 0.1 and penalty 0.01 w^2."""
    hints = {
        3 - 0.1 * 0.5: "the penalty has a gradient too: 2λw = 0.06",
        3 - 0.1 * (0.5 + 0.03): "the square has a factor 2 in its derivative: the gradient of λw² is 2λw",
        3 - 0.1 * (0.5 + 0.09): "that adds the penalty itself; the step needs its gradient, 2λw",
        3 - 0.1 * (0.5 - 0.06): "the penalty pulls the weight towards zero: add its gradient to that of the loss",
        3 + 0.1 * (0.5 + 0.06): "the step goes against the gradient",
        3 - (0.5 + 0.06): "the learning rate is missing",
    }
    return check_number(answer, "new_weight", 2.944, hints, "compute w − rate·(0.5 + 2λw)")


@checker("07.early_stopping")
def early_stopping(student):
    """Checks (epochs run, best epoch) for losses that stop the training and losses that do not."""
    cases = [
        ([1.0, 0.8, 0.9, 0.85, 0.7, 0.6], 2, (4, 2)),
        ([1.0, 0.8, 0.9, 0.85, 0.7, 0.6], 3, (6, 6)),
        ([0.5, 0.5, 0.5, 0.4], 2, (3, 1)),
        ([1.0, 0.9, 0.8], 1, (3, 3)),
        ([1.0, 2.0, 0.5, 2.0, 2.0, 0.1], 2, (5, 3)),
        ([1.0, 0.5, 0.7], 3, (3, 2)),
        ([0.4], 1, (1, 1)),
    ]
    for losses, patience, expected in cases:
        found = student(list(losses), patience)
        if not isinstance(found, (tuple, list)) or len(found) != 2:
            return "return two numbers: the epochs run and the best epoch"
        run, best = (int(value) for value in found)
        if (run, best) == expected:
            continue
        case = f"losses {losses}, patience {patience}: "
        if (run, best) == (expected[0] - 1, expected[1] - 1):
            return case + "epochs are counted from 1"
        if (best, run) == expected:
            return case + "the two numbers are in the wrong order: return the epochs run, then the best epoch"
        if run == len(losses) > expected[0]:
            return case + "it runs too long. An equal loss is not a new minimum; count consecutive epochs without one"
        if best != expected[1] and run == expected[0]:
            return case + f"the lowest loss so far is that of epoch {expected[1]}, not {best}"
        if run == expected[0] + 1:
            return case + "one epoch too many: stop as soon as `patience` consecutive epochs have no new minimum"
        advice = "Count epochs since the lowest loss; a new minimum starts the count again"
        return case + f"expected {expected}, got {(run, best)}. {advice}"
    return None


@checker("07.best_strength")
def best_strength(student):
    """Checks the strength of a ridge penalty chosen on validation data, on random problems."""
    strengths = (1e-6, 1e-2, 1.0, 1e2, 1e4)
    for seed, (n, d, outputs, noise) in enumerate(
        [(30, 30, 1, 1.0), (20, 40, 3, 2.0), (60, 10, 2, 0.1), (25, 25, 2, 5.0)]
    ):
        rng = np.random.default_rng(seed)
        w = rng.normal(size=(d, outputs))
        h, val_h = rng.normal(size=(n, d)), rng.normal(size=(80, d))
        y = h @ w + noise * rng.normal(size=(n, outputs))
        val_y = val_h @ w + noise * rng.normal(size=(80, outputs))
        errors = {s: np.mean((val_h @ _ridge(h, y, s) - val_y) ** 2) for s in strengths}
        found = student(h.copy(), y.copy(), val_h.copy(), val_y.copy(), strengths)
        if np.ndim(found) or isinstance(found, (str, bool)) or float(found) not in strengths:
            return f"return one of the given strengths, {strengths}"
        expected = min(errors, key=errors.get)
        if float(found) == expected:
            continue
        case = f"with {n} training examples and {d} features: "
        if float(found) == max(errors, key=errors.get):
            return case + "this strength has the highest validation error; the lowest is wanted"
        if float(found) == min(strengths):
            return case + "the smallest strength has the lowest training error; compare the errors on val_h, val_y"
        return case + f"expected {expected:g}, got {float(found):g}. Fit h, y with λ times the identity, test on val_h"
    return None


def _ridge(h, y, strength):
    """The weights that minimize |hw - y|² + strength |w|²."""
    return np.linalg.solve(h.T @ h + strength * np.eye(h.shape[1]), h.T @ y)
