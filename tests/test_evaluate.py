import keras
import numpy as np
import pytest
from sklearn.metrics import accuracy_score

from dlkit import evaluate

LABELS = np.array([0, 1, 2, 2, 1])
PROBS = np.array([[0.9, 0.1, 0], [0.2, 0.5, 0.3], [0.6, 0.1, 0.3], [0, 0, 1], [0.3, 0.3, 0.4]])


def test_mirrored_gives_an_image_and_its_mirror_one_answer():
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(3)])
    images = np.random.default_rng(0).normal(size=(5, 4, 4, 1)).astype("float32")
    there, back = (evaluate.predict_probs(model, x, flip_tta=True) for x in (images, images[:, :, ::-1]))
    np.testing.assert_allclose(there, back, rtol=1e-5)
    assert not np.allclose(there, evaluate.predict_probs(model, images))


def test_accuracy_is_scikit_learns():
    assert evaluate.accuracy(LABELS, PROBS) == accuracy_score(LABELS, PROBS.argmax(axis=1)) == 0.6


def test_probabilities_are_the_softmax_of_the_logits():
    logits = np.log(np.array([[0.2, 0.3, 0.5], [0.98, 0.01, 0.01]])).astype("float32")
    model = keras.Sequential([keras.Input((3,)), keras.layers.Identity()])
    np.testing.assert_allclose(evaluate.predict_probs(model, logits), np.exp(logits), rtol=1e-5)


@pytest.mark.parametrize(("right", "count"), [(0, 10), (5, 10), (58, 60), (10, 10), (9_000, 10_000)])
def test_the_interval_holds_the_accuracy_and_stays_between_0_and_1(right, count):
    low, high = evaluate.wilson_interval(right / count, count)
    assert 0 <= low <= right / count + 1e-12
    assert right / count - 1e-12 <= high <= 1


def test_the_interval_is_wilsons():
    # Brown, Cai and DasGupta 2001: the ends are the p at which (accuracy - p)^2 = z^2 p (1 - p) / n.
    low, high = evaluate.wilson_interval(0.7, 50)
    for end in (low, high):
        assert (0.7 - end) ** 2 == pytest.approx(1.959964**2 * end * (1 - end) / 50)


def test_the_interval_covers_in_19_of_20_experiments():
    counts = np.random.default_rng(0).binomial(450, 0.96, 2000)
    covered = [low <= 0.96 <= high for low, high in (evaluate.wilson_interval(c / 450, 450) for c in counts)]
    assert 0.93 < np.mean(covered) < 0.97


@pytest.mark.parametrize(("accuracy", "count"), [(1.2, 10), (0.5, 0)])
def test_the_interval_refuses_what_is_no_accuracy(accuracy, count):
    with pytest.raises(ValueError, match="Expected an accuracy from 0 to 1"):
        evaluate.wilson_interval(accuracy, count)


def test_worst_mistakes_are_wrong_and_in_order_of_confidence():
    assert list(evaluate.worst_mistakes(LABELS, PROBS, 5)) == [2, 4]
    assert list(evaluate.worst_mistakes(LABELS, PROBS, 1)) == [2]


def test_confusion_has_true_classes_in_rows():
    assert evaluate.confusion_matrix(LABELS, PROBS).tolist() == [[1, 0, 0], [0, 1, 1], [1, 0, 1]]


def test_the_class_table_has_a_line_for_every_class_even_an_empty_one():
    table = evaluate.class_table(LABELS, np.hstack([PROBS, np.zeros((5, 1))]), ["a", "b", "c", "never"])
    assert table.splitlines()[1].split() == ["a", "0.50", "1.00", "0.67", "1"]
    assert table.splitlines()[4].split() == ["never", "0.00", "0.00", "0.00", "0"]


def test_the_class_tables_columns_stay_below_each_other_whatever_the_names_lengths():
    table = evaluate.class_table(LABELS, PROBS, ["ox", "automobile", "cat"])
    assert table.splitlines() == [
        "            precision  recall     F1  images",
        "ox               0.50    1.00   0.67       1",
        "automobile       1.00    0.50   0.67       2",
        "cat              0.50    0.50   0.50       2",
    ]
