import numpy as np
import pytest
import tensorflow as tf

from dlkit import data
from dlkit.data import augmentation

IMAGES = np.random.default_rng(0).integers(1, 256, (50, 12, 12, 3)).astype("uint8")
LABELS = np.arange(50)


def passes(ds, count):
    """Several passes over a dataset: for each, images and labels joined."""
    return [tuple(np.concatenate(parts) for parts in zip(*ds.as_numpy_iterator(), strict=True)) for _ in range(count)]


def training_ds(seed=0):
    return data.pipeline(IMAGES, LABELS, batch_size=8, training=True, augment=data.random_crop_and_flip, seed=seed)


def test_images_are_enlarged_last_in_training_and_evaluation():
    seen = []

    def watch(images, seed):
        seen.append(tuple(images.shape[1:]))
        return images

    options = {"batch_size": 8, "image_size": (24, 36)}
    ((images, _),) = passes(data.pipeline(IMAGES, LABELS, **options), 1)
    np.testing.assert_array_equal(images, tf.image.resize(IMAGES, (24, 36)))
    ((trained, order),) = passes(data.pipeline(IMAGES, LABELS, training=True, augment=watch, **options), 1)
    assert seen == [(12, 12, 3)], "augmentation sees the images at their own size"
    np.testing.assert_array_equal(trained, images[order])
    assert trained.dtype == np.float32
    assert trained.max() > 100, "pixels are still 0 to 255"


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


def test_every_batch_of_every_worker_is_augmented_with_a_seed_of_its_own():
    def paint(images, seed):
        return tf.broadcast_to(tf.cast(seed[1], "uint8"), tf.shape(images))

    options = {"batch_size": 10, "training": True, "augment": paint, "first_epoch": 0}
    seeds = [
        int(images[0, 0, 0, 0])
        for worker in range(3)
        for images, _ in data.pipeline(IMAGES, LABELS, part=(worker, 3), **options).take(5)
    ]
    assert len(set(seeds)) == 15


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


def test_cutout_blackens_one_square_of_each_image_anywhere_inside_it():
    cut = data.random_cutout(IMAGES, seed=(3, 4), size=5).numpy()
    assert cut.dtype == IMAGES.dtype
    places = set()
    for image, before in zip(cut, IMAGES, strict=True):
        black = (image == 0).all(axis=2)  # no pixel of IMAGES is
        rows, columns = np.flatnonzero(black.any(axis=1)), np.flatnonzero(black.any(axis=0))
        assert len(rows) == len(columns) == 5
        assert black.sum() == 25
        np.testing.assert_array_equal(image[~black], before[~black])
        places.add((rows[0], columns[0]))
    assert len(places) > 25, "images are cut independently"
    assert {row for row, _ in places} == {column for _, column in places} == set(range(8)), "up to the edges"
    assert (data.random_cutout(IMAGES, seed=(3, 5), size=5).numpy() != cut).any()


# --- random_affine against the generator whose settings it takes over


def moved(image, **settings):
    """`image` of shape (height, width, channels) after one affine change; settings as for _affine_transforms."""
    neutral = {"angle": 0.0, "right": 0.0, "down": 0.0, "shear": 0.0, "zoom_x": 1.0, "zoom_y": 1.0, "mirror": 1.0}
    settings = {name: tf.constant([value], tf.float32) for name, value in {**neutral, **settings}.items()}
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=image[None],
        transforms=augmentation._affine_transforms(*image.shape[:2], **settings),
        output_shape=image.shape[:2],
        interpolation="BILINEAR",
        fill_mode="NEAREST",
        fill_value=0.0,
    )[0].numpy()


@pytest.mark.filterwarnings("ignore:Please import `affine_transform`")
@pytest.mark.parametrize("seed", range(5))
def test_an_affine_change_equals_the_legacy_generators(seed):
    from tensorflow.keras.preprocessing.image import apply_affine_transform

    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (12, 12, 3)).astype("float32")
    theta, shear = rng.uniform(-20, 20), rng.uniform(-10, 10)
    tx, ty = rng.uniform(-2.4, 2.4, 2)
    zx, zy = rng.uniform(0.8, 1.2, 2)
    expected = apply_affine_transform(image, theta, tx, ty, shear, zx, zy, 0, 1, 2, order=1)
    settings = {"angle": np.radians(theta), "right": tx, "down": ty, "shear": np.radians(shear)}
    settings |= {"zoom_x": zx, "zoom_y": zy}
    np.testing.assert_allclose(moved(image, **settings), expected, atol=0.05)
    np.testing.assert_allclose(moved(image, **settings, mirror=-1.0), expected[:, ::-1], atol=0.05)


def test_images_that_are_not_square_turn_about_their_centre():
    image = np.random.default_rng(0).integers(0, 256, (9, 16, 3)).astype("float32")
    np.testing.assert_allclose(moved(image, angle=np.pi), image[::-1, ::-1], atol=0.05)
    np.testing.assert_array_equal(moved(image, right=3.0)[:, :-3], image[:, 3:])
    np.testing.assert_array_equal(moved(image, down=2.0)[:-2], image[2:])
    np.testing.assert_array_equal(moved(image, down=2.0)[-2:], image[[-1, -1]], "the edge is repeated")


def test_affine_draws_stay_in_their_ranges_and_differ_between_images(monkeypatch):
    drawn = {}

    def spy(height, width, **settings):
        drawn.update({name: np.asarray(values) for name, values in settings.items()})
        return original(height, width, **settings)

    original = augmentation._affine_transforms
    monkeypatch.setattr(augmentation, "_affine_transforms", spy)
    images = np.zeros((4000, 10, 20, 1), "uint8")
    data.random_affine(tf.constant(images), (1, 2), rotation=30, shift=0.1, shear=5, zoom=0.3)
    largest = {"angle": np.radians(30), "right": 2, "down": 1, "shear": np.radians(5)}
    for name, bound in largest.items():
        assert 0.99 * bound < drawn[name].max() <= bound
        assert -bound <= drawn[name].min() < -0.99 * bound
    for name in ("zoom_x", "zoom_y"):
        assert 0.7 <= drawn[name].min() < 0.71 < 1.29 < drawn[name].max() <= 1.3
    assert set(drawn["mirror"]) == {-1.0, 1.0}
    assert abs(drawn["mirror"].mean()) < 0.1
    assert np.abs(np.corrcoef([drawn[name] for name in sorted(drawn)]) - np.eye(7)).max() < 0.08, "independent"


def test_affine_without_any_range_changes_nothing_and_keeps_the_type():
    same = data.random_affine(tf.constant(IMAGES), (1, 2), rotation=0, shift=0, shear=0, zoom=0, flip=False)
    np.testing.assert_array_equal(same, IMAGES)
    assert same.dtype == tf.uint8
    as_float = data.random_affine(tf.constant(IMAGES, tf.float32), (1, 2))
    np.testing.assert_allclose(data.random_affine(tf.constant(IMAGES), (1, 2)), as_float, atol=0.51)


def test_training_epochs_differ_in_affine_augmentation_and_validation_epochs_agree():
    ds = data.pipeline(IMAGES, LABELS, batch_size=8, training=True, augment=data.random_affine, image_size=(24, 24))
    (first, first_labels), (second, second_labels) = passes(ds, 2)
    changed = first[np.argsort(first_labels)] != second[np.argsort(second_labels)]
    assert changed.any(axis=(1, 2, 3)).all(), "every image, in every epoch"
    ds = data.pipeline(IMAGES, LABELS, batch_size=8, augment=data.random_affine, image_size=(24, 24))
    (first, first_labels), (second, second_labels) = passes(ds, 2)
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(first_labels, LABELS)
    np.testing.assert_array_equal(second_labels, LABELS)
