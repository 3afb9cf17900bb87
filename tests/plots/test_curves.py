"""dlkit.plots.curves: labels that do not overlap, and the curve that is updated during training."""

from itertools import pairwise
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from dlkit import plots


def test_plot_curves_labels_do_not_overlap():
    fig = plots.plot_curves({"one": [3, 2, 1.001], "two": [2, 1.5, 1.0]}, ylabel="loss", log=True)
    labels = {text.get_text().strip(): text for text in fig.axes[0].texts}
    assert set(labels) == {"one", "two"}
    fig.canvas.draw()
    heights = sorted(text.get_window_extent().y0 for text in labels.values())
    assert heights[1] - heights[0] > 8, "pixels between two labels at almost the same position"


def label_boxes(ax):
    ax.figure.canvas.draw()
    return sorted((text.get_window_extent() for text in ax.texts), key=lambda box: box.y0)


@pytest.mark.parametrize("ends", [(0.05, 0.05), (0.05, 0.051, 0.049), (0.0, 0.9, 0.0), (2.0, 0.05)])
def test_add_curves_labels_stay_apart_when_the_limits_change(ends):
    with plots.figure(height=2) as (_, ax):
        plots.add_curves(ax, {f"curve {k}": [2.0, end] for k, end in enumerate(ends)})
        for top in (2, 50):
            ax.set_ylim(0, top)
            boxes = label_boxes(ax)
            assert all(above.y0 >= below.y1 for below, above in pairwise(boxes))
            assert boxes[0].y0 > ax.bbox.y0, "a label overlaps the axis"
    assert len(boxes) == len(ends)


def test_add_curves_labels_the_last_finite_value():
    with plots.figure(height=3) as (_, ax):
        plots.add_curves(ax, {"falls": [3.0, 2, 1], "becomes NaN": [1.0, 2.5, np.nan], "only NaN": [np.nan]})
        boxes = label_boxes(ax)
        ends = ax.transData.transform([(3, 1.0), (2, 2.5)])
    assert [text.get_text().strip() for text in ax.texts] == ["falls", "becomes NaN"]
    for box, (x, y) in zip(boxes, ends, strict=True):
        assert (box.y0 + box.y1) / 2 == pytest.approx(y, abs=2)
        assert 0 < box.x0 - x < 10


@pytest.mark.parametrize("curves", [{}, {"none": []}, {"nan": [np.nan, np.inf]}, {"missing": [None, None]}])
def test_add_curves_without_a_value_says_so(curves):
    fig = plots.plot_curves(curves)
    fig.canvas.draw()
    assert [text.get_text() for text in fig.axes[0].texts] == ["no values to draw"]


def test_add_curves_leaves_a_gap_where_there_is_no_value():
    fig = plots.plot_curves({"a": [3, None, np.inf, 0, 1]}, log=True)
    fig.canvas.draw()
    np.testing.assert_array_equal(fig.axes[0].lines[0].get_ydata(), [3, np.nan, np.nan, np.nan, 1])
    assert plots.plot_curves({"ends at 0": [2, 1, 0]}, log=True).axes[0].texts[0].xy == (2, 1)


def test_live_curve_updates_one_display(monkeypatch):
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
def test_live_curve_axis_ends_with_the_last_epoch(epochs, done, monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda figure, display_id: None)
    live = plots.LiveCurve()
    live.set_params({"epochs": epochs})
    live.on_train_begin()
    live._display = SimpleNamespace(update=shown.append)
    values = [0.03 + 1 / (epoch + 1) for epoch in range(done)]
    live.history = {"loss": values[:-1], "val_loss": values[:-1]}
    live.history |= {name: [0.97] * (done - 1) for name in ("accuracy", "val_accuracy")}
    live.on_epoch_end(done - 1, {"loss": values[-1], "val_loss": values[-1], "accuracy": 0.97, "val_accuracy": 0.971})
    assert len(live.history["loss"]) == done
    for ax in shown[-1].axes:
        below, above = label_boxes(ax)
        assert above.y0 >= below.y1
        assert all(0 < tick <= epochs and tick == int(tick) for tick in ax.get_xticks())
        assert ax.spines["bottom"].get_bounds() == (0.5, epochs + 0.5)
