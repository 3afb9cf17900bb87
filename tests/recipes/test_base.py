"""The options of recipes, and their requirements."""

import dataclasses

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
    with pytest.raises(ValueError, match="a FromScratch recipe has: epochs, image_size, flip. Received: unfreeze"):
        RECIPES["digits-mlp"].with_options(unfreeze="conv5")
    assert RECIPES["resnet50"].with_options(unfreeze="").unfreeze == ""


@pytest.mark.parametrize("name", ["digits-mlp", "resnet50"])
@pytest.mark.parametrize("option", ["batch_size", "nothing"])
def test_with_options_refuses_what_is_not_an_option(name, option):
    with pytest.raises(ValueError, match=f"recipe has: epochs, image_size.* Received: {option}"):
        RECIPES[name].with_options(**{option: 1})


@pytest.mark.parametrize("name", ["digits-mlp", "resnet50"])
@pytest.mark.parametrize("option", ["epochs", "image_size"])
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


def test_with_options_refuses_flip_that_is_no_boolean():
    with pytest.raises(ValueError, match="Expected flip to be True or False. Received: 'no'"):
        RECIPES["digits-mlp"].with_options(flip="no")


def test_pretrained_recipe_refuses_images_smaller_than_its_network_takes(tmp_path):
    with pytest.raises(ValueError, match="image_size to be an integer of 32 or more. Received: 16"):
        RECIPES["mobilenet"].with_options(image_size=16).check_requirements(tmp_path)


def test_check_refuses_image_size_without_a_folder(tmp_path):
    recipe = RECIPES["digits-mlp"].with_options(image_size=16)
    with pytest.raises(ValueError, match=r"image_size .* only with a folder of images.* Received: image_size=16"):
        recipe.check_requirements(None)
    recipe.check_requirements(tmp_path)


@pytest.mark.parametrize("name", RECIPES)
def test_dataset_of_every_recipe_exists(name):
    assert RECIPES[name].dataset in data.NAMES


@pytest.mark.parametrize(
    ("name", "sizes", "expected"),
    [
        ("digits-mlp", {(12, 12)}, None),
        ("digits-mlp", {(12, 12), (20, 30)}, None),  # reading them then asks for --image-size
        ("cifar10-cnn", {(64, 64)}, None),
        ("cifar10-cnn", {(3000, 4000)}, (64, 64)),  # at its own size, a dense layer would take 12 GB
        ("cifar10-long", {(3000, 4000), (20, 30)}, (64, 64)),
        ("mobilenet", {(32, 32)}, None),  # enlarged inside the model
        ("mobilenet", {(32, 32), (32, 40)}, (96, 96)),
        ("mobilenet", {(300, 200)}, (96, 96)),
        ("mobilenet", set(), (96, 96)),
    ],
)
def test_folder_image_size(name, sizes, expected):
    assert RECIPES[name].folder_image_size(sizes) == expected


def test_folder_image_size_is_the_option_where_one_is_given():
    assert RECIPES["digits-mlp"].with_options(image_size=16).folder_image_size({(12, 12)}) == (16, 16)
    assert RECIPES["digits-mlp"].with_options(image_size=99).folder_image_size({(3000, 4000)}) == (99, 99)


def test_large_photographs_are_resized_and_that_is_printed(capsys):
    RECIPES["cifar10-cnn"].folder_image_size({(3000, 4000)})
    assert "up to 4000 pixels are resized to 64 x 64" in (message := capsys.readouterr().out)
    assert "--image-size N" in message
