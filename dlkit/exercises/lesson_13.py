"""Checkers of lesson 13."""

from __future__ import annotations

import functools

import numpy as np
from sklearn.linear_model import LogisticRegression

from dlkit.exercises.helpers import check_returned, check_shape, checker, first_match


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


@checker("13.choose_penalty")
def choose_penalty(student):
    """Runs the student's choice of C on generated features that need a strong and a weak penalty.

    The accuracy with the chosen C, on new features and on average over two draws, may be 4 points below the best.
    """
    hints = {
        "strong": "your C is too large for noisy features, which need a strong penalty; every C classifies its own "
        "training images well, so compare them on images that were held out",
        "weak": "your C is too small for features of a small scale; try values over several powers of ten, and let "
        "every fold contain every class: the images may be sorted by class",
    }
    for kind, hint in hints.items():
        losses = []
        for seed in (1, 3):  # a choice by the training images costs 6 points or more in both strong draws
            train, test = _draw_features(kind, seed)
            C = student(*(array.copy() for array in train))
            if shape_hint := check_shape(C, (), "return C, one number"):
                return shape_hint
            if not np.isreal(C) or not 0 < C < np.inf:
                return f"C has to be a positive number; this is {C}"
            losses.append(_best_accuracy(kind, seed) - _test_accuracy(train, test, float(C)))
        if np.mean(losses) > 0.04:
            return hint
    return None


def _draw_features(kind, seed):
    """Training and test features of three classes, sorted by class, with 30 and 200 examples each.

    "strong": all features are noisy, and they are many. "weak": four features are useful but small, and the others are
    large noise.
    """
    rng = np.random.default_rng(seed)
    if kind == "strong":
        scales, means = np.ones(80), 0.25 * rng.normal(size=(3, 80))
    else:
        scales = np.r_[np.full(4, 0.05), np.ones(20)]
        means = np.pad(2 * rng.normal(size=(3, 4)), ((0, 0), (0, 20)))
    labels = [np.repeat(np.arange(3), count) for count in (30, 200)]
    return [((means[y] + rng.normal(size=(len(y), len(scales)))) * scales, y) for y in labels]


@functools.cache
def _best_accuracy(kind, seed):
    """The accuracy on new features with the best of several C."""
    return max(_test_accuracy(*_draw_features(kind, seed), C) for C in 10.0 ** np.arange(-4, 5))


def _test_accuracy(train, test, C):
    return LogisticRegression(C=C, max_iter=2000).fit(*train).score(*test)
