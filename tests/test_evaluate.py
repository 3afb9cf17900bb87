"""dlkit.evaluate, compared with scikit-learn and with the published formulas."""

import keras
import numpy as np
import pytest
from sklearn.metrics import accuracy_score

from dlkit import evaluate, models
from tests.random_weights import randomize

LABELS = np.array([0, 1, 2, 2, 1])
PROBS = np.array([[0.9, 0.1, 0], [0.2, 0.5, 0.3], [0.6, 0.1, 0.3], [0, 0, 1], [0.3, 0.3, 0.4]])


def test_predict_probs_flip_tta_is_invariant_to_flipping():
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(3)])
    images = np.random.default_rng(0).normal(size=(5, 4, 4, 1)).astype("float32")
    probs, flipped = (evaluate.predict_probs(model, x, flip_tta=True) for x in (images, images[:, :, ::-1]))
    np.testing.assert_allclose(probs, flipped, rtol=1e-5)
    assert not np.allclose(probs, evaluate.predict_probs(model, images))


def test_accuracy_equals_scikit_learn():
    assert evaluate.accuracy(LABELS, PROBS) == accuracy_score(LABELS, PROBS.argmax(axis=1)) == 0.6


def test_predict_probs_is_the_softmax_of_the_logits():
    logits = np.log(np.array([[0.2, 0.3, 0.5], [0.98, 0.01, 0.01]])).astype("float32")
    model = keras.Sequential([keras.Input((3,)), keras.layers.Identity()])
    np.testing.assert_allclose(evaluate.predict_probs(model, logits), np.exp(logits), rtol=1e-5)


@pytest.mark.parametrize(("correct", "count"), [(0, 10), (5, 10), (58, 60), (10, 10), (9_000, 10_000)])
def test_wilson_interval_contains_the_accuracy(correct, count):
    low, high = evaluate.wilson_interval(correct / count, count)
    assert 0 <= low <= correct / count + 1e-12
    assert correct / count - 1e-12 <= high <= 1


def test_wilson_interval_solves_its_equation():
    # Brown, Cai and DasGupta, 2001: the bounds are the p at which (accuracy - p)^2 = z^2 p (1 - p) / n.
    low, high = evaluate.wilson_interval(0.7, 50)
    for bound in (low, high):
        assert (0.7 - bound) ** 2 == pytest.approx(1.959964**2 * bound * (1 - bound) / 50)


def test_wilson_interval_covers_the_truth_in_19_of_20_cases():
    counts = np.random.default_rng(0).binomial(450, 0.96, 2000)
    covered = [low <= 0.96 <= high for low, high in (evaluate.wilson_interval(c / 450, 450) for c in counts)]
    assert 0.93 < np.mean(covered) < 0.97


@pytest.mark.parametrize(("accuracy", "count"), [(1.2, 10), (0.5, 0)])
def test_wilson_interval_refuses_impossible_values(accuracy, count):
    with pytest.raises(ValueError, match="Expected an accuracy from 0 to 1"):
        evaluate.wilson_interval(accuracy, count)


def test_worst_mistakes_are_in_order_of_confidence():
    assert list(evaluate.worst_mistakes(LABELS, PROBS, 5)) == [2, 4]
    assert list(evaluate.worst_mistakes(LABELS, PROBS, 1)) == [2]


def test_confusion_matrix_has_true_classes_in_rows():
    assert evaluate.confusion_matrix(LABELS, PROBS).tolist() == [[1, 0, 0], [0, 1, 1], [1, 0, 1]]


def test_class_table_has_a_line_for_an_empty_class():
    table = evaluate.class_table(LABELS, np.hstack([PROBS, np.zeros((5, 1))]), ["a", "b", "c", "never"])
    assert table.splitlines()[1].split() == ["a", "0.50", "1.00", "0.67", "1"]
    assert table.splitlines()[4].split() == ["never", "0.00", "0.00", "0.00", "0"]


def test_class_table_columns_are_aligned():
    table = evaluate.class_table(LABELS, PROBS, ["ox", "automobile", "cat"])
    assert table.splitlines() == [
        "            precision  recall     F1  images",
        "ox               0.50    1.00   0.67       1",
        "automobile       1.00    0.50   0.67       2",
        "cat              0.50    0.50   0.50       2",
    ]


# --- sample_tokens


@pytest.fixture(scope="module")
def language_model():
    """A small language model with random weights."""
    return randomize(models.build_language_model(30, max_length=16, embedding_dim=16, heads=2, hidden=32))


def test_sample_tokens_depends_on_the_seed_only(language_model):
    def sample(seed):
        return evaluate.sample_tokens(language_model, [1], 20, window=16, seed=seed)

    assert sample(0) == sample(0) != sample(1)
    assert sample(0)[0] == 1
    assert len(sample(0)) == 21


def test_sample_tokens_at_low_temperature_is_the_most_probable(language_model):
    cold = evaluate.sample_tokens(language_model, [1, 2], 1, window=16, temperature=1e-3)
    assert cold[-1] == np.asarray(language_model(np.array([[1, 2]])))[0, -1].argmax()


@pytest.mark.parametrize(("start", "temperature", "word"), [([], 1, "at least one"), ([1], 0, "above 0")])
def test_sample_tokens_refuses_wrong_arguments(language_model, start, temperature, word):
    with pytest.raises(ValueError, match=word):
        evaluate.sample_tokens(language_model, start, 3, window=16, temperature=temperature)
