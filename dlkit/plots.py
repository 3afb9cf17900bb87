"""Pictures in one style: arrays in, a Matplotlib `Figure` out. The only module that uses Matplotlib.

A function returns its figure closed, so that a notebook shows it once, as the value of the cell.
"""

from __future__ import annotations

import contextlib

import keras
import matplotlib.pyplot as plt
import numpy as np

# Okabe and Ito's colours, which colour-blind readers can tell apart (https://jfly.uni-koeln.de/color, 2008).
BLUE, ORANGE, GREEN, RED, PURPLE, SKY, YELLOW, GREY = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#D55E00",
    "#CC79A7",
    "#56B4E9",
    "#F0E442",
    "#666666",
)
COLOURS = (BLUE, ORANGE, GREEN, RED, PURPLE, SKY, YELLOW, GREY)
WIDTH = 7  # inches
_STYLE = {
    "figure.facecolor": "white",
    "axes.facecolor": "white",
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#999999",
    "xtick.color": "#444444",
    "ytick.color": "#444444",
    "axes.prop_cycle": plt.cycler(color=COLOURS),
    "figure.constrained_layout.use": True,
}


@contextlib.contextmanager
def figure(rows=1, columns=1, *, height=3.0, **options):
    """Opens a figure in the house style, and closes it at the end of the block.

    Args:
        rows, columns: grid of axes.
        height: inches; the width is always 7.
        options: for `matplotlib.pyplot.subplots`.

    Yields:
        (figure, axes), as `matplotlib.pyplot.subplots` gives them.

    Example:
        >>> with figure(height=2) as (fig, ax):
        ...     lines = ax.plot([1, 2, 3])
    """
    with plt.rc_context(_STYLE):
        fig, axes = plt.subplots(rows, columns, figsize=(WIDTH, height), **options)
        try:
            yield fig, axes
        finally:
            plt.close(fig)


def show_images(images, titles=None, *, columns=10, title_colours=None, heading=None):
    """Shows images in a grid, greyscale or RGB.

    Args:
        images: array of shape (count, height, width) or (count, height, width, 3); uint8, or floats in any range.
        titles: a text above each image.
        columns: images in a row.
        title_colours: a colour for each title.
        heading: a text above the grid.

    Returns:
        The figure.
    """
    rows = -(-len(images) // columns)
    lines = max((str(title).count("\n") + 1 for title in titles), default=0) if titles is not None else 0
    with figure(rows, columns, height=rows * (WIDTH / columns + 0.19 * lines) + 0.4, squeeze=False) as (fig, axes):
        for ax in axes.flat:
            ax.axis("off")
        for k, (ax, image) in enumerate(zip(axes.flat, images, strict=False)):
            ax.imshow(image, cmap="gray_r" if image.ndim == 2 else None)
            if titles is not None:
                ax.set_title(titles[k], fontsize=8, color=title_colours[k] if title_colours else "black")
        fig.suptitle(heading, fontsize=10)
    return fig


def show_predictions(images, labels, probs, class_names, *, columns=6, heading=None):
    """Shows images with the predicted class and its probability; where it is wrong, in red, the truth below.

    Args:
        images: array of shape (count, height, width[, 3]).
        labels: true classes, integers of shape (count,).
        probs: probabilities of shape (count, num_classes).
        class_names: a name for each class.

    Returns:
        The figure.
    """
    titles, colours = [], []
    for label, row in zip(labels, probs, strict=True):
        best = int(np.argmax(row))
        right = best == label
        titles.append(f"{class_names[best]} {row[best]:.0%}\n" + ("" if right else f"is {class_names[label]}"))
        colours.append("black" if right else RED)
    return show_images(images, titles, columns=columns, title_colours=colours, heading=heading)


def show_confusion(matrix, class_names, *, heading="Test images"):
    """Shows a confusion matrix as shares of each true class, with the counts of the mistakes written in.

    Args:
        matrix: counts of shape (num_classes, num_classes): rows true, columns predicted.
        class_names: a name for each class.

    Returns:
        The figure.
    """
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    with figure(height=5.6) as (fig, ax):
        picture = ax.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        for row, column in np.ndindex(*matrix.shape):
            if matrix[row, column]:
                colour = "white" if shares[row, column] > 0.5 else "black"
                ax.text(column, row, matrix[row, column], ha="center", va="center", fontsize=8, color=colour)
        ax.set_xticks(range(len(class_names)), class_names, rotation=45, ha="right")
        ax.set_yticks(range(len(class_names)), class_names)
        ax.set(xlabel="predicted class", ylabel="true class", title=heading)
        fig.colorbar(picture, label="share of the true class", shrink=0.8)
    return fig


def show_curves(curves, *, x_label="epoch", y_label="loss", heading=None, log=False):
    """Draws lines with their names written at their ends.

    Args:
        curves: dictionary from name to y values, or to a pair (x values, y values); x counts from 1 by default.
        log: logarithmic y axis.

    Returns:
        The figure.
    """
    with figure(height=3.0) as (fig, ax):
        draw_curves(ax, curves)
        ax.set(xlabel=x_label, ylabel=y_label, title=heading)
        if log:
            ax.set_yscale("log")
    return fig


def draw_curves(ax, curves):
    """Draws the lines of `show_curves` on given axes."""
    for k, (name, values) in enumerate(curves.items()):
        x, y = values if isinstance(values, tuple) else (np.arange(1, len(values) + 1), values)
        colour = COLOURS[k % len(COLOURS)]
        ax.plot(x, y, color=colour, marker="o" if len(x) < 15 else None, markersize=3)
        if len(x):
            ax.annotate(f" {name}", (x[-1], y[-1]), color=colour, va="center", annotation_clip=False)


def show_network(model):
    """Draws a network as its layers from left to right, with output shapes and parameter counts.

    Everything in the picture is read from the model object.

    Args:
        model: a built `keras.Model`.

    Returns:
        The figure.
    """
    layers = [layer for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)]
    with figure(height=0.27 * len(layers) + 0.9) as (fig, ax):
        longest = max(layer.count_params() for layer in layers) or 1
        for row, layer in enumerate(layers):
            shape = " x ".join(str(size) for size in layer.output.shape[1:])
            ax.text(-0.02, row, layer.name, ha="right", va="center", transform=ax.get_yaxis_transform())
            ax.barh(row, layer.count_params() / longest, color=BLUE, height=0.7)
            ax.text(layer.count_params() / longest + 0.01, row, f"{layer.count_params():,}   → {shape}", va="center")
        ax.set(xlim=(0, 1.35), ylim=(len(layers) - 0.4, -0.6), title=f"{model.name}: {model.count_params():,} parameters")
        ax.set(xlabel="parameters of the layer, and → the shape of its output for one image")
        ax.set_xticks([])
        ax.set_yticks([])
        ax.spines[:].set_visible(False)
    return fig


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
                draw_curves(ax, {label: self.history[key] for label, key in named.items() if key in self.history})
                ax.set(xlabel="epoch", ylabel=name, xlim=(0.5, epochs * 1.25))
        return fig
