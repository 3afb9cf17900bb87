"""The options of recipes, their requirements, and the data set that a training gets."""

import dataclasses

import numpy as np
import pytest

from dlkit import data
from dlkit.recipes import RECIPES
from dlkit.recipes.base import make_train_ds


@pytest.mark.parametrize("name", RECIPES)
def test_with_options_changes_only_what_is_given(name):
    recipe = RECIPES[name]
    changed = recipe.with_options(epochs=3, image_size=None)
    assert changed == dataclasses.replace(recipe, epochs=3)
    assert RECIPES[name] is recipe, "a recipe itself never changes"


def test_with_options_refuses_options_of_another_kind():
    with pytest.raises(
        ValueError, match=r"trains from scratch and has the options epochs, image_size\. Received: unfreeze"
    ):
        RECIPES["digits-mlp"].with_options(unfreeze="conv5")
    assert RECIPES["resnet50"].with_options(unfreeze="").unfreeze == ""


@pytest.mark.parametrize("name", ["digits-mlp", "resnet50"])
@pytest.mark.parametrize("option", ["batch_size", "nothing"])
def test_with_options_refuses_what_is_not_an_option(name, option):
    with pytest.raises(ValueError, match=f"has the options epochs, image_size.* Received: {option}"):
        RECIPES[name].with_options(**{option: 1})


@pytest.mark.parametrize("name", ["digits-mlp", "resnet50"])
@pytest.mark.parametrize("option", ["epochs", "image_size"])
@pytest.mark.parametrize("value", [0, -1, 2.5, "3"])
def test_with_options_refuses_what_is_not_a_positive_integer(name, option, value):
    with pytest.raises(ValueError, match=f"Expected {option} to be an integer of 1 or more. Received: {value!r}"):
        RECIPES[name].with_options(**{option: value})


def test_check_refuses_image_size_without_a_folder(tmp_path):
    recipe = RECIPES["digits-mlp"].with_options(image_size=16)
    with pytest.raises(ValueError, match="image_size only with a folder of images.* Received: image_size=16"):
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


def test_make_train_ds_gives_each_worker_its_shard_of_an_epoch():
    images, labels = np.zeros((10, 4, 4), "uint8"), np.arange(10)
    make = make_train_ds(images, labels, batch_size=4, augment=None, seed=0)
    complete, *shards = (
        [batch.numpy().tolist() for _, batch in make(1, shard).take(3)] for shard in ((0, 1), (0, 2), (1, 2))
    )
    assert [sorted(a + b) for a, b in zip(*shards, strict=True)] == [sorted(batch) for batch in complete]
    assert sorted(label for batch in complete for label in batch) == list(range(10))
