"""Recipes from scratch: their first layer, weight decay and augmentation are as documented."""

import keras
import numpy as np
import pytest

from dlkit import models
from dlkit.recipes import RECIPES
from dlkit.recipes.from_scratch import FROM_SCRATCH
from tests.arrays import assert_same_arrays
from tests.recipes.helpers import make_job


def test_first_layer_of_cifar10_fast_is_whitened_and_not_trained(tmp_path):
    rng = np.random.default_rng(0)
    split = rng.integers(0, 256, (20, 32, 32, 3)).astype("uint8"), np.arange(20) % 2
    trained, _ = RECIPES["cifar10-fast"].with_options(epochs=1).train(make_job(split, split, tmp_path))
    expected = models.build_fast_cnn((32, 32, 3), 2)
    models.whiten(expected, split[0])
    assert_same_arrays(*(model.get_layer("stem").get_weights() for model in (trained, expected)))


@pytest.mark.parametrize("steps", [100, 200])
def test_total_weight_decay_does_not_depend_on_the_steps(steps):
    model = FROM_SCRATCH["cifar10-long"].build((32, 32, 3), 2, steps, "float32")
    kernel = model.get_layer("stage_1_conv_1").kernel
    before, gradients = np.array(kernel), [keras.ops.zeros_like(kernel)]
    optimizer = model.optimizer
    optimizer.build([kernel])
    for _ in range(steps):
        optimizer.apply(gradients, [kernel])
    np.testing.assert_allclose(np.array(kernel), before * np.exp(-3), rtol=0.1)


@pytest.mark.parametrize("name", ["cifar10-fast", "cifar10-long"])
def test_weight_decay_changes_no_sign_in_short_trainings(name):
    for steps in (1, 2, 5, 50):
        optimizer = FROM_SCRATCH[name].build((32, 32, 3), 2, steps, "float32").optimizer
        rates = [float(optimizer._learning_rate(step)) for step in range(steps)]
        assert max(rates) * optimizer.weight_decay < 0.2


def test_cutout_leaves_most_of_an_image_of_eight_pixels():
    images = np.full((50, 8, 8, 3), 200, "uint8")
    changed = np.array(FROM_SCRATCH["cifar10-long"].augment(images, (0, 0)))
    assert (changed > 0).mean(axis=(1, 2, 3)).max() >= 0.75
