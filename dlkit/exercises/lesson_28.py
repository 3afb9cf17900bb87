"""Checkers of lesson 28."""

from __future__ import annotations

import numpy as np

from dlkit.exercises.helpers import check_number, check_shape, checker, first_match

STEPS = 200  # of the EM algorithm


@checker("28.threshold")
def threshold(answer):
    """Checks a threshold from costs of 19 to 1 for outputs whose odds a class weight has multiplied by 4."""
    hints = {
        1 / 20: "that is the threshold for true probabilities; the weight 4 has multiplied the odds of the outputs",
        1 / 19: "those are the odds at the threshold, 1 : 19, before the weight; an output is a probability",
        4 / 19: "those are the odds at the threshold, 4 : 19; turn them into a probability",
        4 / 20: "the weight multiplies the odds, not the probability",
        1 / 77: "the weight makes the outputs larger, so the threshold has to grow, too",
        19 / 20: "at this threshold, a miss would have to be the cheaper mistake",
        19 / 23: "that is the output below which the mushroom is called edible, as a probability of edible",
        0.5: "the most probable class is right only if both mistakes cost the same, and without a weight",
    }
    default_hint = "find the true probability at which both answers cost the same, multiply its odds by 4, and convert"
    return check_number(answer, "threshold", 4 / 23, hints, default_hint, tolerance=6e-4)


def _estimate(probs, old, *, steps=STEPS, divide=True, normalize=True, compound=False):
    new, current = np.array(old, float), np.array(probs, float)
    for _ in range(steps):
        current = (current if compound else probs) * (new / old if divide else new)
        if normalize:
            current = current / current.sum(axis=1, keepdims=True)
        new = current.mean(axis=0)
    return new


@checker("28.estimate_fractions")
def estimate_fractions(student):
    """Draws probabilities of unlabeled photographs with other fractions, and compares with the algorithm."""
    rng = np.random.default_rng(0)
    for count, old, new in (
        (400, (0.5, 0.5), (0.9, 0.1)),
        (300, (0.2, 0.3, 0.5), (0.6, 0.3, 0.1)),
        (250, (0.7, 0.1, 0.1, 0.1), (0.25, 0.25, 0.25, 0.25)),
    ):
        old = np.array(old)
        labels = rng.choice(len(old), count, p=new)
        logits = rng.normal(size=(count, len(old))) + 2 * np.eye(len(old))[labels] + np.log(old)
        probs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        before = probs.copy(), old.copy()
        found = student(probs, old)
        description = f"for {len(old)} classes, return {len(old)} fractions"
        if hint := check_shape(found, old.shape, description):
            return hint
        if not (np.array_equal(probs, before[0]) and np.array_equal(old, before[1])):
            return "your function changes an array that it is given; change a copy"
        if hint := _wrong_fractions(np.asarray(found, float), *before):
            return hint
    return None


def _wrong_fractions(found, probs, old):
    if np.allclose(found, _estimate(probs, old), atol=2e-4):
        return None
    if not np.isfinite(found).all():
        return "the fractions are not all numbers; normalize each row in every repetition"
    wrong = [
        (
            probs.mean(axis=0),
            "that is the mean of the given probabilities, the result of one repetition; repeat 200 times",
        ),
        (old, "these are still the old fractions"),
        (_estimate(probs, old, divide=False), "multiply by the new divided by the old fractions"),
        (_estimate(probs, old, compound=True), "begin each repetition with the probabilities that were given"),
        (np.bincount(probs.argmax(axis=1), minlength=len(old)) / len(probs), "use the probabilities, not the answers"),
    ]
    default_hint = "multiply each row by new / old, normalize it, take the mean of the rows, and repeat 200 times"
    return first_match(found, wrong, default_hint, atol=2e-4)


def _make_data(bursts, size, rng, *, signal):
    """Rows in bursts of one size, whose labels depend on the first feature or on nothing."""
    labels = rng.integers(0, 2, bursts)
    centers = 3 * rng.normal(size=(bursts, 20))
    centers[:, 0] += signal * (2 * labels - 1)
    groups = np.repeat(np.arange(bursts), size)
    order = rng.permutation(len(groups))
    rows = centers[groups] + 0.3 * rng.normal(size=(len(groups), 20))
    return rows[order], labels[groups][order], groups[order]


def _make_pairs(kinds, size, rng):
    """Rows in bursts, two for each kind of object, whose labels belong to the kinds and are chance otherwise."""
    centers, labels = 10 * rng.normal(size=(kinds, 20)), rng.integers(0, 2, kinds)
    groups = np.repeat(np.arange(2 * kinds), size)
    bursts = np.repeat(centers, 2, axis=0) + rng.normal(size=(2 * kinds, 20))
    order = rng.permutation(len(groups))
    rows = bursts[groups] + 0.1 * rng.normal(size=(len(groups), 20))
    return rows[order], labels[groups // 2][order], groups[order]


@checker("28.pretended")
def pretended(student):
    """Runs the student's function on data in which a leak pretends nothing, or nearly everything."""
    rng = np.random.default_rng(0)
    cases = (
        ("bursts of four with labels that are chance", _make_data(60, 4, rng, signal=0), (0.3, 0.7)),
        ("bursts of eight with labels that are chance", _make_data(40, 8, rng, signal=0), (0.3, 0.7)),
        ("examples without bursts", _make_data(240, 1, rng, signal=0), (-0.09, 0.09)),
        ("two bursts of each kind of object", _make_pairs(40, 4, rng), (0.05, 0.22)),
        ("bursts whose classes are easy to tell apart", _make_data(60, 4, rng, signal=40), (-0.03, 0.03)),
    )
    for name, (rows, labels, groups), (low, high) in cases:
        values = []
        for seed in range(12):
            arrays = rows.copy(), labels.copy(), groups.copy()
            value = student(*arrays, seed)
            if hint := check_shape(value, (), "return one number, the difference of two accuracies"):
                return hint
            if any(not np.array_equal(a, b) for a, b in zip(arrays, (rows, labels, groups), strict=True)):
                return "your function changes an array that it is given; change a copy"
            values.append(float(value))
        if len(set(values)) == 1 and name != cases[-1][0]:
            return f"on {name}, every seed gives {values[0]:.3f}; draw both splits anew for each seed"
        if name != cases[-1][0] and student(rows.copy(), labels.copy(), groups.copy(), seed) != values[-1]:
            return "the same seed gives two results; draw all random numbers from np.random.default_rng(seed)"
        if hint := _wrong_difference(name, float(np.mean(values)), low, high):
            return hint
    return None


def _wrong_difference(name, mean, low, high):
    if low <= mean <= high:
        return None
    message = f"on {name}, the mean over seeds should lie between {low} and {high}; yours is {mean:.3f}"
    if low <= -mean <= high:
        return f"{message}: subtract the accuracy of the split by group from the other one"
    if abs(mean) > 1:
        return f"{message}: accuracies are fractions, not percentages"
    if (low, high) == (0.05, 0.22):
        return f"{message}: do you hold out a quarter of the groups, each with all of its examples?"
    if low > 0.2 and abs(mean) < 0.1:
        return f"{message}: do all examples of a group lie on the same side of your split by group?"
    return f"{message}; measure both accuracies on examples that were held out"
