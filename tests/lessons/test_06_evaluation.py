"""Tests the code of lesson 06 on more cases than the lesson shows, and the checkers of its exercises."""

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn import metrics
from sklearn.calibration import calibration_curve
from sklearn.model_selection import KFold

from tests.lessons.exercise_tests import ExerciseTests


def ranked(ties, seed=0, count=200):
    rng = np.random.default_rng(seed)
    y = rng.random(count) < 0.2
    scores = rng.normal(size=count) + y
    return y, scores.round(1 if ties else 12)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_roc_area_and_average_precision_match_scikit_learn(lesson, ties, seed):
    y, scores = ranked(ties, seed)
    np.testing.assert_allclose(lesson.roc_area(y, scores), metrics.roc_auc_score(y, scores), atol=1e-12)
    ours, theirs = lesson.average_precision(y, scores), metrics.average_precision_score(y, scores)
    np.testing.assert_allclose(ours, theirs, atol=1e-12)
    false_rate, true_rate, _ = metrics.roc_curve(y, scores, drop_intermediate=False)
    np.testing.assert_allclose(lesson.roc_curve(y, scores), (false_rate, true_rate), atol=1e-12)


@pytest.mark.parametrize("threshold", [-10.0, 0.0, 0.8, 10.0])
def test_precision_recall_f1_match_scikit_learn(lesson, threshold):
    y, scores = ranked(ties=False)
    predicted = scores > threshold
    tp, fp, fn, tn = lesson.confusion_counts(y, predicted)
    assert [[tn, fp], [fn, tp]] == metrics.confusion_matrix(y, predicted).tolist()
    theirs = metrics.precision_recall_fscore_support(y, predicted, average="binary", zero_division=0)
    np.testing.assert_allclose(lesson.precision_recall_f1(tp, fp, fn), theirs[:3], atol=1e-12)


@pytest.mark.parametrize("bins", [3, 5, 10])
def test_calibration_matches_scikit_learn(lesson, bins):
    y, scores = ranked(ties=False)
    p = 1 / (1 + np.exp(-scores))
    prob_pred, prob_true, error = lesson.calibration(y, p, bins)
    np.testing.assert_allclose((prob_true, prob_pred), calibration_curve(y, p, n_bins=bins), atol=1e-12)
    assert 0 < error < 1
    assert lesson.calibration(np.array([True, False]), np.array([1.0, 0.0]), bins)[2] == 0


@pytest.mark.parametrize(("correct", "count"), [(0, 10), (3, 7), (58, 60), (60, 60)])
def test_wilson_matches_scipy(lesson, correct, count):
    theirs = binomtest(correct, count).proportion_ci(method="wilson")
    np.testing.assert_allclose(lesson.wilson(correct / count, count), (theirs.low, theirs.high), atol=1e-6)


@pytest.mark.parametrize(("count", "k"), [(10, 5), (23, 4), (7, 7)])
def test_k_fold_tests_every_row_once_and_matches_scikit_learn(lesson, count, k):
    order = np.random.default_rng(0).permutation(count)
    folds = list(lesson.k_fold(order, k))
    assert len(folds) == k
    assert sorted(row for _, test in folds for row in test) == list(range(count))
    for train, test in folds:
        assert not set(train) & set(test)
        assert len(train) + len(test) == count
    for ours, theirs in zip(lesson.k_fold(np.arange(count), k), KFold(k).split(np.zeros(count)), strict=True):
        assert all(map(np.array_equal, ours, theirs))


def test_f1_by_class_matches_scikit_learn(lesson):
    rng = np.random.default_rng(0)
    labels, predictions = rng.integers(0, 5, 100), rng.integers(0, 4, 100)
    theirs = metrics.f1_score(labels, predictions, average=None, labels=range(6), zero_division=0)
    np.testing.assert_allclose(lesson.f1_by_class(labels, predictions, 6), theirs, atol=1e-12)


def test_rows_also_in_and_best_columns(lesson):
    rng = np.random.default_rng(0)
    train, test = rng.normal(size=(20, 3)), rng.normal(size=(6, 3))
    test[[1, 4]] = train[[7, 7]]
    assert np.flatnonzero(lesson.rows_also_in(train, test)).tolist() == [1, 4]
    x, y = rng.normal(size=(40, 30)), rng.integers(0, 2, 40)
    strength = [abs(np.corrcoef(column, y)[0, 1]) for column in x.T]
    assert lesson.best_columns(x, y, 5).tolist() == np.argsort(strength)[::-1][:5].tolist()


@pytest.mark.parametrize(("printed", "count"), [(0.9667, 30), (0.9722, 36), (0.5, 2), (1.0, 1), (0.6667, 3)])
def test_smallest_count(lesson, printed, count):
    assert lesson.smallest_count(printed) == count


# Exercises: other correct answers, and mistakes with a word of the hint that each should get


def total_cost(y, scores, threshold, miss_cost, alarm_cost):
    predicted = scores >= threshold
    return miss_cost * np.sum(y & ~predicted) + alarm_cost * np.sum(~y & predicted)


def threshold_by(cost=total_cost, above_all=(np.inf,)):
    def answer(y, scores, miss_cost, alarm_cost):
        candidates = [*np.unique(scores), *above_all]
        return min(candidates, key=lambda threshold: cost(y, scores, threshold, miss_cost, alarm_cost))

    return answer


def halfway_between_scores(y, scores, miss_cost, alarm_cost):
    ordered = np.unique(scores)
    candidates = [ordered[0] - 1, *(ordered[1:] + ordered[:-1]) / 2, ordered[-1] + 1]
    return min(candidates, key=lambda threshold: total_cost(y, scores, threshold, miss_cost, alarm_cost))


ALTERNATIVES = {
    "06.find_the_leaks": [
        ["column 3", "shared patients"],
        dict.fromkeys(["column 3", "shared patients"]).keys(),
        {"column 3": True, "shared patients": True, "duplicate rows": False},
        np.array(["column 3", "shared patients"]),
    ],
    "06.cheapest_threshold": [threshold_by(), threshold_by(above_all=(100.0,)), halfway_between_scores],
    "06.precision_and_recall": [[0.25, 0.75]],
}

MISTAKES = {
    "06.find_the_leaks": [
        ("column 3", "a set of names"),
        ({"scaling"}, "not one of the names"),
        ({"duplicate rows", "column 3"}, "no row is in both splits"),
        ({"column 0"}, "legitimate feature"),
        ({"column 4"}, "does not give"),
        ({"shared patients"}, "hardly overlap"),
        ({"column 3"}, "came twice"),
    ],
    "06.cheapest_threshold": [
        (threshold_by(lambda y, s, t, miss, alarm: total_cost(y, s, t, alarm, miss)), "swapped"),
        (threshold_by(lambda y, s, t, miss, alarm: total_cost(y, s, t, 1, 1)), "weight the two kinds"),
        (threshold_by(lambda y, s, t, miss, alarm: total_cost(y, s, np.nextafter(t, np.inf), miss, alarm)), "use >="),
        (threshold_by(above_all=()), "above all scores"),
        (lambda y, s, miss, alarm: min(total_cost(y, s, t, miss, alarm) for t in [*s, np.inf]), "smallest cost"),
        (lambda y, s, miss, alarm: s, "one number"),
        (lambda y, s, miss, alarm: np.nan, "NaN"),
        (lambda y, s, miss, alarm: -100.0, "count the misses"),
        (lambda y, s, miss, alarm: print(end=""), "`return` missing"),
    ],
    "06.precision_and_recall": [
        ((0.75, 0.25), "precision first"),
        ((25, 75), "not percentages"),
        ((0.333, 0.75), "all alarms"),
        ((0.25, 0.015), "not by all people"),
        ((0.5, 0.75), "precision: which fraction"),
        ((0.25, 0.5), "recall: which fraction"),
        (0.25, "two numbers"),
    ],
}


class TestExercises(ExerciseTests):
    pass
