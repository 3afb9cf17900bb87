"""Checkers of lesson 13."""

from __future__ import annotations

import numpy as np

from dlkit.exercises.helpers import check_returned, check_shape, check_two_curves, checker, first_match


@checker("13.arrays_that_change")
def arrays_that_change(answer):
    """Checks a set of names: the arrays of batch normalization and of the dense layer; the convolution is frozen."""
    if isinstance(answer, str) or not all(isinstance(name, str) for name in answer):
        return 'give a set of strings, such as {"conv/kernel", "conv/bias"}'
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
        return "the moving mean and variance have no gradient, but `fit` updates them with every batch"
    return None


@checker("13.l2_sp")
def l2_sp(student):
    """Checks the penalty and its gradients for two arrays, and recognizes the usual mistakes."""
    rng = np.random.default_rng(0)
    start = [rng.normal(size=(3, 2)), rng.normal(size=2)]
    weights = [values + rng.normal(size=values.shape) for values in start]
    before = [values.copy() for values in (*weights, *start)]
    result = student(weights, start, 0.3)
    if hint := check_returned(result):
        return hint
    if not isinstance(result, (tuple, list)) or len(result) != 2:
        return "return two things: the penalty, and the list of gradients"
    penalty, gradients = result
    if not all(np.array_equal(a, b) for a, b in zip(before, (*weights, *start), strict=True)):
        return "the given arrays were changed; compute new ones"
    if hint := check_shape(penalty, (), "the penalty is one number"):
        return hint
    if [np.shape(gradient) for gradient in gradients] != [(3, 2), (2,)]:
        return "give a gradient for each array, in its shape"
    differences = [w - s for w, s in zip(weights, start, strict=True)]
    squares = [np.sum(d**2) for d in differences]
    if not np.isclose(penalty, 0.3 * sum(squares)):
        hints = [
            (sum(squares), "the strength is missing"),
            (0.3 * sum(np.sum(w**2) for w in weights), "measure the distance from `start`, not from zero"),
            (0.3 * sum(np.sum(np.abs(d)) for d in differences), "use squared distances, not absolute ones"),
            (0.3 * np.sqrt(sum(squares)), "the *squared* distance is without the root"),
            (0.3 * squares[0], "only the first array was counted"),
            (0.3 * sum(squares) / 8, "the penalty is a sum over all weights, not a mean"),
        ]
        return first_match(penalty, hints, "the penalty is λ Σ (W − W_s)²")
    for factor, hint in ((0.3, "the 2 of the square"), (-0.6, "the sign"), (2, "the strength")):
        if all(np.allclose(g, factor * d) for g, d in zip(gradients, differences, strict=True)):
            return f"the penalty is correct; in the gradient {hint} is {'wrong' if factor < 0 else 'missing'}"
    if not all(np.allclose(g, 0.6 * d) for g, d in zip(gradients, differences, strict=True)):
        return "the penalty is correct, but the gradient is not: differentiate λ (w − s)² with respect to w"
    return None


@checker("13.crossing")
def crossing(measured):
    """Checks the experiment: frozen is ahead at the smallest number of images, fine-tuned at the largest."""
    if hint := check_two_curves(measured, ("frozen", "fine-tuned"), "images_per_class"):
        return hint
    if len(measured) < 4:
        return f"you measured {len(measured)} numbers of images; four are needed to see where the curves cross"
    ahead = [np.mean(measured[n]["frozen"]) > np.mean(measured[n]["fine-tuned"]) for n in sorted(measured)]
    if not ahead[0]:
        return "frozen features should be ahead at your smallest number of images; try fewer"
    if ahead[-1]:
        return "fine-tuning should be ahead at your largest number of images; try more"
    return None
