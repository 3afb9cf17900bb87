"""dlkit.plots.images: titles, colors and sizes of image grids and confusion matrices."""

import numpy as np
import pytest

from dlkit import plots
from tests.plots.helpers import texts

GRAY_IMAGES = np.random.default_rng(0).integers(0, 256, (7, 8, 8)).astype("uint8")
PROBS = np.full((7, 3), 0.2) + 0.4 * np.eye(3)[[0, 1, 2, 0, 1, 2, 0]]


def test_plot_images_draws_the_titles():
    fig = plots.plot_images(GRAY_IMAGES, [f"image {k}" for k in range(7)], columns=4)
    assert len(fig.axes) == 8
    assert "image 6" in texts(fig)
    assert plots.plot_images(np.zeros((2, 4, 4, 3), "uint8")).get_size_inches()[0] == 7


def test_plot_predictions_shows_the_true_class_of_incorrect_ones():
    fig = plots.plot_predictions(GRAY_IMAGES[:2], np.array([0, 2]), PROBS[:2], ["a", "b", "c"])
    assert texts(fig)[0] == "a 60%\n"
    assert texts(fig)[1] == "b 60%\nis c"
    assert fig.axes[1].title.get_color() == plots.RED


def test_plot_confusion_matrix_shows_the_counts():
    fig = plots.plot_confusion_matrix(np.array([[5, 0], [2, 3]]), ["cat", "dog"])
    assert {"5", "2", "3"} <= set(texts(fig))
    assert fig.axes[0].get_xlabel() == "predicted class"


def test_plot_images_adapts_the_height_to_wide_images():
    square, wide = (
        plots.plot_images(np.zeros((2, 10, 10)), columns=2),
        plots.plot_images(np.zeros((2, 10, 20)), columns=2),
    )
    assert square.get_figheight() - wide.get_figheight() == pytest.approx(7 / 2 / 2)
