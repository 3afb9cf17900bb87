import numpy as np
import pytest

from dlkit import data

IMAGES = np.random.default_rng(0).integers(1, 256, (50, 12, 12, 3)).astype("uint8")
LABELS = np.arange(50)


def passes(ds, count):
    """Several passes over a dataset: for each, images and labels joined."""
    return [tuple(np.concatenate(parts) for parts in zip(*ds.as_numpy_iterator(), strict=True)) for _ in range(count)]


def training_ds(seed=0):
    return data.pipeline(IMAGES, LABELS, batch_size=8, training=True, augment=data.random_crop_and_flip, seed=seed)


def test_evaluation_keeps_order_and_images():
    ds = data.pipeline(IMAGES, LABELS, batch_size=8, augment=data.random_crop_and_flip)
    for images, labels in passes(ds, 2):
        np.testing.assert_array_equal(images, IMAGES)
        np.testing.assert_array_equal(labels, LABELS)


def test_training_epochs_differ_in_order_and_in_augmentation():
    (first, first_labels), (second, second_labels) = passes(training_ds(), 2)
    assert sorted(first_labels) == sorted(second_labels) == list(LABELS), "every image once"
    assert (first_labels != second_labels).any()
    same_order = [images[np.argsort(labels)] for images, labels in ((first, first_labels), (second, second_labels))]
    changed = (same_order[0] != same_order[1]).any(axis=(1, 2, 3))
    assert changed.mean() > 0.9


def test_the_same_seed_gives_the_same_epochs_and_another_seed_others():
    for (images, labels), (images_again, labels_again) in zip(
        passes(training_ds(), 3), passes(training_ds(), 3), strict=True
    ):
        np.testing.assert_array_equal(images, images_again)
        np.testing.assert_array_equal(labels, labels_again)
    assert (passes(training_ds(seed=1), 1)[0][1] != passes(training_ds(), 1)[0][1]).any()


def test_an_endless_dataset_begins_with_the_epoch_asked_for():
    def epochs(first, count):
        ds = data.pipeline(
            IMAGES, LABELS, batch_size=8, training=True, augment=data.random_crop_and_flip, first_epoch=first
        )
        return passes(ds.take(7 * count), 1)

    (images, labels), (later_images, later_labels) = epochs(0, 4)[0], epochs(2, 2)[0]
    np.testing.assert_array_equal(labels[100:], later_labels)
    np.testing.assert_array_equal(images[100:], later_images)
    for epoch in range(4):
        assert sorted(labels[50 * epoch :][:50]) == list(LABELS), "every image once in every epoch"
    assert (labels[:50] != labels[50:100]).any()


def test_the_length_is_known():
    assert len(training_ds()) == len(data.pipeline(IMAGES, LABELS, batch_size=8)) == 7


def test_without_images_or_with_too_few_labels_it_says_so():
    with pytest.raises(ValueError, match="Received: 50 and 49"):
        data.pipeline(IMAGES, LABELS[:-1], batch_size=8)
    with pytest.raises(ValueError, match="at least one. Received: 0 and 0"):
        data.pipeline(IMAGES[:0], LABELS[:0], batch_size=8)


def test_each_crop_is_a_window_of_the_padded_image_mirrored_or_not():
    crops = data.random_crop_and_flip(IMAGES, seed=(3, 4)).numpy()
    padded = np.pad(IMAGES, [(0, 0), (4, 4), (4, 4), (0, 0)])
    places = set()
    for crop, image in zip(crops, padded, strict=True):
        windows = {
            (dy, dx, flip): image[dy : dy + 12, dx : dx + 12][:, :: -1 if flip else 1]
            for dy in range(9)
            for dx in range(9)
            for flip in (False, True)
        }
        found = [place for place, window in windows.items() if np.array_equal(crop, window)]
        assert len(found) == 1
        places.add(found[0])
    assert len(places) > 25, "images are moved independently"
    assert {dy for dy, _, _ in places} == set(range(9))
    assert {flip for _, _, flip in places} == {False, True}


def test_without_padding_it_only_mirrors():
    flipped = data.random_crop_and_flip(IMAGES, seed=(3, 4), padding=0).numpy()
    kept = (flipped == IMAGES).all(axis=(1, 2, 3))
    mirrored = (flipped == IMAGES[:, :, ::-1]).all(axis=(1, 2, 3))
    assert (kept | mirrored).all()
    assert 10 < mirrored.sum() < 40
