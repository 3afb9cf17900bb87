"""Tests the code of lesson 13 on more cases than the lesson shows, and the checkers of its exercises."""

import keras
import numpy as np

from tests.lessons.exercise_tests import ExerciseTests


def test_only_selects_and_relabels_classes(lesson):
    images, labels = np.arange(6), np.array([3, 0, 7, 3, 9, 0])
    selected, relabeled = lesson.only((images, labels), (3, 9))
    assert selected.tolist() == [0, 3, 4]
    assert relabeled.tolist() == [0, 0, 1]


def test_pick_is_balanced_and_depends_on_the_seed(lesson):
    labels = np.repeat(np.arange(4), 50)
    lesson.target_train = np.arange(200), labels
    first, classes = lesson.pick(5, seed=0)
    assert np.bincount(classes).tolist() == [5] * 4
    assert len(set(first)) == 20
    assert (labels[first] == classes).all()
    assert set(first) != set(lesson.pick(5, seed=1)[0])
    assert (first == lesson.pick(5, seed=0)[0]).all()


def test_copied_network_has_its_own_weights(lesson):
    network = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    copy = lesson.copied(network)
    for ours, theirs in zip(copy.get_weights(), network.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    copy.set_weights([weight + 1 for weight in copy.get_weights()])
    assert not np.allclose(copy.get_weights()[0], network.get_weights()[0])


# Exercises: other correct answers, and mistakes with a word of the hint that each should get


def l2_sp(*, start_of=lambda s: s, scale=1.0, gradient=2.0, first_only=False):
    def penalty(weights, start, strength):
        differences = [w - start_of(s) for w, s in zip(weights, start, strict=True)]
        counted = differences[:1] if first_only else differences
        total = scale * strength * sum(np.vdot(d, d) for d in counted)
        return total, [gradient * strength * d for d in differences]

    return penalty


RUNS = [0.5, 0.52, 0.51]
LOWER, HIGHER = [0.4, 0.41, 0.39], [0.6, 0.61, 0.62]
CROSSED = {n: {"frozen": RUNS, "fine-tuned": LOWER if n < 50 else HIGHER} for n in (5, 20, 80, 320)}


ALTERNATIVES = {
    "13.arrays_that_change": [
        [
            *("dense/bias", "dense/kernel", "norm/beta", "norm/gamma"),
            *("norm/moving_mean", "norm/moving_variance"),
        ]
    ],
    "13.crossing": [CROSSED],
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
    "13.crossing": [
        ({}, "give a dictionary {images_per_class"),
        ({5: RUNS}, "the entry of 5"),
        ({5: {"frozen": [0.5], "fine-tuned": RUNS}}, "at least three seeds"),
        ({5: {"frozen": [50, 51, 52], "fine-tuned": RUNS}}, "not percentages"),
        ({5: {"frozen": [0.5] * 3, "fine-tuned": RUNS}}, "another seed"),
        ({5: CROSSED[5], 80: CROSSED[80]}, "four are needed"),
        (dict.fromkeys(range(4), CROSSED[80]), "try fewer"),
        (dict.fromkeys(range(4), CROSSED[5]), "try more"),
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
