"""The options of recipes, how they adapt to the number of images, and their requirements."""

import dataclasses
import re

import numpy as np
import pytest

from dlkit import data
from dlkit.recipes import RECIPES


@pytest.mark.parametrize("name", RECIPES)
def test_with_options_changes_only_what_is_given(name):
    recipe = RECIPES[name]
    changed = recipe.with_options(epochs=3, image_size=None)
    assert changed == dataclasses.replace(recipe, epochs=3)
    assert RECIPES[name] is recipe, "a recipe itself never changes"


def test_with_options_refuses_options_of_another_kind():
    with pytest.raises(ValueError, match="a FromScratch recipe has: epochs, image_size, .* Received: unfreeze"):
        RECIPES["digits-mlp"].with_options(unfreeze="conv5")
    assert RECIPES["resnet50"].with_options(unfreeze="").unfreeze == ""


@pytest.mark.parametrize("name", ["digits-mlp", "resnet50"])
@pytest.mark.parametrize("option", ["augment", "nothing"])
def test_with_options_refuses_what_is_not_an_option(name, option):
    with pytest.raises(ValueError, match=f"recipe has: epochs, image_size.* Received: {option}"):
        RECIPES[name].with_options(**{option: 1})


@pytest.mark.parametrize("name", ["digits-mlp", "resnet50"])
@pytest.mark.parametrize("option", ["epochs", "image_size", "batch_size"])
@pytest.mark.parametrize("value", [0, -1, 2.5, "3", True])
def test_with_options_refuses_what_is_not_a_positive_integer(name, option, value):
    with pytest.raises(ValueError, match=f"Expected {option} to be an integer of 1 or more. Received: {value!r}"):
        RECIPES[name].with_options(**{option: value})


@pytest.mark.parametrize("name", RECIPES)
def test_without_flip_no_image_is_mirrored_in_training_or_prediction(name):
    recipe = RECIPES[name].with_options(flip=False)
    assert not recipe.flip_tta
    assert recipe.settings()["flip"] is False
    assert RECIPES[name].settings()["flip"] is True
    if recipe.augment:
        columns = np.broadcast_to(np.arange(1, 33, dtype="uint8")[:, None], (100, 32, 32, 3))  # brighter to the right
        for augment, mirrors in ((recipe.augment, False), (RECIPES[name].augment, True)):
            row = np.array(augment(columns, (0, 1)))[:, 12, :, 0].astype(int)
            darker = (np.diff(row, axis=1) == -1) & (row[:, 1:] > 1)  # 0 is padding or a hidden square
            assert darker.any() == mirrors, "a mirrored image becomes darker to the right"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"flip": "no"}, "flip to be True or False. Received: 'no'"),
        ({"class_weights": 2}, "class_weights to be True or False. Received: 2"),
        ({"learning_rate": 0}, "learning_rate to be a number above 0. Received: 0"),
        ({"val_split": 0.6}, "val_split to be a number above 0 and of at most 0.5. Received: 0.6"),
        ({"resize": "squash"}, 'resize to be "crop", "pad" or "stretch". Received: \'squash\''),
    ],
)
def test_with_options_refuses_values_out_of_range(options, message):
    with pytest.raises(ValueError, match=f"Expected {re.escape(message)}"):
        RECIPES["digits-mlp"].with_options(**options)


def test_learning_rate_follows_the_square_root_of_the_batch_size_unless_it_is_given():
    recipe = RECIPES["mobilenet"]  # batches of 128
    assert recipe.with_options(batch_size=32).learning_rate == recipe.learning_rate / 2
    assert recipe.with_options(batch_size=32, learning_rate=0.1).learning_rate == 0.1
    assert recipe.with_options(learning_rate=0.1).adapt(300).learning_rate == 0.1


@pytest.mark.parametrize(
    ("name", "num_images", "batch_size", "divisor"),
    [
        ("mobilenet", 54, 8, 3),
        ("mobilenet", 160, 8, 3),
        ("mobilenet", 320, 16, 3),
        ("mobilenet", 2559, 64, 1),
        ("mobilenet", 2560, 128, 1),
        ("resnet50", 54, 8, 1),  # its batch normalization is frozen anyway
        ("digits-mlp", 1212, 32, 1),
        ("cifar10-fast", 100, 8, 1),
    ],
)
def test_few_images_get_small_batches_and_that_is_printed(name, num_images, batch_size, divisor, capsys):
    recipe = RECIPES[name].adapt(num_images)
    assert recipe.batch_size == batch_size
    rate = RECIPES[name].learning_rate * (batch_size / RECIPES[name].batch_size) ** 0.5
    assert recipe.learning_rate == pytest.approx(rate / divisor)
    assert (f"batches of {batch_size}" in capsys.readouterr().out) == (batch_size < RECIPES[name].batch_size)


def test_batch_size_that_is_given_stays():
    assert RECIPES["mobilenet"].with_options(batch_size=100).adapt(54).batch_size == 100


@pytest.mark.parametrize("name", RECIPES)
def test_settings_for_cifar10_are_those_of_the_recipe(name):
    assert RECIPES[name].adapt(45_000) == RECIPES[name]


@pytest.mark.parametrize(("num_images", "batch_norm"), [(100, False), (1999, False), (2000, True)])
def test_batch_normalization_is_trained_with_many_images_only(num_images, batch_norm):
    assert RECIPES["mobilenet"].adapt(num_images).batch_norm == batch_norm


def test_class_weights_make_all_classes_count_alike():
    labels = np.repeat([0, 1, 2], [60, 30, 10])
    weights = RECIPES["digits-mlp"].with_options(class_weights=True).class_weight(labels)
    np.testing.assert_allclose([weights[k] * np.sum(labels == k) for k in range(3)], 100 / 3)
    assert RECIPES["digits-mlp"].class_weight(labels) is None


@pytest.mark.parametrize(("name", "size"), [("mobilenet", 31), ("efficientnet-lite0", 31), ("cifar10-cnn", 17)])
def test_images_smaller_than_the_network_takes_are_refused(name, size, tmp_path):
    recipe = RECIPES[name].with_options(image_size=size)
    with pytest.raises(ValueError, match=f"--image-size.* of {size + 1} or more, the smallest .* Received: {size}"):
        recipe.check_requirements(tmp_path)


@pytest.mark.parametrize("option", [{"image_size": 16}, {"resize": "pad"}])
def test_check_refuses_what_only_a_folder_has(option, tmp_path):
    recipe, (name, value) = RECIPES["digits-mlp"].with_options(**option), *option.items()
    with pytest.raises(ValueError, match=f"{name} .* only with a folder of images.* Received: {name}={value}"):
        recipe.check_requirements(None)
    recipe.check_requirements(tmp_path)


@pytest.mark.parametrize("name", RECIPES)
def test_dataset_of_every_recipe_exists(name):
    assert RECIPES[name].dataset in data.NAMES


@pytest.mark.parametrize(
    ("name", "sizes", "expected"),
    [
        ("digits-mlp", {(12, 12)}, None),
        ("digits-mlp", {(12, 12), (20, 30)}, (64, 64)),
        ("cifar10-cnn", {(12, 12)}, (64, 64)),  # smaller than the network takes
        ("cifar10-cnn", {(64, 64)}, None),
        ("cifar10-cnn", {(3000, 4000)}, (64, 64)),  # at its own size, a dense layer would take 12 GB
        ("cifar10-long", {(3000, 4000), (20, 30)}, (64, 64)),
        ("mobilenet", {(32, 32)}, None),  # enlarged inside the model
        ("mobilenet", {(32, 32), (32, 40)}, (96, 96)),
        ("mobilenet", {(300, 200)}, (96, 96)),
        ("mobilenet", set(), (96, 96)),
        ("efficientnet-lite0", {(32, 32)}, None),
        ("efficientnet-lite0", {(80, 96), (60, 50)}, (96, 96)),
        ("efficientnet-lite0", {(3000, 4000)}, (160, 160)),  # photographs show more than 96 pixels do
    ],
)
def test_folder_image_size(name, sizes, expected):
    assert RECIPES[name].folder_image_size(sizes) == expected


def test_folder_image_size_is_the_option_where_one_is_given():
    assert RECIPES["digits-mlp"].with_options(image_size=16).folder_image_size({(12, 12)}) == (16, 16)
    assert RECIPES["digits-mlp"].with_options(image_size=99).folder_image_size({(3000, 4000)}) == (99, 99)
    assert RECIPES["efficientnet-lite0"].with_options(image_size=99).folder_image_size({(3000, 4000)}) == (99, 99)


def test_large_photographs_are_resized_and_that_is_printed(capsys):
    RECIPES["cifar10-cnn"].folder_image_size({(3000, 4000)})
    assert "up to 4000 pixels are resized to 64 x 64" in (message := capsys.readouterr().out)
    assert "--image-size N" in message
