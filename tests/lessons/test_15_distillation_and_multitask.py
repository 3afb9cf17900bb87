"""Tests the code of lesson 15 on more cases than the lesson shows, and the checkers of its exercises."""

import keras
import numpy as np
import pytest

from dlkit.training import restart
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


def logits_of(seed, scale=3.0, shape=(5, 4)):
    return np.random.default_rng(seed).normal(0, scale, (2, *shape)).astype("float32")


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_soft_loss_in_keras_is_the_loss_of_each_image(lesson, temperature):
    ours, theirs = logits_of(1)
    lesson.temperature = temperature
    losses = np.asarray(lesson.soft_loss(theirs, ours))
    assert losses.shape == (5,)
    for row in range(5):
        expected, _ = lesson.distillation(ours[row : row + 1], theirs[row : row + 1], temperature)
        assert losses[row] == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
def test_two_losses_are_weighted_by_alpha(lesson, alpha):
    lesson.temperature, lesson.cross_entropy = 2.0, keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    student = keras.Sequential([keras.Input((6,)), keras.layers.Dense(4)])
    model = lesson.with_two_losses(student, 1e-3)
    x, (_, theirs), labels = np.random.default_rng(0).normal(size=(5, 6)), logits_of(2), np.arange(5) % 4
    weights = {"hard": np.full(5, 1 - alpha, "float32"), "soft": np.full(5, alpha, "float32")}
    targets = {"hard": labels, "soft": theirs}
    found = model.evaluate(x, targets, sample_weight=weights, batch_size=5, verbose=0, return_dict=True)["loss"]
    logits = np.asarray(student(x))
    hard = -lesson.log_softmax(logits)[np.arange(5), labels].mean()
    soft, _ = lesson.distillation(logits, theirs, 2.0)
    assert found == pytest.approx((1 - alpha) * hard + alpha * soft, rel=1e-4)


def test_train_shows_every_image_equally_often_and_repeats_a_seed(lesson):
    class Recorder:
        def fit(self, batches, **options):
            rows = batches.unbatch().batch(1_000).as_numpy_iterator()
            self.images, self.targets, self.weights = next(rows)

    lesson.training.restart, lesson.batch_size = lambda model, seed: None, 8
    runs = []
    try:
        for alpha in (0.25, np.full(10, 0.25), 1.0):
            model = Recorder()
            lesson.train(model, np.arange(10), np.arange(10) % 3, np.arange(10) * 1.0, alpha, 5, seed=1)
            runs.append(model)
    finally:
        lesson.training.restart = restart
    first, same, other = runs
    assert (np.bincount(first.images) == 4).all()
    assert (first.images == same.images).all()
    assert (first.images == other.images).all()
    assert (first.targets["hard"] == first.images % 3).all()
    assert (first.targets["soft"] == first.images).all()
    assert set(first.weights["hard"]) == {0.75}
    assert set(other.weights["hard"]) == {0.0}


def test_permute_wrong_classes_keeps_the_largest_and_the_multiset(lesson):
    logits = np.random.default_rng(0).normal(size=(200, 10))
    permuted = lesson.permute_wrong_classes(logits, seed=0)
    assert (permuted.argmax(axis=1) == logits.argmax(axis=1)).all()
    assert (np.sort(permuted, axis=1) == np.sort(logits, axis=1)).all()
    assert (permuted == logits).mean() < 0.35
    assert (permuted == lesson.permute_wrong_classes(logits, seed=0)).all()


def test_share_equally_gives_the_rest_to_the_other_classes(lesson):
    lesson.temperature = 4
    found = lesson.share_equally(np.array([0.4, 0.7]), np.array([2, 0]), classes=4)
    assert np.exp(lesson.log_softmax(found / 4)) == pytest.approx(
        np.array([[0.2, 0.2, 0.4, 0.2], [0.7, 0.1, 0.1, 0.1]]), rel=1e-5
    )
    same = lesson.share_equally(0.7, np.array([2, 0, 1]), classes=4)
    assert np.exp(lesson.log_softmax(same / 4)).max(axis=1) == pytest.approx(0.7, rel=1e-5)


@pytest.mark.parametrize("others_weight", [None, 0, 1])
def test_training_arrays_weight_each_head_by_its_images(lesson, others_weight):
    lesson.task_steps, lesson.target = 3, (np.arange(40), np.arange(40) % 4)
    lesson.others = -np.arange(60) - 1, np.arange(60) % 6
    x, y, weights = lesson.training_arrays(5, others_weight, seed=0)
    alone, _, _ = lesson.training_arrays(5, None, seed=0)
    batch = 32 if others_weight is None else 64
    assert len(x) == 3 * batch
    ours = x >= 0
    assert (ours.reshape(3, batch).sum(axis=1) == 32).all()
    assert (x[ours] == alone).all()
    assert (y["target"][ours] == x[ours] % 4).all()
    assert (y["others"][~ours] == (-x[~ours] - 1) % 6).all()
    assert len(set(x[ours])) == 20
    assert (weights["target"][~ours] == 0).all()
    assert (weights["others"][ours] == 0).all()
    assert weights["target"].mean() == pytest.approx(1)
    assert weights["others"].mean() == pytest.approx(others_weight or 0)


def test_log_softmax_at_high_temperature_keeps_the_order(lesson):
    logits = np.random.default_rng(0).normal(0, 4, (6, 5))
    soft, hard = (np.exp(lesson.log_softmax(logits / T)) for T in (4, 1))
    assert (soft.argsort(axis=1) == hard.argsort(axis=1)).all()
    assert (soft.max(axis=1) < hard.max(axis=1)).all()
    assert (soft.argmax(axis=1) == logits.argmax(axis=1)).all()


# Exercises: other correct answers, and mistakes with a word of the hint that each should get


def below_the_largest_of_all(z):
    z = z - z.max()
    return z - np.log(np.exp(z).sum(axis=1, keepdims=True))


def with_epsilon(z):
    exponentials = np.exp(z - z.max(axis=1, keepdims=True))
    return np.log(exponentials / exponentials.sum(axis=1, keepdims=True) + 1e-12)


def naive(z):
    return np.log(np.exp(z) / np.exp(z).sum(axis=1, keepdims=True))


def stable(z):
    return z - np.logaddexp.reduce(z, axis=1, keepdims=True)


def loss_with(log_softmax=stable, *, factor=2, mean=np.mean, exchanged=False, divide=True, entropy=True, hard_t=False):
    def loss(ours, theirs, labels, temperature, alpha):
        t = temperature if divide else 1
        p, q = log_softmax(theirs / t), log_softmax(ours / t)
        if exchanged:
            p, q = q, p
        soft = (np.exp(p) * ((p if entropy else 0) - q)).sum(axis=1)
        hard = -log_softmax(ours / (temperature if hard_t else 1))[np.arange(len(labels)), labels]
        return mean((1 - alpha) * hard + alpha * temperature**factor * soft)

    return loss


def swapped_alpha(ours, theirs, labels, temperature, alpha):
    return loss_with()(ours, theirs, labels, temperature, 1 - alpha)


def with_nan_to_num(*given):
    return np.nan_to_num(loss_with(naive)(*given))


def with_keras(ours, theirs, labels, temperature, alpha):
    p, q = keras.ops.softmax(theirs / temperature), keras.ops.log_softmax(ours / temperature)
    kl = keras.ops.sum(p * (keras.ops.log_softmax(theirs / temperature) - q), axis=1)
    hard = keras.ops.sparse_categorical_crossentropy(labels, ours, from_logits=True)
    return np.asarray(keras.ops.mean((1 - alpha) * hard + alpha * temperature**2 * kl))


def protocol(*, choose=None, measure=None, ddof=1, root=True, paired=True, pick=max, sign=1):
    def function(accuracy, counts, choice_seeds, test_seeds):
        seeds = {"choice": choice_seeds, "test": test_seeds, "all": [*choice_seeds, *test_seeds]}

        def runs(count, name):
            return np.array([[accuracy(count, both, s) for s in seeds[name]] for both in (False, True)])

        best = pick(counts, key=lambda count: np.mean(np.diff(runs(count, choose or "choice"), axis=0)))
        alone, both = runs(best, measure or "test")
        gains = sign * (both - alone)
        spread = np.std(gains, ddof=ddof) if paired else np.sqrt(np.var(both, ddof=1) + np.var(alone, ddof=1))
        return best, gains.mean(), spread / (np.sqrt(len(gains)) if root else 1)

    return function


ALTERNATIVES = {
    "15.distillation_loss": [loss_with(), with_keras],
    "15.second_task": [protocol(), lambda *given: list(protocol()(*given))],
    "15.temperature": [(-0.66, 0.18, 0.49), [-0.664, 0.177, 0.487]],
}

MISTAKES = {
    "15.distillation_loss": [
        (loss_with(factor=0), "T² is missing"),
        (loss_with(factor=1), "not T"),
        (loss_with(mean=np.sum), "not the sum"),
        (loss_with(exchanged=True), "exchanged"),
        (loss_with(entropy=False), "own entropy"),
        (loss_with(divide=False), "divide both"),
        (loss_with(hard_t=True), "temperature 1"),
        (swapped_alpha, "alpha is the weight of the soft loss"),
        (loss_with(naive), "without computing p"),
        (with_nan_to_num, "without computing p"),
        (loss_with(below_the_largest_of_all), "each row's largest"),
        (loss_with(with_epsilon), "without computing p"),
        (loss_with(mean=lambda rows: rows), "one number"),
        (lambda *given: 1.0, "alpha · T²"),
    ],
    "15.second_task": [
        (protocol(choose="test"), "chosen on the test seeds"),
        (protocol(choose="all"), "choice_seeds only"),
        (protocol(measure="choice"), "seeds that chose the count"),
        (protocol(measure="all"), "test_seeds only"),
        (protocol(ddof=0), "n - 1"),
        (protocol(root=False), "smaller by √n"),
        (protocol(paired=False), "are a pair"),
        (protocol(pick=min), "largest mean gain"),
        (protocol(sign=-1), "second value"),
        (lambda *given: (*protocol()(*given)[:2], 0.0), "third value"),
        (lambda *given: protocol()(*given)[1], "return three values"),
    ],
    "15.temperature": [
        ([0.665, 0.245, 0.09], "these are the teacher's soft labels"),
        ([0.664, -0.177, -0.487], "the sign"),
        ([-0.166, 0.044, 0.122], "T² times KL"),
        ([-0.332, 0.089, 0.243], "chain rule"),
        ([-1.327, 0.355, 0.973], "not T²"),
        ([-1.067, 0.432, 0.635], "at temperature 1"),
        ([-1.297, 0.630, 0.666], "not multiplied"),
        ([-0.6, 0.2, 0.6], "sums to 0"),
        ([-0.6, 0.1, 0.5], "softmax(2, 1, 0)"),
        ([0.5], "three"),
    ],
}


class TestExercises(ExerciseTests):
    pass
