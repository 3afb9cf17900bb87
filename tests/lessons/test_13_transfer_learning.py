"""Tests the code of lesson 13 on more cases than the lesson shows, and the checkers of its exercises."""

import keras
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_score

from tests.lessons.exercise_tests import ExerciseTests


def test_select_classes_relabels_them(lesson):
    images, labels = np.arange(6), np.array([3, 0, 7, 3, 9, 0])
    selected, relabeled = lesson.select_classes((images, labels), (3, 9))
    assert selected.tolist() == [0, 3, 4]
    assert relabeled.tolist() == [0, 0, 1]


def test_draw_images_is_balanced_and_depends_on_the_seed(lesson):
    labels = np.repeat(np.arange(4), 50)
    split = np.arange(200), labels
    first, classes = lesson.draw_images(split, 5, seed=0)
    assert np.bincount(classes).tolist() == [5] * 4
    assert len(set(first)) == 20
    assert (labels[first] == classes).all()
    assert set(first) != set(lesson.draw_images(split, 5, seed=1)[0])
    assert (first == lesson.draw_images(split, 5, seed=0)[0]).all()


def test_nearest_class_mean_of_the_worked_example(lesson):
    features, labels = np.array([[1, 5], [3, 7], [6, 1], [8, 3]]), np.array([0, 0, 1, 1])
    assert lesson.nearest_class_mean(features, labels, np.array([[4, 3], [3, 5]])).tolist() == [1, 0]


def test_copy_model_has_its_own_weights(lesson):
    network = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    copy = lesson.copy_model(network)
    for ours, theirs in zip(copy.get_weights(), network.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    copy.set_weights([weight + 1 for weight in copy.get_weights()])
    assert not np.allclose(copy.get_weights()[0], network.get_weights()[0])


@pytest.mark.parametrize("train_batch_norm", [True, False])
def test_with_new_head_trains_all_but_batch_norm(lesson, train_batch_norm):
    lesson.loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    inputs = keras.Input((4, 4, 1))
    x = keras.layers.Conv2D(2, 3)(inputs)
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.BatchNormalization()(x))
    network = keras.Model(inputs, x)
    model = lesson.with_new_head(network, 3, train_batch_norm)
    assert model.output_shape == (None, 3)
    assert len(model.trainable_weights) == (6 if train_batch_norm else 4)
    moving_mean = model.layers[2].moving_mean.numpy()
    model(np.ones((8, 4, 4, 1)), training=True)
    assert np.array_equal(model.layers[2].moving_mean.numpy(), moving_mean) != train_batch_norm
    assert network.layers[2].moving_mean.numpy().tolist() == moving_mean.tolist()


# Exercises: other correct answers, and mistakes with a word of the hint that each should get


def l2_sp(*, start_of=lambda s: s, scale=1.0, gradient=2.0, first_only=False):
    def penalty(weights, start, strength):
        differences = [w - start_of(s) for w, s in zip(weights, start, strict=True)]
        counted = differences[:1] if first_only else differences
        total = scale * strength * sum(np.vdot(d, d) for d in counted)
        return total, [gradient * strength * d for d in differences]

    return penalty


POWERS = 10.0 ** np.arange(-4, 5)


def choose_penalty(folds, candidates=POWERS):
    def choose(features, labels):
        models = [LogisticRegression(C=C, max_iter=2000) for C in candidates]
        scores = [cross_val_score(model, features, labels, cv=folds).mean() for model in models]
        return candidates[int(np.argmax(scores))]

    return choose


def by_training_accuracy(features, labels):
    return max(
        POWERS[::-1], key=lambda C: LogisticRegression(C=C, max_iter=2000).fit(features, labels).score(features, labels)
    )


ALTERNATIVES = {
    "13.arrays_that_change": [
        [
            *("dense/bias", "dense/kernel", "norm/beta", "norm/gamma"),
            *("norm/moving_mean", "norm/moving_variance"),
        ]
    ],
    "13.choose_penalty": [choose_penalty(StratifiedKFold(4, shuffle=True, random_state=1))],
    "13.l2_sp": [l2_sp()],
}

MISTAKES = {
    "13.arrays_that_change": [
        ("dense/kernel", "a set of strings"),
        ({"dense/weights"}, "there is no dense/weights"),
        ({"conv/kernel"}, "frozen"),
        ({"norm/gamma"}, "dense layer"),
        ({"dense/kernel", "dense/bias"}, "nobody has frozen"),
        ({"dense/kernel", "dense/bias", "norm/gamma", "norm/beta"}, "with every batch"),
    ],
    "13.choose_penalty": [
        (by_training_accuracy, "held out"),
        (lambda features, labels: 1e4, "too large"),
        (lambda features, labels: 1e-4, "too small"),
        (choose_penalty(KFold(3)), "contain every class"),
        (choose_penalty(StratifiedKFold(5), (1e-4, 1e-3)), "several powers of ten"),
        (lambda features, labels: np.inf, "a positive number"),
        (lambda features, labels: -1.0, "a positive number"),
        (lambda features, labels: [1.0, 2.0], "one number"),
        (lambda features, labels: print(1.0, end="\r"), "`return` missing"),
    ],
    "13.l2_sp": [
        (l2_sp(start_of=lambda s: 0), "not from zero"),
        (l2_sp(scale=1 / 0.3), "strength is missing"),
        (l2_sp(first_only=True), "only the first"),
        (l2_sp(scale=0.7), "λ Σ"),
        (l2_sp(gradient=1.0), "2 of the square is missing"),
        (l2_sp(gradient=-2.0), "the sign is wrong"),
        (l2_sp(gradient=2 / 0.3), "the strength is missing"),
        (l2_sp(gradient=5.0), "differentiate"),
        (lambda w, s, c: print(l2_sp()(w, s, c), end="\r"), "`return` missing"),
        (lambda w, s, c: l2_sp()(w, s, c)[0], "two things"),
        (lambda w, s, c: (l2_sp()(w, s, c)[0], [0, 0]), "in its shape"),
    ],
}


class TestExercises(ExerciseTests):
    pass
