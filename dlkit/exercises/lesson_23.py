"""Checkers of lesson 23."""

from __future__ import annotations

import numpy as np

from dlkit import data
from dlkit.exercises.helpers import check_number, check_shape, checker, first_match

_TRUTH = {"A": "same", "B": "honest", "C": "copies"}


def three_generators():
    """Samples of three generators of digits. Students of exercise 23.3: please stop reading here.

    Returns:
        Dictionary {"A": samples, "B": samples, "C": samples}. The samples are arrays of float32 of shape (500, 64) with
        values from 0 to 1; the requested digits are `np.arange(500) % 10`.
    """
    rng = np.random.default_rng(23)
    images, labels = data.load("digits").train
    images = images.reshape(-1, 64) / 255
    of_class = [images[labels == k] for k in range(10)]
    generated = {name: [] for name in _TRUTH}
    for digit in np.arange(500) % 10:
        real = of_class[digit]
        first, second = real[rng.choice(len(real), 2, replace=False)]
        middle = real[((real - real.mean(axis=0)) ** 2).sum(axis=1).argmin()]
        generated["A"].append(middle + rng.normal(0, 0.02, 64))
        generated["B"].append(0.65 * first + 0.35 * second + rng.normal(0, 0.04, 64))
        generated["C"].append(first + rng.normal(0, 0.01, 64))
    return {name: np.clip(rows, 0, 1).astype("float32") for name, rows in generated.items()}


@checker("23.divergence")
def divergence(answer):
    """Checks a KL divergence, 0.5 * (0.25 + 1 - 1 - log 0.25)."""
    hints = {
        0.5 * (0.5 + 1 - 1 - np.log(0.5)): "the variance is 0.5² = 0.25",
        0.25 + np.log(4): "the factor ½ is missing",
        0.5 * (0.25 + 1 - 1 + np.log(0.25)): "subtract the logarithm: log 0.25 is negative",
        0.5 * (0.25 + 1 - np.log(0.25)): "the − 1 is missing",
        0.5 * (0.25 - 1 - np.log(0.25)): "the mean counts, too: μ² = 1",
        0.5 * (0.25 - np.log10(0.25)): "use the natural logarithm",
        0.5 * (0.25 - np.log2(0.25)): "use the natural logarithm",
    }
    expected = 0.5 * (0.25 - np.log(0.25))
    default = "compute ½ (σ² + μ² − 1 − log σ²) with σ² = 0.25 and μ = 1"
    return check_number(answer, "kl", expected, hints, default, tolerance=6e-4)


@checker("23.vae_terms")
def vae_terms(student):
    """Checks the reconstruction and the divergence against their formulas."""
    rng = np.random.default_rng(0)
    mu, log_var, noise = rng.normal(size=(3, 4, 2))
    W, x, sigma = rng.normal(size=(2, 6)), rng.random((4, 6)), 0.3
    found = student(x, mu, log_var, noise, lambda z: z @ W, sigma)
    if hint := check_shape(found, (2,), "return two numbers, (reconstruction, divergence), each a mean over the batch"):
        return hint

    def squared_errors(z):
        return ((x - z @ W) ** 2).sum(axis=1)

    expected = squared_errors(mu + np.exp(log_var / 2) * noise) / (2 * sigma**2)
    if not np.isclose(found[0], expected.mean()):
        with_variance = squared_errors(mu + np.exp(log_var) * noise) / (2 * sigma**2)
        without_noise = squared_errors(mu) / (2 * sigma**2)
        hints = [
            (with_variance.mean(), "exp(log_var / 2) is the standard deviation"),
            (without_noise.mean(), "z is drawn: mean plus standard deviation times noise"),
            (expected.mean() / 6, "take the sum over the pixels and the mean over the batch"),
            (expected.sum(), "take the mean over the batch, not the sum"),
            (expected.mean() * 2 * sigma**2, "divide the squares by 2 sigma²"),
            (expected.mean() * 2 * sigma, "divide the squares by 2 sigma², not by sigma"),
        ]
        return first_match(found[0], hints, "the reconstruction is not correct: compare it with the formula")
    expected = 0.5 * (np.exp(log_var) + mu**2 - 1 - log_var)
    if np.isclose(found[1], expected.sum(axis=1).mean()):
        return None
    hints = [
        (-expected.sum(axis=1).mean(), "the divergence is positive: check its sign"),
        (expected.mean(), "sum the divergence over the d numbers of z, then take the mean over the batch"),
        (expected.sum(), "take the mean over the batch, not the sum"),
        (2 * expected.sum(axis=1).mean(), "the factor ½ of the divergence is missing"),
    ]
    return first_match(found[1], hints, "the divergence is not correct: compare it with the formula")


@checker("23.three_generators")
def three_verdicts(answer):
    """Checks which of the generators of `three_generators` repeats itself and which one copies."""
    if not isinstance(answer, dict) or set(answer) != set(_TRUTH) or set(answer.values()) != set(_TRUTH.values()):
        return 'give each of A, B and C one of "copies", "same" and "honest"'
    wrong = sorted(name for name in _TRUTH if answer[name] != _TRUTH[name])
    if not wrong:
        return None
    if answer["A"] != "same":
        return "the samples of one generator hardly differ within a class: measure how much their pixels vary"
    return f"{' and '.join(wrong)}: measure the distance of each sample to the nearest training image"
