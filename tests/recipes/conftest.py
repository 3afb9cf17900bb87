"""Photographs, and what makes a complete recipe quick: a small network in place of a backbone, and empty figures."""

import numpy as np
import pytest
from PIL import Image

from tests.recipes.helpers import build_small_backbone, draw_nothing


@pytest.fixture(scope="session")
def photo_folder(tmp_path_factory):
    """Class folders like people's own: images of different sizes, three classes that differ in color, 75 images."""
    photos, rng = tmp_path_factory.mktemp("photos"), np.random.default_rng(0)
    colors = {"blue sky": (60, 90, 200), "grass": (60, 160, 60), "poppies": (200, 50, 40)}
    for k in range(75):
        name = list(colors)[k % 3]
        folder = photos / ("train" if k < 60 else "test") / name
        folder.mkdir(parents=True, exist_ok=True)
        height, width = rng.integers(40, 90, 2)
        pixels = rng.normal(colors[name], 25, (height, width, 3)).clip(0, 255).astype("uint8")
        Image.fromarray(pixels).save(folder / f"{k}.jpg")
    return photos


@pytest.fixture
def small_backbone(monkeypatch):
    """Replaces every backbone by one that is built at once."""
    monkeypatch.setattr("dlkit.transfer.build_backbone", build_small_backbone)


@pytest.fixture
def no_figures(monkeypatch):
    """Runs write empty figures and no report; `test_train.py` and `test_report.py` look at real ones."""
    monkeypatch.setattr("dlkit.plots.plot_confusion_matrix", draw_nothing)
    monkeypatch.setattr("dlkit.plots.plot_predictions", draw_nothing)
    monkeypatch.setattr("dlkit.recipes.report.write_report", lambda run: None)
