"""Batches for training and evaluation: order, seeds, sizes, and the shards of several workers."""

import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from PIL import Image

from dlkit import data
from dlkit.data.image_files import read_images

IMAGES = np.random.default_rng(0).integers(1, 256, (50, 12, 12, 3)).astype("uint8")
LABELS = np.arange(50)


def collect_passes(ds, count):
    """Several passes over a `tf.data.Dataset`: a list with (images, labels) of each pass, the batches joined."""
    return [tuple(np.concatenate(parts) for parts in zip(*ds.as_numpy_iterator(), strict=True)) for _ in range(count)]


def training_ds(seed=0):
    return data.pipeline(IMAGES, LABELS, batch_size=8, training=True, augment=data.random_crop_and_flip, seed=seed)


def test_pipeline_resizes_after_augmentation():
    seen = []

    def record_shape(images, seed):
        seen.append(tuple(images.shape[1:]))
        return images

    options = {"batch_size": 8, "image_size": (24, 36)}
    ((images, _),) = collect_passes(data.pipeline(IMAGES, LABELS, **options), 1)
    np.testing.assert_array_equal(images, tf.image.resize(IMAGES, (24, 36)))
    train_ds = data.pipeline(IMAGES, LABELS, training=True, augment=record_shape, **options)
    ((trained, order),) = collect_passes(train_ds, 1)
    assert seen == [(12, 12, 3)], "augmentation sees the images at their own size"
    np.testing.assert_array_equal(trained, images[order])
    assert trained.dtype == np.float32
    assert trained.max() > 100, "pixels are still 0 to 255"


def test_pipeline_for_evaluation_keeps_order_and_images():
    ds = data.pipeline(IMAGES, LABELS, batch_size=8, augment=data.random_crop_and_flip)
    for images, labels in collect_passes(ds, 2):
        np.testing.assert_array_equal(images, IMAGES)
        np.testing.assert_array_equal(labels, LABELS)


def test_pipeline_epochs_differ_in_order_and_augmentation():
    (first, first_labels), (second, second_labels) = collect_passes(training_ds(), 2)
    assert sorted(first_labels) == sorted(second_labels) == list(LABELS), "every image once"
    assert (first_labels != second_labels).any()
    same_order = [images[np.argsort(labels)] for images, labels in ((first, first_labels), (second, second_labels))]
    changed = (same_order[0] != same_order[1]).any(axis=(1, 2, 3))
    assert changed.mean() > 0.9


def test_pipeline_repeats_by_seed():
    for (images, labels), (images_again, labels_again) in zip(
        collect_passes(training_ds(), 3), collect_passes(training_ds(), 3), strict=True
    ):
        np.testing.assert_array_equal(images, images_again)
        np.testing.assert_array_equal(labels, labels_again)
    assert (collect_passes(training_ds(seed=1), 1)[0][1] != collect_passes(training_ds(), 1)[0][1]).any()


def test_pipeline_begins_with_first_epoch():
    def epochs(first, count):
        ds = data.pipeline(
            IMAGES, LABELS, batch_size=8, training=True, augment=data.random_crop_and_flip, first_epoch=first
        )
        return collect_passes(ds.take(7 * count), 1)

    (images, labels), (later_images, later_labels) = epochs(0, 4)[0], epochs(2, 2)[0]
    np.testing.assert_array_equal(labels[100:], later_labels)
    np.testing.assert_array_equal(images[100:], later_images)
    for epoch in range(4):
        assert sorted(labels[50 * epoch :][:50]) == list(LABELS), "every image once in every epoch"
    assert (labels[:50] != labels[50:100]).any()


def test_pipeline_has_a_length():
    assert len(training_ds()) == len(data.pipeline(IMAGES, LABELS, batch_size=8)) == 7


def test_pipeline_seeds_differ_between_batches_and_shards():
    def paint(images, seed):
        return tf.broadcast_to(tf.cast(seed[1], "uint8"), tf.shape(images))

    options = {"batch_size": 10, "training": True, "augment": paint, "first_epoch": 0}
    seeds = [
        int(images[0, 0, 0, 0])
        for worker in range(3)
        for images, _ in data.pipeline(IMAGES, LABELS, shard=(worker, 3), **options).take(5)
    ]
    assert len(set(seeds)) == 15


def test_pipeline_shards_make_up_the_batches_of_one_worker():
    images, labels = np.arange(23)[:, None], np.arange(23)
    options = {"batch_size": 5, "training": True, "first_epoch": 2, "seed": 1}
    complete = data.pipeline(images, labels, **options).take(5)
    shards = [data.pipeline(images, labels, shard=(k, 3), **options).take(5) for k in range(3)]
    for (_, batch), *from_shards in zip(complete, *shards, strict=True):
        assert sorted(batch.numpy()) == sorted(np.concatenate([labels.numpy() for _, labels in from_shards]))


def test_pipeline_refuses_no_images_or_too_few_labels():
    with pytest.raises(ValueError, match="Received: 50 and 49"):
        data.pipeline(IMAGES, LABELS[:-1], batch_size=8)
    with pytest.raises(ValueError, match="at least one. Received: 0 and 0"):
        data.pipeline(IMAGES[:0], LABELS[:0], batch_size=8)


def test_pipeline_augments_training_only():
    options = {"batch_size": 8, "augment": layers.RandomRotation(0.1), "image_size": (24, 24)}
    (first, first_labels), (second, second_labels) = collect_passes(
        data.pipeline(IMAGES, LABELS, training=True, **options), 2
    )
    changed = first[np.argsort(first_labels)] != second[np.argsort(second_labels)]
    assert changed.any(axis=(1, 2, 3)).all(), "every image, in every epoch"
    (first, first_labels), (second, second_labels) = collect_passes(data.pipeline(IMAGES, LABELS, **options), 2)
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(first_labels, LABELS)
    np.testing.assert_array_equal(second_labels, LABELS)


@pytest.mark.parametrize("shape", [(50, 12, 12), (50, 12, 12, 1), (50, 12, 12, 3)])
def test_pipeline_with_layers_resumes_to_the_same_bits(shape):
    images = np.resize(IMAGES, shape)

    def batches(first, count):
        augment = [layers.RandomFlip("horizontal"), layers.RandomRotation(0.1), layers.RandomTranslation(0.1, 0.1)]
        options = {"batch_size": 8, "training": True, "augment": augment, "first_epoch": first}
        return collect_passes(data.pipeline(images, LABELS, **options).take(count), 1)[0]

    (uninterrupted, labels), (resumed, resumed_labels) = batches(0, 28), batches(2, 14)
    assert uninterrupted.dtype == np.uint8
    assert uninterrupted.shape[1:] == shape[1:]
    np.testing.assert_array_equal(labels[100:], resumed_labels)
    np.testing.assert_array_equal(uninterrupted[100:], resumed)
    assert (uninterrupted[:50] != images[labels[:50]]).any(axis=(1, 2)).mean() > 0.9


def test_pipeline_resizes_gray_images_not_the_batch():
    for training in (False, True):
        ds = data.pipeline(IMAGES[..., 0], LABELS, batch_size=12, image_size=(24, 36), training=training)
        ((images, labels),) = collect_passes(ds, 1)
        expected = tf.image.resize(IMAGES[..., :1], (24, 36))[..., 0].numpy()
        np.testing.assert_array_equal(images, expected[labels])


@pytest.fixture
def lazy_images(tmp_path):
    """IMAGES as files that are decoded when they are needed."""
    files = [tmp_path / f"{k}.png" for k in range(len(IMAGES))]
    for file, image in zip(files, IMAGES, strict=True):
        Image.fromarray(image).save(file)
    return read_images(files, in_memory=False)[0]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"image_size": (20, 24)},
        {"training": True},
        {"training": True, "first_epoch": 3, "shard": (1, 3), "image_size": (20, 24)},
        {"training": True, "augment": data.random_crop_and_flip},
        {"training": True, "augment": layers.RandomRotation(0.1), "image_size": (20, 24)},
    ],
)
def test_pipeline_of_lazy_images_equals_that_of_an_array(lazy_images, options):
    for images, from_array in zip(
        data.pipeline(lazy_images, LABELS, batch_size=8, **options).take(14),
        data.pipeline(IMAGES, LABELS, batch_size=8, **options).take(14),
        strict=True,
    ):
        for found, expected in zip(images, from_array, strict=True):
            assert found.shape == expected.shape
            assert found.dtype == expected.dtype
            np.testing.assert_array_equal(found, expected)


def test_pipeline_of_lazy_images_knows_their_shape(lazy_images):
    images, labels = data.pipeline(lazy_images, LABELS, batch_size=8, training=True).element_spec
    assert (images.shape.as_list(), labels.shape.as_list()) == ([None, 12, 12, 3], [None])


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"batch_size": 0}, "batch_size to be an integer of 1 or more. Received: 0"),
        ({"batch_size": 8.0}, "batch_size to be an integer"),
        ({"seed": -1}, "seed to be an integer from 0"),
        ({"first_epoch": -1, "training": True}, "first_epoch to be an integer of 0 or more"),
        ({"shard": (3, 3)}, "the index in shard to be an integer from 0 to 2. Received: 3"),
        ({"shard": (0, 0)}, "the count in shard to be an integer from 1 to 8"),
        ({"shard": (0, 9)}, "the count in shard to be an integer from 1 to 8"),
        ({"image_size": 24}, r"image_size to be \(height, width\) or None. Received: 24"),
        ({"image_size": (24, 0)}, "image_size to be an integer of 1 or more"),
        ({"images": np.zeros((50, 12)), "image_size": (24, 24)}, r"images of shape \(count, height, width"),
        ({"images": np.full((50, 12, 12), "a")}, "images that hold real numbers"),
        ({"images": np.where(np.arange(50) == 7, np.nan, np.zeros((12, 50))).T}, "finite images. Received: nan at"),
        ({"labels": np.where(LABELS == 7, np.inf, LABELS)}, r"finite labels. Received: inf at position \[7\]"),
        ({"labels": LABELS.astype(str)}, "Number the classes"),
    ],
    ids=lambda value: value if isinstance(value, str) else ",".join(value),
)
def test_pipeline_refuses_impossible_arguments(changed, message):
    with pytest.raises(ValueError, match=message):
        data.pipeline(**{"images": IMAGES, "labels": LABELS, "batch_size": 8, **changed})


def test_pipeline_takes_any_numbers_as_targets():
    targets = np.linspace(-1, 1, 100).reshape(50, 2)
    ((_, found),) = collect_passes(data.pipeline(IMAGES, targets, batch_size=8), 1)
    np.testing.assert_array_equal(found, targets)
