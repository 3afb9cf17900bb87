"""The code of lesson 06 on more cases than the lesson shows, and the checkers of its exercises."""

import numpy as np
import pytest
from sklearn import metrics
from sklearn.calibration import calibration_curve
from sklearn.metrics import f1_score
from sklearn.model_selection import KFold

from tests.lessons.exercise_tests import ExerciseTests


def ranked(ties, seed=0, count=200):
    rng = np.random.default_rng(seed)
    y = rng.random(count) < 0.2
    scores = rng.normal(size=count) + y
    return y, scores.round(1 if ties else 12)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_roc_and_average_precision_equal_scikit_learn_with_equal_scores_too(lesson, ties, seed):
    y, scores = ranked(ties, seed)
    np.testing.assert_allclose(lesson.roc_area(y, scores), metrics.roc_auc_score(y, scores), atol=1e-12)
    ours, theirs = lesson.average_precision(y, scores), metrics.average_precision_score(y, scores)
    np.testing.assert_allclose(ours, theirs, atol=1e-12)
    false_rate, true_rate, _ = metrics.roc_curve(y, scores, drop_intermediate=False)
    np.testing.assert_allclose(lesson.roc_curve(y, scores), (false_rate, true_rate), atol=1e-12)


@pytest.mark.parametrize("threshold", [-10.0, 0.0, 0.8, 10.0])
def test_precision_recall_and_f1_equal_scikit_learn_for_detectors_that_always_or_never_fire(lesson, threshold):
    y, scores = ranked(ties=False)
    says = scores > threshold
    tp, fp, fn, tn = lesson.counts(y, says)
    assert [[tn, fp], [fn, tp]] == metrics.confusion_matrix(y, says).tolist()
    theirs = metrics.precision_recall_fscore_support(y, says, average="binary", zero_division=0)
    np.testing.assert_allclose(lesson.precision_recall_f1(tp, fp, fn), theirs[:3], atol=1e-12)


@pytest.mark.parametrize("bins", [3, 5, 10])
def test_the_calibration_curve_equals_scikit_learn(lesson, bins):
    y, scores = ranked(ties=False)
    p = 1 / (1 + np.exp(-scores))
    said, true, error = lesson.calibration(y, p, bins)
    np.testing.assert_allclose((true, said), calibration_curve(y, p, n_bins=bins), atol=1e-12)
    assert 0 < error < 1
    assert lesson.calibration(np.array([True, False]), np.array([1.0, 0.0]), bins)[2] == 0


@pytest.mark.parametrize(("right", "count"), [(0, 10), (3, 7), (58, 60), (60, 60)])
def test_the_interval_equals_scipy(lesson, right, count):
    from scipy.stats import binomtest

    theirs = binomtest(right, count).proportion_ci(method="wilson")
    np.testing.assert_allclose(lesson.wilson(right / count, count), (theirs.low, theirs.high), atol=1e-6)


@pytest.mark.parametrize(("count", "k"), [(10, 5), (23, 4), (7, 7)])
def test_every_row_is_tested_once_and_never_by_a_model_that_saw_it(lesson, count, k):
    order = np.random.default_rng(0).permutation(count)
    folds = list(lesson.k_fold(order, k))
    assert len(folds) == k
    assert sorted(row for _, test in folds for row in test) == list(range(count))
    for train, test in folds:
        assert not set(train) & set(test)
        assert len(train) + len(test) == count
    for ours, theirs in zip(lesson.k_fold(np.arange(count), k), KFold(k).split(np.zeros(count)), strict=True):
        assert all(map(np.array_equal, ours, theirs))


def test_f1_of_every_class_equals_scikit_learn(lesson):
    rng = np.random.default_rng(0)
    labels, said = rng.integers(0, 5, 100), rng.integers(0, 4, 100)
    theirs = metrics.f1_score(labels, said, average=None, labels=range(6), zero_division=0)
    np.testing.assert_allclose(lesson.f1_by_class(labels, said, 6), theirs, atol=1e-12)


def test_rows_in_both_parts_are_found_and_columns_ranked_by_correlation(lesson):
    rng = np.random.default_rng(0)
    train, test = rng.normal(size=(20, 3)), rng.normal(size=(6, 3))
    test[[1, 4]] = train[[7, 7]]
    assert np.flatnonzero(lesson.rows_also_in(train, test)).tolist() == [1, 4]
    x, y = rng.normal(size=(40, 30)), rng.integers(0, 2, 40)
    strength = [abs(np.corrcoef(column, y)[0, 1]) for column in x.T]
    assert lesson.best_columns(x, y, 5).tolist() == np.argsort(strength)[::-1][:5].tolist()


@pytest.mark.parametrize(("printed", "count"), [(0.9667, 30), (0.9722, 36), (0.5, 2), (1.0, 1), (0.6667, 3)])
def test_the_smallest_test_set_that_prints_a_number(lesson, printed, count):
    assert lesson.smallest_count(printed) == count


# --- exercises: other correct answers, and mistakes with a word of the hint that each should get


def macro_f1_with(average="macro", **settings):
    def written(labels, predictions, num_classes):
        options = {"labels": range(num_classes), "zero_division": 0} | settings
        return f1_score(labels, predictions, average=average, **options)

    return written


def f1_with_nan(labels, predictions, num_classes):
    precision = [np.mean(labels[predictions == k] == k) if k in predictions else np.nan for k in range(num_classes)]
    return np.mean(precision)


ALTERNATIVES = {
    "06.find_the_leaks": [
        ["column 3", "patients in both"],
        dict.fromkeys(["column 3", "patients in both"]).keys(),
        {"column 3": True, "patients in both": True, "rows twice": False},
        np.array(["column 3", "patients in both"]),
    ],
    "06.macro_f1": [macro_f1_with()],
    "06.precision_and_recall": [[0.25, 0.75]],
}

MISTAKES = {
    "06.find_the_leaks": [
        ("column 3", "a set of names"),
        ({"scaling"}, "none of the names"),
        ({"rows twice", "column 3"}, "no row stands"),
        ({"column 0"}, "honest sign"),
        ({"column 4"}, "does not give"),
        ({"patients in both"}, "hardly overlap"),
        ({"column 3"}, "came twice"),
    ],
    "06.macro_f1": [
        (macro_f1_with("micro"), "micro F1"),
        (macro_f1_with("weighted"), "how often it occurs"),
        (macro_f1_with(labels=None), "divide by num_classes"),
        (macro_f1_with(average=None), "one number"),
        (f1_with_nan, "nan"),
        (lambda labels, predictions, num_classes: 0.5, "F1 from its TP, FP, FN"),
    ],
    "06.precision_and_recall": [
        ((0.75, 0.25), "exchanged"),
        ((25, 75), "as shares"),
        ((0.333, 0.75), "all alarms"),
        ((0.25, 0.015), "not by all people"),
        ((0.5, 0.75), "precision: of all"),
        ((0.25, 0.5), "recall: of the 20"),
        (0.25, "two numbers"),
    ],
}


class TestExercises(ExerciseTests):
    pass
