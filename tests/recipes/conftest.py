"""Data and networks that are small enough to train complete recipes."""

import numpy as np
import pytest
from PIL import Image

from dlkit import data
from tests.recipes.helpers import build_small_backbone


@pytest.fixture
def photo_folder(tmp_path):
    """Class folders like people's own: images of different sizes, three classes that differ in color, 200 images."""
    rng = np.random.default_rng(0)
    colors = {"blue sky": (60, 90, 200), "grass": (60, 160, 60), "poppies": (200, 50, 40)}
    for k in range(200):
        name = list(colors)[k % 3]
        folder = tmp_path / "photos" / ("train" if k < 150 else "test") / name
        folder.mkdir(parents=True, exist_ok=True)
        height, width = rng.integers(40, 90, 2)
        pixels = rng.normal(colors[name], 25, (height, width, 3)).clip(0, 255).astype("uint8")
        Image.fromarray(pixels).save(folder / f"{k}.jpg")
    return tmp_path / "photos"


@pytest.fixture
def small_backbone(monkeypatch):
    """Replaces every backbone by one that is built at once."""
    monkeypatch.setattr("dlkit.transfer.build_backbone", build_small_backbone)


@pytest.fixture
def noise_dataset(monkeypatch):
    """Forty images of noise, which every recipe loads as its own data set."""
    rng = np.random.default_rng(0)
    splits = [(rng.integers(0, 256, (20, 32, 32, 3)).astype("uint8"), np.arange(20) % 2) for _ in range(2)]
    dataset = data.Dataset("noise", *splits, ["a", "b"], True, "here")
    monkeypatch.setattr(data, "load", lambda name: dataset)
    return dataset
