"""Checkers of lesson 23."""

from __future__ import annotations

import numpy as np

from dlkit import data
from dlkit.exercises.helpers import check_number, checker

_TRUTH = {"A": "same", "B": "honest", "C": "copies"}


def three_generators():
    """Samples of three generators of digits: students of exercise 23.3 stop reading here, please.

    Returns:
        {"A": samples, "B": samples, "C": samples}, each a float32 array of shape (500, 64) with values from 0 to 1; the
        digit asked for is `np.arange(500) % 10`.
    """
    rng = np.random.default_rng(23)
    images, labels = data.load("digits").train
    images = images.reshape(-1, 64) / 255
    of_class = [images[labels == k] for k in range(10)]
    made = {name: [] for name in _TRUTH}
    for digit in np.arange(500) % 10:
        known = of_class[digit]
        first, second = known[rng.choice(len(known), 2, replace=False)]
        middle = known[((known - known.mean(axis=0)) ** 2).sum(axis=1).argmin()]
        made["A"].append(middle + rng.normal(0, 0.02, 64))
        made["B"].append(0.65 * first + 0.35 * second + rng.normal(0, 0.04, 64))
        made["C"].append(first + rng.normal(0, 0.01, 64))
    return {name: np.clip(rows, 0, 1).astype("float32") for name, rows in made.items()}


@checker("23.divergence")
def divergence(answer):
    """0.5 * (0.25 + 1 - 1 - log 0.25)."""
    hints = {
        0.5 * (0.5 + 1 - 1 - np.log(0.5)): "the variance is 0.5² = 0.25",
        0.25 + np.log(4): "the half in front is missing",
        0.5 * (0.25 + 1 - 1 + np.log(0.25)): "minus the logarithm: log 0.25 is negative",
        0.5 * (0.25 + 1 - np.log(0.25)): "the − 1 is missing",
        0.5 * (0.25 - 1 - np.log(0.25)): "the mean counts too: μ² = 1",
        0.5 * (0.25 - np.log10(0.25)): "the natural logarithm",
        0.5 * (0.25 - np.log2(0.25)): "the natural logarithm",
    }
    right = 0.5 * (0.25 - np.log(0.25))
    return check_number(answer, "kl", right, hints, "½ (σ² + μ² − 1 − log σ²) with σ² = 0.25, μ = 1", tolerance=6e-4)


@checker("23.vae_terms")
def vae_terms(student):
    """Both terms, against their formulas."""
    rng = np.random.default_rng(0)
    mu, log_var, noise = rng.normal(size=(3, 4, 2))
    W, x, sigma = rng.normal(size=(2, 6)), rng.random((4, 6)), 0.3
    found = student(x, mu, log_var, noise, lambda z: z @ W, sigma)
    if found is None:
        return "your function returns nothing; is the `return` missing?"
    if np.shape(found) != (2,):
        return "return two numbers, (reconstruction, divergence), each a mean over the batch"

    def off(z):
        return ((x - z @ W) ** 2).sum(axis=1)

    first = off(mu + np.exp(log_var / 2) * noise) / (2 * sigma**2)
    second = 0.5 * (np.exp(log_var) + mu**2 - 1 - log_var)
    if np.isclose(found[0], first.mean()) and np.isclose(found[1], second.sum(axis=1).mean()):
        return None
    hints = [
        (0, off(mu + np.exp(log_var) * noise).mean() / (2 * sigma**2), "exp(log_var / 2) is the standard deviation"),
        (0, off(mu).mean() / (2 * sigma**2), "z is drawn: mean plus standard deviation times noise"),
        (0, first.mean() / 6, "sum over the pixels, mean over the batch"),
        (0, first.sum(), "the mean over the batch, not the sum"),
        (0, first.mean() * 2 * sigma**2, "divide the squares by 2 sigma²"),
        (0, first.mean() * 2 * sigma, "divide by 2 sigma², the square"),
        (1, -second.sum(axis=1).mean(), "the divergence is positive: check its sign"),
        (1, second.mean(), "sum the divergence over the d numbers of z, then mean over the batch"),
        (1, second.sum(), "the mean over the batch, not the sum"),
        (1, 2 * second.sum(axis=1).mean(), "the half in front of the divergence is missing"),
    ]
    fits = (hint for place, wrong, hint in hints if np.isclose(found[place], wrong))
    term = "divergence" if np.isclose(found[0], first.mean()) else "reconstruction"
    return next(fits, f"the {term} is not right: compare it with the formula")


@checker("23.three_generators")
def three_verdicts(answer):
    """Which one repeats itself, which one copies."""
    if not isinstance(answer, dict) or set(answer) != set(_TRUTH) or set(answer.values()) != set(_TRUTH.values()):
        return 'give each of A, B and C one of "copies", "same" and "honest"'
    wrong = sorted(name for name in _TRUTH if answer[name] != _TRUTH[name])
    if not wrong:
        return None
    if answer["A"] != "same":
        return "one of them hardly differs within a class: measure the spread of its pixels there"
    return f"{' and '.join(wrong)}: measure the distance of each sample to the nearest training image"
