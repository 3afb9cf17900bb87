"""Lines: curves with their names at their ends, and the curve that grows while a model trains."""

from __future__ import annotations

import keras
import numpy as np

from dlkit.plots.style import COLOURS, figure


def show_curves(curves, *, x_label="epoch", y_label="loss", heading=None, log=False):
    """Draws lines with their names written at their ends.

    Args:
        curves: dictionary from name to y values, or to a pair (x values, y values); x counts from 1 by default.
        log: logarithmic y axis.

    Returns:
        The figure.
    """
    with figure(height=3.0) as (fig, ax):
        ax.set(xlabel=x_label, ylabel=y_label, title=heading, yscale="log" if log else "linear")
        draw_curves(ax, curves)
    return fig


def draw_curves(ax, curves):
    """Draws the lines of `show_curves` on given axes. Names that would overlap are moved apart."""
    ends = []
    for k, (name, values) in enumerate(curves.items()):
        x, y = values if isinstance(values, tuple) else (np.arange(1, len(values) + 1), values)
        colour = COLOURS[k % len(COLOURS)]
        ax.plot(x, y, color=colour, marker="o" if len(x) < 15 else None, markersize=3)
        if len(x):
            ends.append((name, x[-1], y[-1], colour))
    ends.sort(key=lambda end: end[2])
    lowest = -np.inf  # where the next name may stand, in points
    for name, x, y, colour in ends:
        height = ax.transData.transform((x, y))[1] * 72 / ax.figure.dpi
        place = max(height, lowest)
        lowest = place + 11
        ax.annotate(
            f" {name}",
            (x, y),
            xytext=(2, place - height),
            textcoords="offset points",
            color=colour,
            va="center",
            annotation_clip=False,
        )


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
        epochs = self.params.get("epochs") or len(self.history["loss"])
        with figure(1, 2, height=2.6) as (fig, axes):
            for ax, name in zip(axes, ("loss", self.metric), strict=True):
                named = {"training": name, "validation": f"val_{name}"}
                ax.set_xlim(0.5, max(epochs, 2) * 1.3)  # room for what is to come
                draw_curves(ax, {label: self.history[key] for label, key in named.items() if key in self.history})
                ax.set(xlabel="epoch", ylabel=name)
        return fig
