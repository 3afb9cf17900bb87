"""Checkers of lesson 02."""

from __future__ import annotations

import numpy as np

from dlkit.exercises.helpers import check_number, check_shape, checker, first_match


@checker("02.find_the_mistake")
def find_the_mistake(answer):
    """Checks (as printed, after the repair): -log 0.8, and -log(0.8 / 1.1)."""
    if hint := check_shape(answer, (2,), "give both numbers, (as printed, after the repair)"):
        return hint
    as_printed, after_repair = -np.log(0.8), -np.log(0.8 / 1.1)
    hints = {
        as_printed / 3: "the sum over the classes is not divided by their number; only the mean over examples divides",
        np.log(0.8): "the sign is wrong: logarithms of probabilities are negative, and the loss is minus their sum",
        as_printed / np.log(2): "that is in bits; here the logarithm is the natural one",
        as_printed / np.log(10): "that is the logarithm to base 10; here it is the natural one",
        0.7226: "that is the number of the tutorial; only the correct class contributes to the sum",
        after_repair: "that is the loss after the repair; first take the numbers as they are",
    }
    default_hint = "only the term of the correct class remains of the sum: minus the natural logarithm of 0.8"
    if hint := check_number(answer[0], "losses[0]", as_printed, hints, default_hint, tolerance=0.0002):
        return hint
    hints = {
        as_printed: "the three numbers sum to more than 1; divide each by the sum first",
        after_repair / 3: "the sum over the classes is not divided by their number",
        -np.log(0.8 * 1.1): "divide the probability by the sum, do not multiply",
    }
    default_hint = "add the three numbers of the prediction, divide 0.8 by the sum, then take minus the logarithm"
    return check_number(answer[1], "losses[1]", after_repair, hints, default_hint, tolerance=0.0002)


@checker("02.sparse_cross_entropy")
def sparse_cross_entropy(student):
    """Checks the mean cross-entropy from logits and class numbers; -1 is left out; also for very large logits."""
    for seed, (n, num_classes) in enumerate([(6, 4), (9, 3)]):
        rng = np.random.default_rng(seed)
        logits, labels = rng.normal(size=(n, num_classes)) * 2, rng.integers(0, num_classes, n)
        if hint := _sparse_hint(student, labels, logits):
            return hint
        labels[[1, 4]] = -1
        if hint := _sparse_hint(student, labels, logits):
            return hint
    huge = (logits * 5_000).astype("float32")
    with np.errstate(all="ignore"):
        far = float(student(labels.copy(), huge.copy()))
    if not np.isclose(far, _sparse_losses(labels, huge.astype(float)).mean(), rtol=1e-4):
        return f"for logits near 10,000 it gives {far:g}; subtract each row's largest logit before the exponential"
    return None


def _sparse_losses(labels, logits):
    labels, logits = labels[labels >= 0], logits[labels >= 0]
    z = logits - logits.max(axis=1, keepdims=True)
    return np.log(np.exp(z).sum(axis=1)) - z[np.arange(len(z)), labels]


def _sparse_hint(student, labels, logits):
    found = student(labels.copy(), logits.copy())
    if np.ndim(found) == 1 and len(found) in (len(labels), np.sum(labels >= 0)):
        return "your function returns one number for each example; return their mean"
    if hint := check_shape(found, (), "return one number"):
        return hint
    losses = _sparse_losses(labels, logits)
    if np.isclose(float(found), losses.mean()):
        return None
    clipped = _sparse_losses(np.where(labels < 0, logits.shape[1] - 1, labels), logits)
    hints = [
        (losses.sum(), "that is the sum over the examples; take the mean"),
        (-losses.mean(), "the sign is wrong: a loss is minus the logarithm of a probability, and never negative"),
        (losses.mean() / logits.shape[1], "divide by the number of examples, not by examples times classes"),
    ]
    if (labels < 0).any():
        hints = [
            (losses.sum() / len(labels), "examples with the label -1 do not count: divide by the number of the others"),
            (clipped.mean(), "in NumPy, the index -1 is the last class; leave these examples out before you index"),
            *hints,
        ]
    default_hint = "for each row: the log of the sum of exponentials minus the correct class's logit; then the mean"
    return first_match(float(found), hints, default_hint)


@checker("02.best_number")
def best_number(student):
    """Checks a function (demand, cost_missing, cost_left) -> the constant with the lowest mean cost, a quantile."""
    cases = [(9.0, 1.0, 30.0), (1.0, 1.0, 15.0), (1.0, 4.0, 10.0), (3.0, 1.0, 7.5), (2.0, 3.0, 0.3)]
    for seed, (missing, left, scale) in enumerate(cases):
        demand = np.random.default_rng(seed).gamma(2.0, scale, size=201)
        found = student(demand.copy(), missing, left)
        if hint := check_shape(found, (), "return one number, the number of loaves"):
            return hint

        def cost(number, demand=demand, missing=missing, left=left):
            gap = demand - number
            return np.mean(np.where(gap > 0, missing * gap, -left * gap))

        if cost(found) <= 1.002 * min(map(cost, demand)):
            continue
        case = f"a missing loaf costs {missing:g}, one too many {left:g}: "
        hints = [
            (demand.mean(), "that is the mean, which minimizes the squared error, not these costs"),
            (np.median(demand), "that is the median; it is best only if both costs are equal"),
            (np.quantile(demand, left / (missing + left)), "the two costs are exchanged"),
        ]
        default_hint = f"{found:g} loaves cost {cost(found):.4g} a day; others cost less; try them in finer steps"
        return case + first_match(float(found), hints, default_hint, atol=0.1)
    return None
