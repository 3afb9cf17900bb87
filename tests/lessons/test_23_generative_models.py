"""Tests the code of lesson 23 on more cases than the lesson shows, and the checkers of its exercises."""

import numpy as np
import pytest
import tensorflow as tf
from scipy.spatial.distance import cdist

from dlkit import data
from dlkit.exercises.lesson_23 import three_generators
from tests.lessons.exercise_tests import ExerciseTests

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def lesson(lesson):
    lesson.rt = type("Runtime", (), {"seed": 0})
    lesson.sigma, lesson.steps, lesson.noise_levels = 0.1, 200, 20
    lesson.images = RNG.random((64, 64)).astype("float32")
    lesson.all_images = tf.constant(lesson.images)
    lesson.all_labels = tf.one_hot(np.arange(64) % 10, 10)
    return lesson


@pytest.mark.parametrize(("mean", "deviation"), [(0, 1), (2, 0.5), (-1, 3)])
def test_kl_divergence_matches_numerical_integral(lesson, mean, deviation):
    z = np.linspace(mean - 12 * deviation, mean + 12 * deviation, 200_001)
    log_q = -0.5 * ((z - mean) / deviation) ** 2 - np.log(deviation)
    integral = np.sum(np.exp(log_q) / np.sqrt(2 * np.pi) * (log_q + 0.5 * z**2)) * (z[1] - z[0])
    found = lesson.kl_divergence(np.array([mean]), np.array([2 * np.log(deviation)]))
    assert found == pytest.approx(integral, abs=1e-6)


def test_log_density_integrates_to_one(lesson):
    """One pixel varies; the other 63 equal their reconstruction, so that only their normalization remains."""
    x = np.zeros((4001, 64))
    x[:, 0] = np.linspace(-1, 1, 4001)
    log_p = lesson.log_density(x, np.zeros((1, 64)))[:, 0] + 63 * 0.5 * np.log(2 * np.pi * 0.1**2)
    assert np.sum(np.exp(log_p)) * (x[1, 0] - x[0, 0]) == pytest.approx(1, abs=1e-6)


def test_repeat_returns_last_values_of_each_block(lesson):
    counter = tf.Variable(0.0)

    def step():
        counter.assign_add(1)
        return [counter.read_value()]

    assert lesson.repeat(step, 30, each=10).tolist() == [[10], [20], [30]]


@pytest.mark.parametrize("variational", [True, False])
def test_train_autoencoder_beats_mean_image_reproducibly(lesson, variational):
    images = lesson.images
    of_mean = ((images - images.mean(axis=0)) ** 2).sum(axis=1).mean() / (2 * lesson.sigma**2)
    first, again = (lesson.train_autoencoder(3, variational=variational) for _ in range(2))
    terms = first[2][-1]
    assert (terms.sum() if variational else terms[0]) < 0.75 * of_mean
    np.testing.assert_array_equal(first[0].get_weights()[0], again[0].get_weights()[0])


def test_variety_and_nearest_distance(lesson):
    classes = np.arange(100) % 10
    same = np.repeat(np.arange(10)[None], 10, axis=0).reshape(100, 1) * np.ones((1, 64))
    assert lesson.variety(same, classes) == 0
    assert lesson.variety(same, np.sort(classes)) > 1
    assert lesson.nearest_distance(lesson.images) == pytest.approx(0)
    assert lesson.nearest_distance(lesson.images + 1) > 1


def test_time_embedding_differs_between_steps(lesson):
    codes = lesson.time_embedding(np.arange(20)).numpy()
    assert codes.shape == (20, 32)
    assert np.abs(codes[:, None] - codes[None]).sum(axis=-1)[~np.eye(20, dtype=bool)].min() > 0.1


# Exercises: other correct answers, and mistakes with a word of the hint that each should get


def vae_by_rows(
    deviation=lambda log_var: np.exp(log_var) ** 0.5, loss=lambda e, s: (e @ e) / (2 * s * s), scale=(1, 1)
):
    """The terms of a VAE's loss, row by row."""

    def run(x, mu, log_var, noise, decode, sigma):
        terms = []
        for k in range(len(x)):
            z = mu[k] + deviation(log_var[k]) * noise[k]
            kl = sum(0.5 * (np.exp(v) + m * m - 1 - v) for m, v in zip(mu[k], log_var[k], strict=True))
            terms.append((loss(x[k] - decode(z), sigma), kl))
        return tuple(np.mean(terms, axis=0) * scale)

    return run


ALTERNATIVES = {
    "23.divergence": [0.8181],
    "23.three_generators": [{"C": "copies", "B": "honest", "A": "same"}],
    "23.vae_terms": [vae_by_rows()],
}

MISTAKES = {
    "23.divergence": [
        (0.5966, "0.25"),
        (1.6363, "factor ½"),
        (-0.5681, "subtract the logarithm"),
        (1.3181, "− 1"),
        (0.3181, "the mean counts"),
        (0.4260, "natural"),
    ],
    "23.three_generators": [
        ({"A": "copies"}, "give each"),
        ({"A": "same", "B": "same", "C": "honest"}, "give each"),
        ({"A": "copies", "B": "same", "C": "honest"}, "pixels vary"),
        ({"A": "same", "B": "copies", "C": "honest"}, "distance"),
    ],
    "23.vae_terms": [
        (vae_by_rows(deviation=np.exp), "standard deviation"),
        (vae_by_rows(deviation=lambda log_var: 0), "z is drawn"),
        (vae_by_rows(scale=(1 / 6, 1)), "sum over the pixels"),
        (vae_by_rows(loss=lambda e, s: e @ e), "divide the squares"),
        (vae_by_rows(scale=(1, -1)), "sign"),
        (vae_by_rows(scale=(1, 0.5)), "sum the divergence"),
        (vae_by_rows(scale=(1, 2)), "factor ½"),
        (vae_by_rows(scale=(4, 1)), "not the sum"),
        (lambda *given: 3.0, "two numbers"),
    ],
}


def test_three_generators_copy_repeat_and_vary():
    """A hardly differs within a class; C's samples are nearly training images; B's are neither, and are digits."""
    images, labels = data.load("digits").train
    real = images.reshape(-1, 64) / 255
    generated = three_generators()
    of_class = {name: [rows[k::10] for k in range(10)] for name, rows in generated.items()}
    of_class["real"] = [real[labels == k] for k in range(10)]
    means = {name: np.stack([rows.mean(axis=0) for rows in classes]) for name, classes in of_class.items()}
    spread = {name: np.mean([rows.std(axis=0).mean() for rows in classes]) for name, classes in of_class.items()}
    nearest = {name: np.median(cdist(rows, real).min(axis=1)) for name, rows in generated.items()}
    assert spread["A"] < 0.2 * spread["real"]
    assert nearest["C"] < 0.2 * nearest["B"]
    assert spread["C"] > 0.7 * spread["real"]
    assert spread["B"] > 0.7 * spread["real"]
    assert np.abs(means["B"] - means["real"]).max() < 0.2
    assert np.mean(cdist(generated["B"], means["real"]).argmin(axis=1) == np.arange(500) % 10) > 0.9


class TestExercises(ExerciseTests):
    pass
