"""Lines: curves with their names at their ends, and the curve that grows while a model trains."""

from __future__ import annotations

import keras
import numpy as np
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import Affine2D

from dlkit.plots.style import COLORS, figure


def plot_curves(curves, *, x_label="epoch", y_label="loss", title=None, log=False):
    """Draws lines with their names written at their ends.

    Args:
        curves: dictionary from name to y values, or to a pair (x values, y values); x counts from 1 by default.
        log: logarithmic y axis.

    Returns:
        The figure.
    """
    with figure(height=3.0) as (fig, ax):
        ax.set(xlabel=x_label, ylabel=y_label, title=title, yscale="log" if log else "linear")
        add_curves(ax, curves)
    return fig


def add_curves(ax, curves):
    """Draws the lines of `plot_curves` on given axes. Names that would overlap are moved apart."""
    ends = []
    for k, (name, values) in enumerate(curves.items()):
        x, y = values if isinstance(values, tuple) else (np.arange(1, len(values) + 1), values)
        color = COLORS[k % len(COLORS)]
        ax.plot(x, y, color=color, marker="o" if len(x) < 15 else None, markersize=3)
        if (finite := np.flatnonzero(np.isfinite(y))).size:
            ends.append((name, (x[finite[-1]], y[finite[-1]]), color))
    points = [point for _, point, _ in ends]
    for k, (name, point, color) in enumerate(ends):
        ax.annotate(
            f" {name}",
            point,
            xytext=(0, 0),
            textcoords=_beside(ax, points, k),
            color=color,
            va="center",
            annotation_clip=False,
        )


def _beside(ax, points, k):
    """Returns the coordinates of the name of line k, as `Axes.annotate` takes them: zero is the place of the name.

    They are computed when the figure is drawn, since limits and layout may change until then.
    """

    def coordinates(renderer):
        ends = ax.transData.transform(points)
        lowest = ax.bbox.y0 + renderer.points_to_pixels(7)  # not on the axis
        heights = _apart(ends[:, 1], gap=renderer.points_to_pixels(12), lowest=lowest)
        return Affine2D().translate(ends[k, 0] + renderer.points_to_pixels(2), heights[k])

    return coordinates


def _apart(heights, gap, lowest):
    """Returns the nearest heights that keep their order, lie `gap` apart and begin at `lowest` or above."""
    order = np.argsort(heights, kind="stable")
    steps = gap * np.arange(len(heights))
    groups = []  # (mean, count): neighbors that would overlap are moved together
    for height in heights[order] - steps:
        mean, count = height, 1
        while groups and groups[-1][0] > mean:
            other, others = groups.pop()
            mean, count = (mean * count + other * others) / (count + others), count + others
        groups.append((mean, count))
    moved = np.empty(len(heights))
    moved[order] = np.repeat([max(mean, lowest) for mean, _ in groups], [count for _, count in groups]) + steps
    return moved


class LiveCurve(keras.callbacks.Callback):
    """Draws loss and accuracy after every epoch, in place, in a notebook.

    Pass it to `model.fit(..., callbacks=[plots.LiveCurve()])`. One figure is left when training ends.

    Args:
        metric: name of the metric beside the loss, as in the history.
    """

    def __init__(self, metric="accuracy"):
        super().__init__()
        self.metric, self._display = metric, None

    def on_train_begin(self, logs=None):
        self.history, self._display = {}, None

    def on_epoch_end(self, epoch, logs=None):
        from IPython.display import display  # only notebooks need it

        for name, value in logs.items():
            self.history.setdefault(name, []).append(value)
        picture = self._draw()
        if self._display is None:
            self._display = display(picture, display_id=True)
        else:
            self._display.update(picture)

    def _draw(self):
        epochs = max(self.params.get("epochs") or 1, len(self.history["loss"]))
        ticks = MaxNLocator(5, integer=True).tick_values(1, epochs)
        with figure(1, 2, height=2.6) as (fig, axes):
            for ax, name in zip(axes, ("loss", self.metric), strict=True):
                named = {"training": name, "validation": f"val_{name}"}
                add_curves(ax, {label: self.history[key] for label, key in named.items() if key in self.history})
                ax.set(xlabel="epoch", ylabel=name, xlim=(0.5, 0.5 + 1.3 * epochs))  # names stand beyond the last epoch
                ax.set_xticks([tick for tick in ticks if 1 <= tick <= epochs])
                ax.spines["bottom"].set_bounds(0.5, epochs + 0.5)
        return fig
