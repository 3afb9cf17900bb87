"""Tests the code of lesson 15 on more cases than the lesson shows, and the checkers of its exercises."""

import keras
import numpy as np
import pytest

from tests.lessons.exercise_tests import ExerciseTests


@pytest.mark.parametrize("temperature", [1.0, 2.5, 20.0])
@pytest.mark.parametrize("scale", [0.1, 3.0, 200.0])
def test_distillation_matches_keras_and_finite_differences(lesson, temperature, scale):
    ours, theirs = np.random.default_rng(0).normal(0, scale, (2, 5, 4))
    loss, gradient = lesson.distillation(ours, theirs, temperature)
    keras_loss = keras.distillation.LogitsDistillation(temperature, loss=keras.losses.KLDivergence())
    if scale < 100:  # beyond that Keras's own loss clips probabilities at 1e-7
        assert loss == pytest.approx(float(keras_loss.compute_loss(theirs, ours)), rel=1e-3, abs=1e-6)
    for index in np.ndindex(5, 4):
        step = np.zeros((5, 4))
        step[index] = 1e-5
        ends = [lesson.distillation(ours + sign * step, theirs, temperature)[0] for sign in (1, -1)]
        assert gradient[index] == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-4, abs=1e-5)


def test_training_arrays_weight_each_head_by_its_images(lesson):
    lesson.steps, lesson.target, lesson.others = 3, (np.arange(40), np.arange(40) % 4), (-np.arange(60), None)
    lesson.others = -np.arange(60) - 1, np.arange(60) % 6
    for with_others in (0, 1):
        x, y, weights = lesson.training_arrays(5, with_others, seed=0)
        assert len(x) == 3 * 32 * (1 + with_others)
        ours = x >= 0
        assert (y["target"][ours] == x[ours] % 4).all()
        assert (y["others"][~ours] == (-x[~ours] - 1) % 6).all()
        assert len(set(x[ours])) <= 20
        for name, mask in {"target": ours, "others": ~ours}.items():
            assert (weights[name][~mask] == 0).all()
            assert not mask.any() or weights[name].mean() == 1


def test_log_softmax_at_high_temperature_keeps_the_order(lesson):
    logits = np.random.default_rng(0).normal(0, 4, (6, 5))
    soft, hard = (np.exp(lesson.log_softmax(logits / T)) for T in (4, 1))
    assert (soft.argsort(axis=1) == hard.argsort(axis=1)).all()
    assert (soft.max(axis=1) < hard.max(axis=1)).all()
    assert (soft.argmax(axis=1) == logits.argmax(axis=1)).all()


# Exercises: other correct answers, and mistakes with a word of the hint that each should get


def kl_with(log_softmax):
    def loss(ours, theirs, temperature):
        log_p, log_q = log_softmax(theirs / temperature), log_softmax(ours / temperature)
        return temperature**2 * np.mean(np.sum(np.exp(log_p) * (log_p - log_q), axis=1))

    return loss


def below_the_largest_of_all(z):
    z = z - z.max()
    return z - np.log(np.exp(z).sum(axis=1, keepdims=True))


def with_epsilon(z):
    exponentials = np.exp(z - z.max(axis=1, keepdims=True))
    return np.log(exponentials / exponentials.sum(axis=1, keepdims=True) + 1e-12)


def distillation(*, factor=2, mean=np.mean, exchanged=False, divide=True, stable=True, entropy=True):
    def loss(ours, theirs, temperature):
        if divide:
            ours, theirs = ours / temperature, theirs / temperature
        p, q = (theirs, ours) if not exchanged else (ours, theirs)
        if stable:
            p, q = (z - np.logaddexp.reduce(z, axis=1, keepdims=True) for z in (p, q))
        else:
            p, q = (np.log(np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)) for z in (p, q))
        rows = (np.exp(p) * ((p if entropy else 0) - q)).sum(axis=1)
        return temperature**factor * mean(rows)

    return loss


RUNS = [0.5, 0.52, 0.51]
LOWER, HIGHER = [0.4, 0.41, 0.39], [0.6, 0.61, 0.62]
HELPED = {
    n: {"alone": RUNS, "both": runs} for n, runs in ((50, HIGHER), (200, [0.55, 0.54, 0.56]), (5000, [0.5, 0.53, 0.51]))
}


ALTERNATIVES = {
    "15.distillation_loss": [distillation(), kl_with(lambda z: np.asarray(keras.ops.log_softmax(z, axis=1)))],
    "15.second_task": [HELPED],
    "15.temperature": [(0.665, 0.245, 0.09)],
}

MISTAKES = {
    "15.distillation_loss": [
        (distillation(factor=0), "T² is missing"),
        (distillation(factor=1), "not T"),
        (distillation(mean=np.sum), "not the sum"),
        (distillation(exchanged=True), "exchanged"),
        (distillation(entropy=False), "own entropy"),
        (distillation(divide=False), "divide both"),
        (distillation(stable=False), "without computing p"),
        (lambda *given: np.nan_to_num(distillation(stable=False)(*given)), "without computing p"),
        (kl_with(below_the_largest_of_all), "each row's largest"),
        (kl_with(with_epsilon), "without computing p"),
        (distillation(mean=lambda rows: rows), "one number"),
        (lambda a, b, t: 1.0, "T² · mean"),
    ],
    "15.second_task": [
        (7, "give a dictionary {images_per_class"),
        ({50: HELPED[50], 200: HELPED[200]}, "at least three numbers"),
        ({n: {"alone": RUNS, "both": [0.5, 0.52, 0.53]} for n in range(3)}, "may be chance"),
        ({5: {"alone": RUNS}}, "the entry of 5"),
    ],
    "15.temperature": [
        ([0.867, 0.117, 0.016], "at temperature 1"),
        ([0.982, 0.018, 0.0003], "not multiplied"),
        ([0.433, 0.059, 0.008], "not the probabilities"),
        ([0.5, 0.3, 0.1], "sum to 1"),
        ([0.5, 0.3, 0.2], "exp(2)"),
        ([0.5], "three"),
    ],
}


class TestExercises(ExerciseTests):
    pass
