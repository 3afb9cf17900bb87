from itertools import pairwise
from types import SimpleNamespace

import keras
import matplotlib.pyplot as plt
import numpy as np
import pytest

from dlkit import models, plots

GREY_IMAGES = np.random.default_rng(0).integers(0, 256, (7, 8, 8)).astype("uint8")
PROBS = np.full((7, 3), 0.2) + 0.4 * np.eye(3)[[0, 1, 2, 0, 1, 2, 0]]


@pytest.fixture(autouse=True)
def nothing_left_open_and_no_setting_changed():
    before = dict(plt.rcParams)
    yield
    assert plt.get_fignums() == [], "a figure left open is shown twice in a notebook"
    assert dict(plt.rcParams) == before


def texts(fig):
    return [text.get_text() for ax in fig.axes for text in [*ax.texts, ax.title]]


def test_images_get_their_titles():
    fig = plots.plot_images(GREY_IMAGES, [f"no {k}" for k in range(7)], columns=4)
    assert len(fig.axes) == 8
    assert "no 6" in texts(fig)
    assert plots.plot_images(np.zeros((2, 4, 4, 3), "uint8")).get_size_inches()[0] == 7


def test_wrong_predictions_are_told_with_the_truth():
    fig = plots.plot_predictions(GREY_IMAGES[:2], np.array([0, 2]), PROBS[:2], ["a", "b", "c"])
    assert texts(fig)[0] == "a 60%\n"
    assert texts(fig)[1] == "b 60%\nis c"
    assert fig.axes[1].title.get_color() == plots.RED


def test_confusion_writes_the_counts():
    fig = plots.plot_confusion_matrix(np.array([[5, 0], [2, 3]]), ["cat", "dog"])
    assert {"5", "2", "3"} <= set(texts(fig))
    assert fig.axes[0].get_xlabel() == "predicted class"


def test_curves_name_their_lines_apart():
    fig = plots.plot_curves({"one": [3, 2, 1.001], "two": [2, 1.5, 1.0]}, y_label="loss", log=True)
    labels = {text.get_text().strip(): text for text in fig.axes[0].texts}
    assert set(labels) == {"one", "two"}
    fig.canvas.draw()
    heights = sorted(text.get_window_extent().y0 for text in labels.values())
    assert heights[1] - heights[0] > 8, "pixels between two names at almost the same place"


def label_boxes(ax):
    ax.figure.canvas.draw()
    return sorted((text.get_window_extent() for text in ax.texts), key=lambda box: box.y0)


@pytest.mark.parametrize("ends", [(0.05, 0.05), (0.05, 0.051, 0.049), (0.0, 0.9, 0.0), (2.0, 0.05)])
def test_names_of_curves_never_overlap_even_when_the_limits_change_later(ends):
    with plots.figure(height=2) as (_, ax):
        plots.add_curves(ax, {f"curve {k}": [2.0, end] for k, end in enumerate(ends)})
        for top in (2, 50):
            ax.set_ylim(0, top)
            boxes = label_boxes(ax)
            assert all(above.y0 >= below.y1 for below, above in pairwise(boxes))
            assert boxes[0].y0 > ax.bbox.y0, "a name is written on the axis"
    assert len(boxes) == len(ends)


def test_a_name_stands_at_the_end_of_its_curve_and_at_the_last_number_when_nan_follows():
    with plots.figure(height=3) as (_, ax):
        plots.add_curves(ax, {"falls": [3.0, 2, 1], "breaks off": [1.0, 2.5, np.nan], "nothing": [np.nan]})
        boxes = label_boxes(ax)
        ends = ax.transData.transform([(3, 1.0), (2, 2.5)])
    assert [text.get_text().strip() for text in ax.texts] == ["falls", "breaks off"]
    for box, (x, y) in zip(boxes, ends, strict=True):
        assert (box.y0 + box.y1) / 2 == pytest.approx(y, abs=2)
        assert 0 < box.x0 - x < 10


def test_the_network_is_drawn_from_the_model():
    model = models.build_classic_cnn((32, 32, 3), 10)
    written = texts(plots.plot_network(model))
    for layer in model.layers:
        assert layer.name in written
    assert any("65,600" in text and "64" in text for text in written)
    assert "classic_cnn: 122,570 parameters" in written
    assert "pool_1" not in texts(plots.plot_network(model, at_least=1))


def test_wires_show_every_number():
    fig = plots.plot_dense_network(
        [[1.0, 2.0], [0.25]], [np.array([[0.5], [-0.5]])], [[0.1, 0.2], [0.3]], [np.array([[7.0], [8.0]])]
    )
    assert {"1.00", "2.00", "0.25", "0.50", "-0.50", "+7.00", "+8.00", "+0.30"} <= set(texts(fig))


def test_the_live_curve_keeps_one_display_and_updates_it(monkeypatch):
    shown = []

    class Handle:
        def update(self, figure):
            shown.append("update")

    monkeypatch.setattr("IPython.display.display", lambda figure, display_id: shown.append("display") or Handle())
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.compile(loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    live = plots.LiveCurve()
    x, y = np.zeros((8, 3)), np.zeros(8)
    model.fit(x, y, epochs=3, validation_data=(x, y), callbacks=[live], verbose=0)
    assert shown == ["display", "update", "update"]
    assert len(live.history["val_accuracy"]) == 3


@pytest.mark.parametrize(("epochs", "done"), [(20, 20), (20, 3), (1, 1), (3, 3), (150, 150)])
def test_the_live_curves_names_lie_apart_and_its_axis_ends_with_the_last_epoch(epochs, done, monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda figure, display_id: None)
    live = plots.LiveCurve()
    live.set_params({"epochs": epochs})
    live.on_train_begin()
    for epoch in range(done):
        live._display = SimpleNamespace(update=shown.append)
        value = 0.03 + 1 / (epoch + 1)
        live.on_epoch_end(epoch, {"loss": value, "val_loss": value, "accuracy": 0.97, "val_accuracy": 0.971})
    for ax in shown[-1].axes:
        below, above = label_boxes(ax)
        assert above.y0 >= below.y1
        assert all(0 < tick <= epochs and tick == int(tick) for tick in ax.get_xticks())
        assert ax.spines["bottom"].get_bounds() == (0.5, epochs + 0.5)


def test_wide_images_take_a_row_as_high_as_they_are():
    square, wide = (
        plots.plot_images(np.zeros((2, 10, 10)), columns=2),
        plots.plot_images(np.zeros((2, 10, 20)), columns=2),
    )
    assert square.get_figheight() - wide.get_figheight() == pytest.approx(7 / 2 / 2)
