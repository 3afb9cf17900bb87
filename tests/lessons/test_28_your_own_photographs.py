"""Tests the code of lesson 28 on more cases than the lesson shows, and the checkers of its exercises."""

import keras
import numpy as np
import pytest
from PIL import Image
from sklearn.neighbors import KNeighborsClassifier

from tests.lessons.exercise_tests import ExerciseTests

RNG = np.random.default_rng(0)


def bursts(sizes=(16, 80, 40), takes=4):
    labels = np.repeat(np.arange(len(sizes)), np.array(sizes) * takes)
    return labels, np.arange(len(labels)) // takes


@pytest.mark.parametrize("seed", range(3))
def test_split_by_burst_does_not_leak_and_is_stratified(lesson, seed):
    labels, groups = bursts()
    training, validation = lesson.split_by_burst(labels, groups, 0.25, seed)
    assert lesson.leaked(groups, training, validation) == 0
    np.testing.assert_array_equal(training, ~validation)
    assert np.bincount(labels[validation]).tolist() == [16, 80, 40]


def test_split_by_file_leaks_as_often_as_derived(lesson):
    labels, groups = bursts((100, 100, 100), takes=3)
    fractions = [lesson.leaked(groups, *lesson.split_by_file(labels, groups, 0.5, seed)) for seed in range(20)]
    assert np.mean(fractions) == pytest.approx(1 - 0.5**2, abs=0.03)


def test_splits_keep_an_only_burst_for_training(lesson):
    labels, groups = np.array([0, 0, 1, 1, 1]), np.array([0, 0, 1, 2, 2])
    training, validation = lesson.split_by_burst(labels, groups, 0.5, 0)
    assert training[:2].all()
    assert validation.any()


def test_list_photos_finds_damaged_files(lesson, tmp_path):
    (tmp_path / "cat" / "more").mkdir(parents=True)
    pixels = Image.fromarray(RNG.integers(0, 255, (40, 40, 3)).astype("uint8"))
    pixels.save(tmp_path / "cat" / "good.jpg")
    pixels.save(tmp_path / "cat" / "more" / "good.png")
    content = (tmp_path / "cat" / "good.jpg").read_bytes()
    (tmp_path / "cat" / "half.jpg").write_bytes(content[: len(content) // 2])
    (tmp_path / "cat" / "text.jpg").write_text("no image")
    good, bad = lesson.list_photos(tmp_path)
    assert [file.name for file in good] == ["good.jpg", "good.png"]
    assert [file.name for file in bad] == ["half.jpg", "text.jpg"]


def test_out_of_fold_never_sees_a_burst(lesson):
    labels, groups = bursts((30, 30))
    centers = RNG.normal(size=(60, 200))
    rows = centers[groups]  # only the burst can be recognized, not the class
    accuracy = np.mean(lesson.out_of_fold(rows, labels, groups).argmax(axis=1) == labels)
    assert 0.2 <= accuracy <= 0.8


@pytest.mark.parametrize("classes", [2, 3])
def test_build_classifier_gives_the_scaled_probabilities_of_the_head(lesson, classes):
    inputs = keras.Input((6,))
    network = keras.Model(inputs, keras.layers.Dense(5, activation="tanh")(inputs))
    x, labels = RNG.normal(size=(60, 6)).astype("float32"), np.arange(60) % classes
    rows = network.predict(x, verbose=0)
    head = lesson.fit_head(rows, labels, c=1.0)
    logits = lesson.build_classifier(network, head, temperature=2.0).predict(x, verbose=0)
    expected = head.predict_proba(rows) ** 0.5
    expected /= expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(np.asarray(keras.ops.softmax(logits)), expected, atol=1e-4)


def test_adjust_multiplies_odds(lesson):
    probs = RNG.dirichlet(np.ones(3), 7)
    adjusted = lesson.adjust(probs, np.array([4.0, 1.0, 2.0]))
    np.testing.assert_allclose(adjusted.sum(axis=1), 1)
    np.testing.assert_allclose(adjusted[:, 0] / adjusted[:, 1], 4 * probs[:, 0] / probs[:, 1])


def test_mean_cost_is_lowest_at_the_derived_threshold(lesson):
    p = RNG.uniform(size=100_000)
    is_rare = RNG.uniform(size=len(p)) < p
    costs = {t: lesson.mean_cost(p, is_rare, t, miss=3, alarm=1) for t in (0.1, 0.25, 0.4, 0.6)}
    assert min(costs, key=costs.get) == 0.25


def test_mix_up_and_cut_mix_agree_on_extreme_weights(lesson):
    images, targets = RNG.uniform(size=(4, 6, 6, 3)), np.eye(4)
    order = np.array([1, 2, 3, 0])
    for part in (0.0, 1.0):
        weight = np.full(4, part)
        mask = np.full((4, 6, 6, 1), part == 0)
        blended = lesson.mix_up(images, targets, weight, order)
        pasted = lesson.cut_mix(images, targets, mask, weight, order)
        for a, b in zip(blended, pasted, strict=True):
            np.testing.assert_allclose(a, b)


def test_random_rectangles_have_the_area_of_their_weight(lesson):
    masks, weight = lesson.random_rectangles(500, 20, 30, 1.0, np.random.default_rng(0))
    assert masks.shape == (500, 20, 30, 1)
    np.testing.assert_allclose(weight, 1 - masks.mean(axis=(1, 2, 3)))
    assert weight.mean() == pytest.approx(0.5, abs=0.05)


def test_fit_mixed_with_pure_targets_is_fit_head(lesson):
    rows, labels = RNG.normal(size=(60, 5)), np.arange(60) % 3
    mixed = lesson.fit_mixed(rows, np.eye(3)[labels], 0.1).predict_proba(rows)
    np.testing.assert_allclose(mixed, lesson.fit_head(rows, labels, c=0.1).predict_proba(rows), atol=1e-3)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_fit_temperature_recovers_a_known_temperature(lesson, temperature):
    logits = 2 * RNG.normal(size=(20_000, 3))
    labels = (logits + RNG.gumbel(size=logits.shape)).argmax(axis=1)
    assert lesson.fit_temperature(logits * temperature, labels) == pytest.approx(temperature, rel=0.05)


# Exercises: other correct answers, and mistakes with a word of the hint that each should get


def em(*, steps=200, divide=True, normalize=True, compound=False, in_place=False, rows=False):
    def function(probs, old):
        new, current = old.copy(), probs.copy()
        for _ in range(steps):
            current = (current if compound else probs) * (new / old if divide else new)
            if normalize:
                current /= current.sum(axis=1, keepdims=True)
            new = current.mean(axis=0)
        if in_place:
            probs *= 2
        return current if rows else new

    return function


def loop_em(probs, old):
    new = list(old)
    for _ in range(200):
        total = [0.0] * len(old)
        for row in probs:
            parts = [p * n / o for p, n, o in zip(row, new, old, strict=True)]
            total = [t + part / sum(parts) for t, part in zip(total, parts, strict=True)]
        new = [t / len(probs) for t in total]
    return new


def difference(
    *,
    sign=1,
    percent=1,
    by_group=True,
    held_out=True,
    fixed=False,
    seeded=True,
    repeated=False,
    in_place=False,
    as_pair=False,
):
    def accuracy(rows, labels, groups, rng):
        units = groups if repeated else np.unique(groups)  # repeated: larger groups are drawn more than once
        chosen = np.isin(groups, rng.permutation(units)[: len(units) // 4])
        head = KNeighborsClassifier(1).fit(rows[~chosen], labels[~chosen])
        judged = chosen if held_out else ~chosen
        return head.score(rows[judged], labels[judged])

    def function(rows, labels, groups, seed):
        rng = np.random.default_rng((0 if fixed else seed) if seeded else None)
        files = np.arange(len(labels))
        pair = [accuracy(rows, labels, g, rng) for g in (files, groups if by_group else files)]
        if in_place:
            rows += 1
        return pair if as_pair else sign * percent * (pair[0] - pair[1])

    return function


ALTERNATIVES = {
    "28.threshold": [4 / 23, 0.174, np.float64(0.1739)],
    "28.estimate_fractions": [em(), em(steps=300), loop_em],
    "28.pretended": [difference()],
}

MISTAKES = {
    "28.threshold": [
        (0.05, "true probabilities"),
        (4 / 19, "4 : 19"),
        (0.2, "not the probability"),
        (1 / 77, "larger"),
        (0.95, "cheaper"),
        (0.5, "most probable"),
        (0.3, "both answers"),
        ("0.17", "one number"),
    ],
    "28.estimate_fractions": [
        (lambda probs, old: probs.mean(axis=0), "one repetition"),
        (lambda probs, old: old.copy(), "still the old"),
        (em(steps=1), "one repetition"),
        (em(divide=False), "divided by the old"),
        (em(compound=True), "were given"),
        (em(in_place=True), "a copy"),
        (em(rows=True), "2 fractions"),
        (em(steps=3), "repeat 200"),
        (lambda probs, old: np.bincount(probs.argmax(axis=1)) / len(probs), "not the answers"),
        (lambda probs, old: old * np.nan, "normalize each row"),
    ],
    "28.pretended": [
        (difference(sign=-1), "subtract"),
        (difference(percent=100), "percentages"),
        (difference(by_group=False), "same side"),
        (difference(held_out=False), "every seed"),
        (difference(fixed=True), "every seed"),
        (difference(seeded=False), "same seed"),
        (difference(repeated=True), "a quarter of the groups"),
        (difference(in_place=True), "a copy"),
        (difference(as_pair=True), "one number"),
    ],
}


class TestExercises(ExerciseTests):
    pass
