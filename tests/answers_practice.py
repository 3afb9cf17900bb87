"""Other right ways and typical mistakes for the exercises of notebooks 21 to 26, for test_exercises.

Each mistake comes with a word of the hint that it should get.
"""

from fractions import Fraction
from functools import partial

import numpy as np


def halving(factor_of=lambda factor: factor, best=True, longer=True, again=False, give=lambda left: left):
    """Successive halving by a heap of small deviations."""

    def run(score, candidates, epochs, factor):
        left = list(candidates)
        while len(left) > 1:
            ranked = sorted((score(candidate, epochs), candidate) for candidate in left)
            keep = max(len(ranked) // factor_of(factor), 1)
            left = [candidate for _, candidate in (ranked[-keep:] if best else ranked[:keep])]
            epochs = epochs * factor if longer else epochs
        if again:
            score(left[0], epochs)
        return give(left[0])

    return run


def cover(sign=1, fill=None, fresh=True, in_place=False, difference=True, batch=True):
    """Occlusion square by square."""

    def run(score, image, size, value):
        covered = image if in_place else image.copy()
        before = score(image[None])[0]
        table = np.zeros((image.shape[0] // size, image.shape[1] // size))
        for i, j in np.ndindex(table.shape):
            covered = image.copy() if fresh and not in_place else covered
            covered[i * size : (i + 1) * size, j * size : (j + 1) * size] = value if fill is None else fill
            after = score(covered[None] if batch else covered)
            table[i, j] = sign * (before * difference - np.ravel(after)[0])
        return table

    return run


def vae_by_rows(spread=lambda log_var: np.exp(log_var) ** 0.5, off=lambda e, s: (e @ e) / (2 * s * s), scale=(1, 1)):
    """The terms of a VAE's loss, row by row."""

    def run(x, mu, log_var, noise, decode, sigma):
        terms = []
        for k in range(len(x)):
            z = mu[k] + spread(log_var[k]) * noise[k]
            kl = sum(0.5 * (np.exp(v) + m * m - 1 - v) for m, v in zip(mu[k], log_var[k], strict=True))
            terms.append((off(x[k] - decode(z), sigma), kl))
        return tuple(np.mean(terms, axis=0) * scale)

    return run


def column_by_column(largest=lambda column: np.abs(column).max(), top=127, turn=np.rint, kind="int8", empty=1.0):
    """Symmetric quantization, a column at a time."""

    def run(W):
        scales = [largest(column) / top or empty for column in W.T]
        return np.stack([turn(c / s) for c, s in zip(W.T, scales, strict=True)], axis=1).astype(kind), np.array(scales)

    return run


def smallest_by_sets(
    first, second, places, largest, start=1, any_of=False, miss=None, largest_first=False, half=Fraction(1, 2), more=0
):
    """All fractions that round to each number, by exact counting."""
    largest += more

    def of(printed):
        off = half / 10**places + Fraction(1, 10**12)
        target = Fraction(str(printed))
        return {n for n in range(start, largest + 1) if abs(Fraction(round(target * n), n) - target) <= off}

    common = of(first) | of(second) if any_of else of(first) & of(second)
    return (max(common) if largest_first else min(common)) if common else miss


def smallest_by_rounding(first, second, places, largest):
    """Rounds each fraction to the places, and compares."""
    for n in range(1, largest + 1):
        printed = {round(k / n, places) for k in range(n + 1)}
        if {round(first, places), round(second, places)} <= printed:
            return n


SEEDS = [0.97, 0.972, 0.968, 0.971, 0.969]
CLAIM = {"claim": "this network reads nearly all digits", "said": 0.97, "measured": SEEDS, "verdict": "right"}


PLACE = {"row": 23, "column": 7, "with": 0.99, "without": 0.55}

ANOTHER_WAY = {
    "21.grid_hours": 60.0,
    "21.successive_halving": halving(),
    "21.spend_a_budget": {"validation": [0.3, 0.92, 0.9], "chosen": 1, "test": 0.891},
    "22.integrated_linear": np.array([6, 0, 1.0]),
    "22.occlude": cover(),
    "22.find_the_shortcut": PLACE,
    "23.divergence": 0.8181,
    "23.vae_terms": vae_by_rows(),
    "23.three_generators": {"C": "copies", "B": "honest", "A": "same"},
    "24.scale_and_zero": (0.0196, -77),
    "24.symmetric": column_by_column(),
    "24.the_cliff": {"share": 0.92, "before": 0.97, "after": 0.965},
    "25.amdahl": 2.5,
    "25.combine": lambda gradients, counts: np.tensordot(counts, gradients, 1) / np.sum(counts),
    "25.bottleneck": {"stage": "augment", "share": 0.45, "times_as_fast": 1 / 0.595},
    "26.test_size": 3458.0,
    "26.smallest_test_set": smallest_by_sets,
    "26.your_claim": CLAIM,
}

UNUSUAL_WAYS = {"26.smallest_test_set": [smallest_by_rounding]}

MISTAKES = {
    "21.grid_hours": [
        (3600, "minutes"),
        (4, "5 folds"),
        (20, "3 seeds"),
        (12, "5 folds"),
        (30, "2 minutes"),
        (7, "multiplies"),
        (50, "4 · 3 · 2 · 5"),
    ],
    "21.successive_halving": [
        (halving(factor_of=lambda factor: factor + 1), "the rounds train"),
        (halving(best=False), "larger scores"),
        (halving(longer=False), "times as long"),
        (halving(again=True), "not train it again"),
        (halving(give=lambda left: left + 1), "return the candidate"),
        (halving(give=lambda left: None), "return"),
    ],
    "21.spend_a_budget": [
        ({"validation": [0.9]}, "give"),
        ({"validation": [0.9] * 65, "chosen": 0, "test": 0.9}, "budget"),
        ({"validation": [90.0], "chosen": 0, "test": 0.9}, "between 0 and 1"),
        ({"validation": [0.9, 0.8], "chosen": 2, "test": 0.9}, "counts from 0"),
        ({"validation": [0.9, 0.8], "chosen": 1, "test": 0.9}, "by what did you choose"),
        ({"validation": [0.9, 0.8], "chosen": 0, "test": 0.85}, "below 0.88"),
    ],
    "22.integrated_linear": [
        ((3, -2, 0.5), "those are the gradients"),
        ((6, -2, 2), "not with x"),
        ((2, 0, 2), "with the weights"),
        ((-6, 0, -1), "not back"),
        (7, "three numbers"),
        ((1, 1, 1), "the same all along"),
    ],
    "22.occlude": [
        (cover(sign=-1), "a fall is positive"),
        (cover(fill=0), "not with 0"),
        (cover(fresh=False), "a new copy"),
        (cover(in_place=True), "has changed"),
        (cover(difference=False, sign=-1), "subtract"),
        (cover(batch=False), "batch"),
        (lambda score, image, size, value: cover()(score, image, 2, value), "shape (3, 1) for 9 x 3"),
        (lambda score, image, size, value: image, "one number for each square"),
    ],
    "22.find_the_shortcut": [
        ({"row": 23}, "give"),
        (PLACE | {"with": 99}, "between 0 and 1"),
        (PLACE | {"row": 7, "column": 23}, "swapped"),
        (PLACE | {"row": 4, "column": 28}, "not there"),
        (PLACE | {"with": 0.8}, "longer"),
        (PLACE | {"without": 0.9}, "prove it"),
    ],
    "23.divergence": [
        (0.5966, "0.25"),
        (1.6363, "half"),
        (-0.5681, "minus the logarithm"),
        (1.3181, "− 1"),
        (0.3181, "the mean counts"),
        (0.4260, "natural"),
    ],
    "23.vae_terms": [
        (vae_by_rows(spread=np.exp), "standard deviation"),
        (vae_by_rows(spread=lambda log_var: 0), "z is drawn"),
        (vae_by_rows(scale=(1 / 6, 1)), "sum over the pixels"),
        (vae_by_rows(off=lambda e, s: e @ e), "divide the squares"),
        (vae_by_rows(scale=(1, -1)), "sign"),
        (vae_by_rows(scale=(1, 0.5)), "sum the divergence"),
        (vae_by_rows(scale=(1, 2)), "half"),
        (vae_by_rows(scale=(4, 1)), "not the sum"),
        (lambda *given: 3.0, "two numbers"),
    ],
    "23.three_generators": [
        ({"A": "copies"}, "give each"),
        ({"A": "same", "B": "same", "C": "honest"}, "give each"),
        ({"A": "copies", "B": "same", "C": "honest"}, "spread"),
        ({"A": "same", "B": "copies", "C": "honest"}, "distance"),
    ],
    "24.scale_and_zero": [
        ((5 / 256, -77), "255 distances"),
        ((4 / 255, -64), "from −1 to 4"),
        ((4 / 127, 0), "symmetric"),
        ((51, -77), "upside down"),
        ((0.0196, 51), "51 marks further"),
        ((0.0196, 0), "zero point"),
        (0.0196, "two numbers"),
    ],
    "24.symmetric": [
        (lambda W: column_by_column(largest=lambda column: np.abs(W).max())(W), "column of zeros"),
        (column_by_column(empty=0.0), "column of zeros"),
        (column_by_column(top=128), "127, not 128"),
        (column_by_column(largest=np.max), "absolute"),
        (column_by_column(largest=np.ptp, top=255), "symmetric"),
        (column_by_column(kind="int32"), "int8"),
        (column_by_column(turn=np.trunc), "round"),
        (lambda W: W, "return the integers"),
        (lambda W: (column_by_column()(W)[0], column_by_column()(np.c_[W, W])[1][:4]), "shape (2,)"),
    ],
    "24.the_cliff": [
        ({"share": 0.9}, "give"),
        ({"share": 90, "before": 0.97, "after": 0.96}, "between 0 and 1"),
        ({"share": 0.9, "before": 0.6, "after": 0.6}, "begin with"),
        ({"share": 0.7, "before": 0.97, "after": 0.96}, "the aim is 90"),
        ({"share": 0.9, "before": 0.97, "after": 0.9}, "points are lost"),
    ],
    "25.amdahl": [
        (4, "only 80"),
        (3.2, "new time first"),
        (0.4, "how many times"),
        (5, "here there are 4"),
        (2, "1 /"),
    ],
    "25.combine": [
        (lambda gradients, counts: np.mean(gradients, axis=0), "counts more"),
        (lambda gradients, counts: np.sum(gradients, axis=0), "too long"),
        (lambda gradients, counts: np.tensordot(counts, gradients, 1), "all images"),
        (lambda gradients, counts: np.tensordot(counts, gradients, 1) / len(counts), "not the replicas"),
        (lambda gradients, counts: 1.0, "shape"),
    ],
    "25.bottleneck": [
        ({"stage": "read"}, "give"),
        ({"stage": "input", "share": 0.5, "times_as_fast": 2}, "one of"),
        ({"stage": "backward", "share": 0.5, "times_as_fast": 2}, "takes longer"),
        ({"stage": "augment", "share": 48, "times_as_fast": 2}, "between 0 and 1"),
        ({"stage": "augment", "share": 0.9, "times_as_fast": 2}, "all four stages"),
        ({"stage": "augment", "share": 0.48, "times_as_fast": 10}, "Amdahl"),
    ],
    "26.test_size": [(3457, "round up"), (865, "each side"), (900, "1.96"), (13830, "0.005"), (100, "rounded up")],
    "26.smallest_test_set": [
        (partial(smallest_by_sets, any_of=True), "only one of the two"),
        (partial(smallest_by_sets, largest_first=True), "a smaller number"),
        (partial(smallest_by_sets, miss=0), "return None"),
        (partial(smallest_by_sets, start=100), "a smaller number"),
        (lambda first, second, places, largest: 7, "must round"),
        (lambda first, second, places, largest: 7.5, "whole"),
        (partial(smallest_by_sets, more=-1), "`largest` itself"),
        (partial(smallest_by_sets, more=1), "return None"),
        (partial(smallest_by_sets, half=Fraction(1)), "only one of the two"),
        (partial(smallest_by_sets, half=Fraction(3, 4)), "only one of the two"),
        (partial(smallest_by_sets, half=Fraction(5, 9)), "only one of the two"),
    ],
    "26.your_claim": [
        ({"claim": "it is good"}, "give"),
        (CLAIM | {"claim": "good"}, "in a sentence"),
        (CLAIM | {"measured": [0.97, 0.98]}, "five seeds"),
        (CLAIM | {"said": 97}, "between 0 and 1"),
        (CLAIM | {"measured": [0.97] * 5}, "the very same"),
        (CLAIM | {"verdict": "perhaps"}, "right"),
        (CLAIM | {"verdict": "wrong"}, "another verdict"),
        (CLAIM | {"said": 0.999}, "another verdict"),
    ],
}
