"""Checkers of lesson 13."""

from __future__ import annotations

import numpy as np

from dlkit.exercises.helpers import check_two_curves, checker


@checker("13.arrays_that_change")
def arrays_that_change(answer):
    """Convolution frozen; batch normalisation and dense layer free."""
    if isinstance(answer, str) or not all(isinstance(name, str) for name in answer):
        return 'give a set of texts, such as {"conv/kernel", "conv/bias"}'
    answer = set(answer)
    own = {"conv": {"kernel", "bias"}, "dense": {"kernel", "bias"}}
    own["norm"] = {"gamma", "beta", "moving_mean", "moving_variance"}
    every = {f"{layer}/{weight}" for layer, weights in own.items() for weight in weights}
    if unknown := answer - every:
        return f"there is no {sorted(unknown)[0]} in this model"
    if answer & {"conv/kernel", "conv/bias"}:
        return "the convolution is frozen: its arrays stay as they are"
    if not {"dense/kernel", "dense/bias"} <= answer:
        return "the dense layer comes after the frozen one and is trained"
    if not {"norm/gamma", "norm/beta"} <= answer:
        return "nobody has frozen `norm`; which of its arrays does the optimizer change?"
    if answer != every - {"conv/kernel", "conv/bias"}:
        return "mean and variance have no gradient, and still they follow every batch that `fit` trains on"
    return None


@checker("13.l2_sp")
def l2_sp(student):
    """Penalty and gradients on two arrays, told apart from the usual slips."""
    rng = np.random.default_rng(0)
    start = [rng.normal(size=(3, 2)), rng.normal(size=2)]
    weights = [values + rng.normal(size=values.shape) for values in start]
    before = [values.copy() for values in (*weights, *start)]
    result = student(weights, start, 0.3)
    if result is None:
        return "your function returns nothing; is the `return` missing?"
    if not isinstance(result, (tuple, list)) or len(result) != 2:
        return "return two things: the penalty, and the list of gradients"
    penalty, gradients = result
    if not all(np.array_equal(a, b) for a, b in zip(before, (*weights, *start), strict=True)):
        return "the arrays that came in were changed; compute new ones"
    if np.ndim(penalty) != 0:
        return f"the penalty is one number; this has shape {np.shape(penalty)}"
    if [np.shape(gradient) for gradient in gradients] != [(3, 2), (2,)]:
        return "give a gradient for each array, in its shape"
    steps = [w - s for w, s in zip(weights, start, strict=True)]
    squares = [np.sum(step**2) for step in steps]
    if not np.isclose(penalty, 0.3 * sum(squares)):
        hints = [
            (sum(squares), "the strength is missing"),
            (0.3 * sum(np.sum(w**2) for w in weights), "measure the distance from `start`, not from zero"),
            (0.3 * sum(np.sum(np.abs(step)) for step in steps), "squared distances, not absolute ones"),
            (0.3 * np.sqrt(sum(squares)), "the *squared* distance has no root"),
            (0.3 * squares[0], "only the first array was counted"),
            (0.3 * np.mean(np.concatenate([step.ravel() for step in steps]) ** 2), "a sum, not a mean"),
        ]
        return next((hint for value, hint in hints if np.isclose(penalty, value)), "the penalty is λ Σ (W − W_s)²")
    for factor, hint in ((0.3, "the 2 of the square"), (-0.6, "the sign"), (2, "the strength")):
        if all(np.allclose(g, factor * step) for g, step in zip(gradients, steps, strict=True)):
            return f"the penalty is right; in the gradient {hint} is {'wrong' if factor < 0 else 'missing'}"
    if not all(np.allclose(g, 0.6 * step) for g, step in zip(gradients, steps, strict=True)):
        return "the penalty is right, the gradient is not: differentiate λ (w − s)² with respect to w"
    return None


@checker("13.crossing")
def crossing(measured):
    """The student's experiment: frozen ahead at the smallest number, fine-tuned at the largest."""
    if hint := check_two_curves(measured, ("frozen", "fine-tuned"), "images_per_class"):
        return hint
    if len(measured) < 4:
        return f"{len(measured)} numbers of images; four are needed to see where the lines cross"
    ahead = [np.mean(measured[n]["frozen"]) > np.mean(measured[n]["fine-tuned"]) for n in sorted(measured)]
    if not ahead[0]:
        return "frozen features should be ahead at your smallest number; go on to fewer images"
    if ahead[-1]:
        return "fine-tuning should be ahead at your largest number; go on to more images"
    return None
