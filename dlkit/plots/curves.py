"""Figures of curves: lines that are labeled at their ends, and a learning curve that is updated during training."""

import keras
import numpy as np
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import Affine2D
from scipy.optimize import isotonic_regression

from dlkit.plots.style import COLORS, figure, literal


def plot_curves(curves, *, xlabel="epoch", ylabel="loss", title=None, log=False):
    """Draws curves in one figure, each labeled with its name at its end.

    Args:
        curves: Dictionary from name to y values, or to a tuple (x values, y values). Without x values, x counts from 1.
        xlabel: String, label of the x axis, default "epoch".
        ylabel: String, label of the y axis, default "loss".
        title: String, title of the figure, default None.
        log: Boolean, whether the y axis is logarithmic, default False.

    Returns:
        The `matplotlib.figure.Figure`.

    Example:
        >>> fig = plot_curves({"training": [0.9, 0.5, 0.3], "validation": [1.0, 0.7, 0.6]})
    """
    with figure() as (fig, ax):
        ax.set(xlabel=xlabel, ylabel=ylabel, title=literal(title), yscale="log" if log else "linear")
        add_curves(ax, curves)
    return fig


def add_curves(ax, curves):
    """Draws curves on given axes, each labeled with its name at its end. Labels that would overlap are moved apart.

    A curve has a gap where a value cannot be drawn, because it is missing (None), NaN, infinite, or not positive on a
    logarithmic axis, and its label is at the last value that is drawn.

    Args:
        ax: The `matplotlib.axes.Axes`.
        curves: Dictionary from name to y values, or to a tuple (x values, y values). Without x values, x counts from 1.
    """
    ends = []
    for k, (name, values) in enumerate(curves.items()):
        x, y = values if isinstance(values, tuple) else (np.arange(1, len(values) + 1), values)
        x, y = np.array(x, "float64"), np.array(y, "float64")  # None becomes NaN
        drawn = np.isfinite(x) & np.isfinite(y) & ((y > 0) | (ax.get_yscale() != "log"))
        y[~drawn] = np.nan
        ax.plot(x, y, color=COLORS[k % len(COLORS)], marker="o" if len(x) < 15 else None, markersize=3)
        if drawn.any():
            last = np.flatnonzero(drawn)[-1]
            ends.append((literal(name), (x[last], y[last]), COLORS[k % len(COLORS)]))
    if not ends:
        ax.text(0.5, 0.5, "no values to draw", ha="center", transform=ax.transAxes)
    points = [point for _, point, _ in ends]
    for k, (name, point, color) in enumerate(ends):
        options = {"xytext": (0, 0), "textcoords": _label_coordinates(ax, points, k), "annotation_clip": False}
        ax.annotate(f" {name}", point, color=color, va="center", **options)


def _label_coordinates(ax, points, k):
    """The coordinate system of the label of curve k for `Axes.annotate`: its origin is the position of the label.

    The position is computed when the figure is drawn, because limits and layout may change until then. The labels have
    the nearest heights to the points that are in the same order, at least `gap` apart, and not on the axis.
    """

    def coordinates(renderer):
        x, heights = ax.transData.transform(points).T
        order = np.argsort(heights, kind="stable")
        gaps = renderer.points_to_pixels(12) * np.arange(len(order))
        lowest = ax.bbox.y0 + renderer.points_to_pixels(7)
        heights[order] = np.maximum(isotonic_regression(heights[order] - gaps).x, lowest) + gaps
        return Affine2D().translate(x[k] + renderer.points_to_pixels(2), heights[k])

    return coordinates


class LiveCurve(keras.callbacks.Callback):
    """Callback that draws the curves of the loss and of a metric in a notebook and updates them after every epoch.

    Pass it to `model.fit(..., callbacks=[plots.LiveCurve()])`. At the end of the training, one figure remains.

    Args:
        metric: String, name of the metric that is drawn next to the loss, as in the history, default "accuracy".

    Attributes:
        history: Dictionary from the names of the loss and the metrics to their values in each epoch.
    """

    def __init__(self, metric="accuracy"):
        super().__init__()
        self.metric = metric

    def on_train_begin(self, logs=None):
        self.history, self._display = {}, None

    def on_epoch_end(self, epoch, logs=None):
        from IPython.display import display  # only notebooks need it, and dlkit can be installed without it

        for name, value in logs.items():
            self.history.setdefault(name, []).append(value)
        fig = self._draw()
        if self._display is None:
            self._display = display(fig, display_id=True)
        else:
            self._display.update(fig)

    def _draw(self):
        epochs = max(self.params.get("epochs") or 1, len(self.history["loss"]))
        ticks = MaxNLocator(5, integer=True).tick_values(1, epochs)
        with figure(1, 2, height=2.6) as (fig, axes):
            for ax, name in zip(axes, ("loss", self.metric), strict=True):
                named = {"training": name, "validation": f"val_{name}"}
                add_curves(ax, {label: self.history[key] for label, key in named.items() if key in self.history})
                ax.set(xlabel="epoch", ylabel=name, xlim=(0.5, 0.5 + 1.3 * epochs))  # with space for the labels
                ax.set_xticks([tick for tick in ticks if 1 <= tick <= epochs])
                ax.spines["bottom"].set_bounds(0.5, epochs + 0.5)
        return fig
