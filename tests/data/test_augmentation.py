"""Random changes to a batch of images."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.keras.preprocessing.image import apply_affine_transform

from dlkit import data
from dlkit.data import augmentation

IMAGES = np.random.default_rng(0).integers(1, 256, (50, 12, 12, 3)).astype("uint8")


def test_random_crop_and_flip_gives_windows_of_the_padded_image():
    crops = data.random_crop_and_flip(IMAGES, seed=(3, 4)).numpy()
    padded = np.pad(IMAGES, [(0, 0), (4, 4), (4, 4), (0, 0)])
    positions = set()
    for crop, image in zip(crops, padded, strict=True):
        windows = {
            (dy, dx, flip): image[dy : dy + 12, dx : dx + 12][:, :: -1 if flip else 1]
            for dy in range(9)
            for dx in range(9)
            for flip in (False, True)
        }
        found = [position for position, window in windows.items() if np.array_equal(crop, window)]
        assert len(found) == 1
        positions.add(found[0])
    assert len(positions) > 25, "images are shifted independently"
    assert {dy for dy, _, _ in positions} == set(range(9))
    assert {flip for _, _, flip in positions} == {False, True}


def test_random_crop_and_flip_without_padding_only_flips():
    images = data.random_crop_and_flip(IMAGES, seed=(3, 4), padding=0).numpy()
    unchanged = (images == IMAGES).all(axis=(1, 2, 3))
    flipped = (images == IMAGES[:, :, ::-1]).all(axis=(1, 2, 3))
    assert (unchanged | flipped).all()
    assert 10 < flipped.sum() < 40


def test_random_cutout_zeroes_one_square_of_each_image():
    cut = data.random_cutout(IMAGES, seed=(3, 4), size=5).numpy()
    assert cut.dtype == IMAGES.dtype
    positions = set()
    for image, before in zip(cut, IMAGES, strict=True):
        black = (image == 0).all(axis=2)  # no pixel of IMAGES is
        rows, columns = np.flatnonzero(black.any(axis=1)), np.flatnonzero(black.any(axis=0))
        assert len(rows) == len(columns) == 5
        assert black.sum() == 25
        np.testing.assert_array_equal(image[~black], before[~black])
        positions.add((rows[0], columns[0]))
    assert len(positions) > 25, "images are cut independently"
    assert {row for row, _ in positions} == {column for _, column in positions} == set(range(8)), "up to the edges"
    assert (data.random_cutout(IMAGES, seed=(3, 5), size=5).numpy() != cut).any()


# --- random_affine against Keras's legacy ImageDataGenerator, whose settings it accepts


def transform(image, **settings):
    """`image` of shape (height, width, channels) after one affine transform; settings as for `_affine_transforms`."""
    neutral = {"angle": 0.0, "right": 0.0, "down": 0.0, "shear": 0.0, "zoom_x": 1.0, "zoom_y": 1.0, "flip": 1.0}
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
def test_affine_transforms_equal_the_legacy_generator(seed):
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (12, 12, 3)).astype("float32")
    theta, shear = rng.uniform(-20, 20), rng.uniform(-10, 10)
    tx, ty = rng.uniform(-2.4, 2.4, 2)
    zx, zy = rng.uniform(0.8, 1.2, 2)
    expected = apply_affine_transform(image, theta, tx, ty, shear, zx, zy, 0, 1, 2, order=1)
    settings = {"angle": np.radians(theta), "right": tx, "down": ty, "shear": np.radians(shear)}
    settings |= {"zoom_x": zx, "zoom_y": zy}
    np.testing.assert_allclose(transform(image, **settings), expected, atol=0.05)
    np.testing.assert_allclose(transform(image, **settings, flip=-1.0), expected[:, ::-1], atol=0.05)


def test_affine_transforms_rotate_about_the_center_and_shift():
    image = np.random.default_rng(0).integers(0, 256, (9, 16, 3)).astype("float32")
    np.testing.assert_allclose(transform(image, angle=np.pi), image[::-1, ::-1], atol=0.05)
    np.testing.assert_array_equal(transform(image, right=3.0)[:, :-3], image[:, 3:])
    np.testing.assert_array_equal(transform(image, down=2.0)[:-2], image[2:])
    np.testing.assert_array_equal(transform(image, down=2.0)[-2:], image[[-1, -1]], "the edge is repeated")


def test_random_affine_draws_within_its_ranges(monkeypatch):
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
    assert set(drawn["flip"]) == {-1.0, 1.0}
    assert abs(drawn["flip"].mean()) < 0.1
    assert np.abs(np.corrcoef([drawn[name] for name in sorted(drawn)]) - np.eye(7)).max() < 0.08, "independent"


def test_random_affine_without_ranges_changes_nothing():
    same = data.random_affine(tf.constant(IMAGES), (1, 2), rotation=0, shift=0, shear=0, zoom=0, flip=False)
    np.testing.assert_array_equal(same, IMAGES)
    assert same.dtype == tf.uint8
    as_float = data.random_affine(tf.constant(IMAGES, tf.float32), (1, 2))
    np.testing.assert_allclose(data.random_affine(tf.constant(IMAGES), (1, 2)), as_float, atol=0.51)
