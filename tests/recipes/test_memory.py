"""The estimate of the memory that a training needs, and what happens where it is not available."""

import dataclasses
import types

import keras
import numpy as np
import pytest

from dlkit.recipes import RECIPES, FineTuning, memory, run_folder
from dlkit.recipes.base import Recipe
from tests.recipes.helpers import make_job

SPLIT = np.zeros((10, 20, 20, 3), "uint8"), np.arange(10) % 2  # of 12,000 bytes


def build():
    inputs = keras.Input((20, 20, 3))
    return keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Flatten()(inputs)))


@pytest.fixture
def available(monkeypatch):
    """A function (count) that makes so many bytes of memory available."""

    def set_available(count):
        monkeypatch.setattr(memory.psutil, "virtual_memory", lambda: types.SimpleNamespace(available=count))

    return set_available


@pytest.mark.parametrize("sequential", [False, True])
def test_estimate_counts_weights_and_outputs(sequential):
    model = keras.Sequential(build().layers) if sequential else build()
    weights, of_image = memory.estimate(model)
    assert weights == 4 * 4 * (1200 * 2 + 2), "weights, gradients and two moments, of four bytes"
    assert of_image - 10 * (1200 + 2) in (0, 10 * 1200), "2.5 times four bytes, with or without the inputs"


@pytest.mark.parametrize(("images", "expected"), [(8, 8), (7.9, 4), (2, 2), (1, 1), (0.5, 1)])
def test_batch_size_is_halved_until_it_fits(images, expected, available, tmp_path, capsys):
    weights, of_image = memory.estimate(build())
    job = make_job(SPLIT, SPLIT, tmp_path)
    available(weights + SPLIT[0].nbytes + images * of_image)
    capsys.readouterr()
    assert memory.largest_batch_size(build(), 8, job) == expected
    message = capsys.readouterr().out
    assert ("Batches of 8 would need about" in message) == (expected < 8)
    assert (f"they are trained in batches of {expected}" in message) == (expected < 8)


def test_batch_size_that_fits_is_the_same_after_a_stop(available, tmp_path):
    weights, of_image = memory.estimate(build())
    with run_folder.claim(tmp_path, {"recipe": "a", "batch_size": 8}):
        available(weights + SPLIT[0].nbytes + 2 * of_image)
        assert memory.largest_batch_size(build(), 8, make_job(SPLIT, SPLIT, tmp_path)) == 2
        (tmp_path / "checkpoint.npz").touch()
    with run_folder.claim(tmp_path, {"recipe": "a", "batch_size": 8}):
        available(1e12)
        assert memory.largest_batch_size(build(), 8, make_job(SPLIT, SPLIT, tmp_path)) == 2
    with run_folder.claim(tmp_path, {"recipe": "a", "batch_size": 8}, overwrite=True):
        assert memory.largest_batch_size(build(), 8, make_job(SPLIT, SPLIT, tmp_path)) == 8


def test_workers_keep_the_same_batch_size(available, tmp_path):
    available(0)
    job = dataclasses.replace(make_job(SPLIT, SPLIT, tmp_path), strategy="several workers")
    assert memory.largest_batch_size(build(), 8, job) == 8


@pytest.mark.parametrize(("name", "options"), [("digits-mlp", {}), ("mobilenet", {"weights": "none"})])
def test_recipe_trains_with_the_batch_size_that_fits(name, options, small_backbone, tmp_path, monkeypatch):
    trained = []
    monkeypatch.setattr(Recipe, "fit", lambda self, *args, **given: trained.append((self, given)) or [])
    monkeypatch.setattr(FineTuning, "_train_head", lambda *args: {})
    monkeypatch.setattr(memory, "largest_batch_size", lambda model, batch_size, job: min(batch_size, 8))
    RECIPES[name].with_options(**options).train(make_job(SPLIT, SPLIT, tmp_path))
    [(recipe, given)] = trained
    assert given["batch_size"] == recipe.batch_size == 8
    assert recipe.learning_rate == RECIPES[name].with_options(batch_size=8).learning_rate


@pytest.mark.parametrize("weights_grow", [False, True])
def test_image_size_that_does_not_fit_is_refused_with_the_largest_that_does(weights_grow, available):
    weights, of_image = memory.estimate(build())
    growing, fixed = (weights + of_image, 0) if weights_grow else (of_image, weights)
    available(fixed + 100 * growing)  # 10 times the side
    memory.check_image_size(build(), 20, (200, 200), weights_grow=weights_grow)
    with pytest.raises(ValueError, match=r"images of 201 x 201 pixels would need .* Pass --image-size 192 or less"):
        memory.check_image_size(build(), 20, (201, 201), weights_grow=weights_grow)


@pytest.mark.parametrize("name", ["cifar10-cnn", "mobilenet"])
def test_huge_images_are_refused_without_building_their_network(name, small_backbone, available):
    recipe = RECIPES[name].with_options(image_size=50_000)
    available(8e9)
    with pytest.raises(ValueError, match="50000 x 50000 pixels would need about .* GB .* 8.0 GB are available"):
        recipe.check_memory(recipe.folder_image_size({(3000, 4000)}))
    RECIPES[name].check_memory(None)
