"""Random changes to a batch of images."""

import keras
import numpy as np
import pytest
from keras import layers

from dlkit import data
from dlkit.data.augmentation import as_function

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


def test_random_crop_and_flip_and_random_cutout_take_images_without_channels():
    for augment in (data.random_crop_and_flip, data.random_cutout):
        gray = augment(IMAGES[..., 0], (3, 4), **({"size": 5} if augment is data.random_cutout else {}))
        color = augment(IMAGES, (3, 4), **({"size": 5} if augment is data.random_cutout else {}))
        np.testing.assert_array_equal(gray, color[..., 0])


@pytest.mark.parametrize("size", [0, 7, 12, 40, 2.5])
def test_random_cutout_refuses_a_square_that_hides_too_much(size):
    with pytest.raises(ValueError, match=f"Expected size to be an integer from 1 to 6. Received: {size}"):
        data.random_cutout(IMAGES, (3, 4), size=size)


def test_random_cutout_by_default_does_not_hide_a_digit_of_8_pixels():
    with pytest.raises(ValueError, match="from 1 to 4. Received: 8"):
        data.random_cutout(np.ones((3, 8, 8), "uint8"), (3, 4))


@pytest.mark.parametrize("padding", [-1, 12, 1.5])
def test_random_crop_and_flip_refuses_a_padding_that_moves_images_away(padding):
    with pytest.raises(ValueError, match="Expected padding to be an integer from 0 to 11"):
        data.random_crop_and_flip(IMAGES, (3, 4), padding=padding)


@pytest.mark.parametrize("augment", [data.random_crop_and_flip, data.random_cutout])
def test_augmentation_refuses_what_is_no_batch_of_images(augment):
    with pytest.raises(ValueError, match=r"Expected images of shape \(batch, height, width"):
        augment(IMAGES[0, 0], (3, 4))


# --- Keras's layers

LAYERS = {
    "one layer": lambda: layers.RandomRotation(0.1),
    "list": lambda: [layers.RandomFlip(), layers.RandomTranslation(0.2, 0.2), layers.RandomZoom(0.2)],
    "sequential": lambda: keras.Sequential([layers.RandomShear(0.2, 0.2), layers.RandomContrast(0.3)]),
    "layer with layers inside": lambda: layers.RandAugment(),
    "layer that takes `seed or` its own": lambda: layers.RandomErasing(),
}


@pytest.mark.parametrize("name", LAYERS)
def test_as_function_draws_by_the_seed_alone(name):
    """The same seed gives the same bits, in one function after another and in another layer; other seeds other ones."""
    augment, again = as_function(LAYERS[name]()), as_function(LAYERS[name]())
    first, other = augment(IMAGES, (3, 4)).numpy(), augment(IMAGES, (3, 5)).numpy()
    assert (first != other).any()
    np.testing.assert_array_equal(augment(IMAGES, (3, 4)), first)
    np.testing.assert_array_equal(again(IMAGES, (3, 4)), first)
    assert first.dtype == np.uint8
    assert first.shape == IMAGES.shape


def test_as_function_draws_independently_in_each_layer_and_image():
    both_flips = as_function([layers.RandomFlip("horizontal"), layers.RandomFlip("horizontal")])
    images = both_flips(IMAGES, (3, 4)).numpy()
    changed = (images != IMAGES).any(axis=(1, 2, 3))
    assert 10 < changed.sum() < 40, "equal draws of the two layers would leave every image as it is"


def test_as_function_rounds_integers_and_keeps_floats():
    rotate = as_function(layers.RandomRotation(0.1))
    as_floats = rotate(IMAGES.astype("float32"), (3, 4)).numpy()
    assert as_floats.dtype == np.float32
    assert (as_floats != np.round(as_floats)).any()
    np.testing.assert_array_equal(rotate(IMAGES, (3, 4)), np.round(as_floats).astype("uint8"))
    brighten = as_function(layers.RandomBrightness((1, 1), value_range=(0, 510)))
    assert (brighten(IMAGES, (3, 4)).numpy() == 255).all(), "no pixel begins again at 0"


def test_as_function_of_images_without_channels():
    rotate = as_function(layers.RandomRotation(0.1))
    np.testing.assert_array_equal(rotate(IMAGES[..., 0], (3, 4)), rotate(IMAGES[..., :1], (3, 4))[..., 0])


def test_as_function_leaves_the_layer_as_it_was():
    layer = layers.RandomRotation(0.1, seed=7)
    state, draw = layer.generator.state.numpy(), keras.random.SeedGenerator.next
    as_function(layer)(IMAGES, (3, 4))
    np.testing.assert_array_equal(layer.generator.state, state)
    assert keras.random.SeedGenerator.next is draw


def test_as_function_of_a_function_or_none():
    assert as_function(data.random_crop_and_flip) is data.random_crop_and_flip
    assert as_function(None) is None


@pytest.mark.parametrize(
    "augment",
    [
        "flip",
        7,
        [data.random_crop_and_flip],
        layers.Rescaling(1 / 255),  # rounded to whole numbers, all pixels would be 0 or 1
        [layers.RandomFlip(), layers.Dropout(0.5)],
        layers.MixUp(),  # mixes labels too
        layers.CutMix(),
        layers.AugMix(),  # chooses with Python's generator, once for all batches
    ],
)
def test_as_function_refuses_layers_that_do_not_augment(augment):
    with pytest.raises(ValueError, match="Expected augment to be a function"):
        as_function(augment)


def test_as_function_computes_in_float32_under_a_mixed_policy():
    def rotated():
        return as_function(layers.RandomRotation(0.1, seed=1))(IMAGES, (1, 2)).numpy()

    expected = rotated()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        np.testing.assert_array_equal(rotated(), expected)
    finally:
        keras.config.set_dtype_policy("float32")
