"""Tests the code of lesson 10 on more cases than the lesson shows, and the checkers of its exercises."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn.model_selection import train_test_split

from tests.lessons.exercise_tests import ExerciseTests


@pytest.mark.parametrize("seed", range(4))
def test_warp_matches_keras(lesson, seed):
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (13, 17, 3)).astype("float32")
    matrix = lesson.translation(*rng.uniform(-3, 3, 2)) @ lesson.rotation(rng.uniform(-40, 40), 13)
    theirs = keras.ops.image.affine_transform(
        image, matrix.ravel()[:8].astype("float32"), interpolation="bilinear", fill_mode="nearest"
    )
    np.testing.assert_allclose(lesson.warp(image, matrix), theirs, atol=0.05)


def test_rotation_by_90_degrees_is_numpy_rot90(lesson):
    image = np.random.default_rng(0).random((9, 9, 3))
    np.testing.assert_allclose(lesson.warp(image, lesson.rotation(90, 9)), np.rot90(image), atol=1e-9)


def test_batches_by_hand_yield_each_pair_once(lesson):
    images, labels = np.arange(70)[:, None] * 2, np.arange(70)
    batches = list(lesson.batches_by_hand(images, labels, 32, np.random.default_rng(0)))
    assert [len(y) for _, y in batches] == [32, 32, 6]
    assert sorted(np.concatenate([y for _, y in batches])) == list(range(70))
    assert all((x[:, 0] == 2 * y).all() for x, y in batches)
    assert batches[0][1].tolist() != sorted(batches[0][1])


@pytest.mark.parametrize("buffer_size", [1, 2, 7, 20, 30])
def test_shuffle_by_hand_yields_each_once_and_at_most_a_buffer_too_early(lesson, buffer_size):
    outputs = [[*lesson.shuffle_by_hand(range(20), buffer_size, np.random.default_rng(seed))] for seed in range(50)]
    for out in outputs:
        assert sorted(out) == list(range(20))
        assert all(value <= position + buffer_size - 1 for position, value in enumerate(out))
    firsts = {out[0] for out in outputs}
    assert firsts == set(range(buffer_size)) or buffer_size > 7
    assert (len(set(map(tuple, outputs))) == 1) == (buffer_size == 1)


@pytest.mark.parametrize("seed", range(3))
def test_mixing_by_hand_matches_keras(lesson, seed):
    rng = np.random.default_rng(seed)
    images = rng.uniform(0, 255, (6, 16, 24, 3)).astype("float32")
    labels = np.eye(4, dtype="float32")[rng.integers(0, 4, 6)]
    layer = keras.layers.MixUp(alpha=0.5, seed=seed)
    drawn = {
        key: np.array(value)
        for key, value in layer.get_random_transformation({"images": images, "labels": labels}).items()
    }
    mixed, mixed_labels = lesson.mixup_by_hand(images, labels, drawn["permutation_order"], drawn["mix_weight"])
    np.testing.assert_allclose(mixed, layer.transform_images(images, drawn), atol=1e-3)
    np.testing.assert_allclose(mixed_labels, layer.transform_labels(labels, drawn), atol=1e-5)


def test_cutmix_by_hand_weighs_labels_by_area(lesson):
    images = np.zeros((2, 32, 32, 3)) + np.array([0, 1])[:, None, None, None]
    masks = np.zeros((2, 32, 32, 3), bool)
    masks[0, :16, 8:24] = True
    mixed, labels = lesson.cutmix_by_hand(images, np.eye(2), np.array([1, 0]), masks)
    assert mixed[0].mean() == pytest.approx(0.25)
    assert (mixed[1] == 1).all()
    np.testing.assert_allclose(labels, [[0.75, 0.25], [0, 1]])


def test_half_turn_turns_about_half_of_the_images(lesson):
    images = np.random.default_rng(0).integers(0, 256, (400, 5, 5, 1)).astype("uint8")
    result = lesson.half_turn(tf.constant(images), (1, 2)).numpy()
    turned = (result == images[:, ::-1, ::-1]).all(axis=(1, 2, 3))
    assert (turned | (result == images).all(axis=(1, 2, 3))).all()
    assert 150 < turned.sum() < 250


def test_broken_datasets_mismatch_only_validation_labels(lesson):
    images = np.broadcast_to(np.arange(1300)[:, None, None], (1300, 2, 2))
    train_ds, val_ds = lesson.broken_datasets(images, np.arange(1300))
    assert all((x[:, 0, 0] == y).all() for x, y in train_ds.as_numpy_iterator())
    assert np.mean(np.concatenate([x[:, 0, 0] == y for x, y in val_ds.as_numpy_iterator()])) < 0.05


# Exercises: other correct answers, and mistakes with a word of the hint that each should get


def split_with_scikit_learn(labels, fraction, rng):
    seed = int(rng.integers(1 << 30))
    return train_test_split(np.arange(len(labels)), test_size=fraction, stratify=labels, random_state=seed)


def split_mistake(kind, rounding=round):
    def mistaken(labels, fraction, rng):
        rng = np.random.default_rng(fraction > 0.3) if kind == "own generator" else rng
        rng = np.random.default_rng() if kind == "no generator" else rng
        rows = np.arange(len(labels))
        order, count = rng.permutation(rows), round(fraction * len(rows))
        if kind == "not stratified":
            return order[count:], order[:count]
        if kind == "overlap":
            return rows, order[:count]
        if kind == "drawn twice":
            return order[count:], rng.choice(order[:count], count)
        by_class = [np.flatnonzero(labels == label) for label in np.unique(labels)]
        if kind == "half":  # shuffles only the first half of each class, from which all validation images come
            by_class = [np.r_[rng.permutation(rows[: len(rows) // 2]), rows[len(rows) // 2 :]] for rows in by_class]
        else:
            by_class = [rows if kind == "not random" else rng.permutation(rows) for rows in by_class]
        if kind == "classes from 0":
            by_class = [rng.permutation(np.flatnonzero(labels == label)) for label in range(3)]
        counts = [rounding(fraction * len(rows)) for rows in by_class]
        val = np.concatenate([rows[:n] for rows, n in zip(by_class, counts, strict=True)])
        start = 1 if kind == "lost" else 0
        train = np.concatenate([rows[n + start :] for rows, n in zip(by_class, counts, strict=True)])
        return (val, train) if kind == "exchanged" else (train, val)

    return mistaken


def datasets(*, shuffled="pairs", train_count=1000, val_start=1000):
    def make(images, labels):
        if shuffled == "images":
            images = images[np.random.default_rng(0).permutation(len(images))]
        pairs = tf.data.Dataset.from_tensor_slices((images, labels))
        train_ds = pairs.take(train_count)
        if shuffled == "batches":
            return train_ds.batch(50).shuffle(20), pairs.skip(val_start).batch(50)
        each_epoch = shuffled != "once"
        buffer = {"nothing": 1, "two": 2}.get(shuffled, 1000)
        train_ds = train_ds.shuffle(buffer, seed=0, reshuffle_each_iteration=each_epoch)
        return train_ds.batch(50), pairs.skip(val_start).batch(50)

    return make


class ShuffledBatches:
    """Batches of NumPy arrays, in a new order for each iteration."""

    def __init__(self, images, labels):
        self.images, self.labels, self.rng = images, labels, np.random.default_rng(0)

    def __iter__(self):
        for rows in np.array_split(self.rng.permutation(len(self.labels)), 20):
            yield self.images[rows], self.labels[rows]


SMALL = ("read", "cache", "shuffle", "batch", "augment", "resize", "prefetch")
LARGE = ("read", "resize", "cache", "shuffle", "batch", "augment", "prefetch")


def both(small=SMALL, large=LARGE):
    return {"small": small, "large": large}


ALTERNATIVES = {
    "10.order_of_steps": [both(), both(np.array(SMALL), list(LARGE))],
    "10.repaired_datasets": [
        datasets(),
        lambda x, y: (ShuffledBatches(x[:1000], y[:1000]), [(x[1000:1150], y[1000:1150]), (x[1150:], y[1150:])]),
    ],
    "10.stratified_split": [split_with_scikit_learn],
}

MISTAKES = {
    "10.order_of_steps": [
        (both(["read", "augment", "cache", "shuffle", "batch", "resize", "prefetch"]), "augmented images and repeat"),
        (both(["read", "shuffle", "cache", "batch", "augment", "resize", "prefetch"]), "first epoch's order"),
        (both(["read", "cache", "batch", "shuffle", "augment", "resize", "prefetch"]), "always be in one batch"),
        (both(["read", "cache", "shuffle", "augment", "batch", "resize", "prefetch"]), "one by one"),
        (both(["read", "cache", "shuffle", "batch", "resize", "augment", "prefetch"]), "many times the work"),
        (both(LARGE), "enlarged images, which need many times the memory"),
        (both(["read", "prefetch", "cache", "shuffle", "batch", "augment", "resize"]), "comes last"),
        (both(["cache", "read", "shuffle", "batch", "augment", "resize", "prefetch"]), "nothing to cache"),
        (both(["read", "cache"]), "seven words"),
        (both(large=SMALL), "photographs of full size"),
        (both(large=["resize", "read", "cache", "shuffle", "batch", "augment", "prefetch"]), "no pixels"),
        (
            both(large=["read", "resize", "augment", "cache", "shuffle", "batch", "prefetch"]),
            "augmented images and repeat",
        ),
        (list(SMALL), "dictionary"),
    ],
    "10.repaired_datasets": [
        (datasets(shuffled="images"), "another image's label"),
        (datasets(shuffled="nothing"), "not shuffled any more"),
        (datasets(shuffled="two"), "hardly shuffled"),
        (datasets(shuffled="once"), "second epoch"),
        (datasets(shuffled="batches"), "complete batches"),
        (lambda x, y: map(iter, datasets()(x, y)), "two datasets"),
        (lambda x, y: [iter(list(ds)) for ds in datasets()(x, y)], "second epoch|raised"),
        (datasets(val_start=900), "in both datasets"),
        (datasets(train_count=900), "900 and 300"),
        (lambda images, labels: (images, labels), "raised|shape"),
    ],
    "10.stratified_split": [
        (split_mistake("not stratified"), "so 14, 7 and 2"),
        (split_mistake("rounding", rounding=math.ceil), "so 14, 7 and 2"),
        (split_mistake("rounding", rounding=math.floor), "so 14, 7 and 2"),
        (split_mistake("own generator"), "another generator"),
        (split_mistake("no generator"), "same generator"),
        (split_mistake("half"), "never drawn"),
        (split_mistake("overlap"), "a leak"),
        (split_mistake("drawn twice"), "drawn twice"),
        (split_mistake("not random"), "another generator"),
        (split_mistake("classes from 0"), "classes 0, 1, 2|raised"),
        (split_mistake("lost"), "in neither split"),
        (split_mistake("exchanged"), "exchanged"),
        (lambda labels, fraction, rng: labels, "return two arrays"),
        (lambda labels, fraction, rng: (labels[:80] * 1.5, labels[80:]), "of integers"),
    ],
}


class TestExercises(ExerciseTests):
    pass
