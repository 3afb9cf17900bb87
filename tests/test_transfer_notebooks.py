"""The code written in notebooks 13, 14 and 15, tested on more cases than the lessons show."""

import keras
import numpy as np
import pytest

from dlkit import evaluate
from tools.notebooks import ROOT, definitions


@pytest.fixture(scope="module")
def transferring():
    return definitions(ROOT / "notebooks" / "13_transfer_learning.ipynb")


@pytest.fixture(scope="module")
def recipe():
    return definitions(ROOT / "notebooks" / "14_resnet50_on_cifar10.ipynb")


@pytest.fixture(scope="module")
def sharing():
    return definitions(ROOT / "notebooks" / "15_distillation_and_multitask.ipynb")


# --- 13


def test_only_keeps_the_classes_and_numbers_them_in_their_order(transferring):
    images, labels = np.arange(6), np.array([3, 0, 7, 3, 9, 0])
    kept, numbered = transferring.only((images, labels), (3, 9))
    assert kept.tolist() == [0, 3, 4]
    assert numbered.tolist() == [0, 0, 1]


def test_pick_draws_each_class_equally_and_differently_for_each_seed(transferring):
    labels = np.repeat(np.arange(4), 50)
    transferring.target_train = np.arange(200), labels
    first, classes = transferring.pick(5, seed=0)
    assert np.bincount(classes).tolist() == [5] * 4
    assert len(set(first)) == 20
    assert (labels[first] == classes).all()
    assert set(first) != set(transferring.pick(5, seed=1)[0])
    assert (first == transferring.pick(5, seed=0)[0]).all()


def test_a_copied_network_has_arrays_of_its_own(transferring):
    network = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    twin = transferring.copied(network)
    for ours, theirs in zip(twin.get_weights(), network.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    twin.set_weights([weight + 1 for weight in twin.get_weights()])
    assert not np.allclose(twin.get_weights()[0], network.get_weights()[0])


# --- 14


@pytest.mark.parametrize("printed", [0.9667, 0.9722, 0.5, 1.0, 0.3333, 0.8571])
def test_the_smallest_count_gives_the_printed_share_and_no_smaller_one_does(recipe, printed):
    right, count = recipe.smallest_count(printed)
    assert round(right / count, 4) == printed
    for smaller in range(1, count):
        assert printed not in {round(k / smaller, 4) for k in range(smaller + 1)}


def test_two_directions_are_those_of_scikit_learn(recipe):
    from sklearn.decomposition import PCA

    rows = np.random.default_rng(0).normal(size=(50, 6)) * [5, 3, 1, 1, 1, 1]
    ours, theirs = recipe.two_directions(rows), PCA(2).fit_transform(rows)
    np.testing.assert_allclose(np.abs(ours), np.abs(theirs), atol=1e-9)


def test_between_classes_is_one_where_classes_are_points_and_small_where_they_are_mixed(recipe):
    rng = np.random.default_rng(0)
    recipe.names = ["a", "b", "c"]
    labels = rng.integers(0, 3, 3000)
    assert recipe.between_classes(np.eye(3)[labels], labels) == pytest.approx(1)
    assert recipe.between_classes(rng.normal(size=(3000, 4)), labels) < 0.01


def test_between_and_within_classes_add_up(recipe):
    rng = np.random.default_rng(1)
    recipe.names = ["a", "b"]
    labels = rng.integers(0, 2, 100)
    rows = rng.normal(size=(100, 3)) + labels[:, None]
    within = sum(np.sum((rows[labels == k] - rows[labels == k].mean(axis=0)) ** 2) for k in (0, 1))
    total = np.sum((rows - rows.mean(axis=0)) ** 2)
    assert recipe.between_classes(rows, labels) == pytest.approx(1 - within / total)


# --- 15


@pytest.mark.parametrize("temperature", [1.0, 2.5, 20.0])
@pytest.mark.parametrize("scale", [0.1, 3.0, 200.0])
def test_distillation_equals_keras_and_its_gradient_agrees_with_nudging(sharing, temperature, scale):
    ours, theirs = np.random.default_rng(0).normal(0, scale, (2, 5, 4))
    loss, gradient = sharing.distillation(ours, theirs, temperature)
    keras_loss = keras.distillation.LogitsDistillation(temperature, loss=keras.losses.KLDivergence())
    if scale < 100:  # beyond that Keras's own loss clips probabilities at 1e-7
        assert loss == pytest.approx(float(keras_loss.compute_loss(theirs, ours)), rel=1e-3, abs=1e-6)
    for place in np.ndindex(5, 4):
        step = np.zeros((5, 4))
        step[place] = 1e-5
        ends = [sharing.distillation(ours + sign * step, theirs, temperature)[0] for sign in (1, -1)]
        assert gradient[place] == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-4, abs=1e-5)


def test_rows_give_each_head_its_own_images_and_weights_whose_mean_is_one(sharing):
    sharing.steps, sharing.target, sharing.others = 3, (np.arange(40), np.arange(40) % 4), (-np.arange(60), None)
    sharing.others = -np.arange(60) - 1, np.arange(60) % 6
    for with_others in (0, 1):
        x, y, weights = sharing.rows(5, with_others, seed=0)
        assert len(x) == 3 * 32 * (1 + with_others)
        ours = x >= 0
        assert (y["target"][ours] == x[ours] % 4).all()
        assert (y["others"][~ours] == (-x[~ours] - 1) % 6).all()
        assert len(set(x[ours])) <= 20
        for name, own in {"target": ours, "others": ~ours}.items():
            assert (weights[name][~own] == 0).all()
            assert not own.any() or weights[name].mean() == 1


def test_soft_probabilities_are_flatter_but_keep_their_order(sharing):
    logits = np.random.default_rng(0).normal(0, 4, (6, 5))
    soft, hard = (np.exp(sharing.log_softmax(logits / T)) for T in (4, 1))
    assert (soft.argsort(axis=1) == hard.argsort(axis=1)).all()
    assert (soft.max(axis=1) < hard.max(axis=1)).all()
    assert evaluate.accuracy(logits.argmax(axis=1), soft) == 1
