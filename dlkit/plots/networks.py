"""Drawings of networks, made from the model or its numbers, so that they cannot be wrong."""

from __future__ import annotations

import keras
import numpy as np

from dlkit.plots.style import BLUE, GRAY, RED, figure


def plot_network(model, *, at_least=0):
    """Draws a network as its layers from left to right, with output shapes and parameter counts.

    Everything in the picture is read from the model object.

    Args:
        model: a built `keras.Model`.
        at_least: leaves out layers with fewer parameters; the title counts them all the same.

    Returns:
        The figure.
    """
    layers = [layer for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)]
    layers = [layer for layer in layers if layer.count_params() >= at_least]
    with figure(height=0.27 * len(layers) + 0.9) as (fig, ax):
        longest = max(layer.count_params() for layer in layers) or 1
        for row, layer in enumerate(layers):
            shape = " x ".join("n" if size is None else str(size) for size in layer.output.shape[1:])
            ax.text(-0.02, row, layer.name, ha="right", va="center", transform=ax.get_yaxis_transform())
            ax.barh(row, layer.count_params() / longest, color=BLUE, height=0.7)
            ax.text(layer.count_params() / longest + 0.01, row, f"{layer.count_params():,}   → {shape}", va="center")
        ax.set(
            xlim=(0, 1.35), ylim=(len(layers) - 0.4, -0.6), title=f"{model.name}: {model.count_params():,} parameters"
        )
        fewer = "without" if at_least == 1 else f"below {at_least:,}"
        left_out = f"; layers {fewer} parameters left out" if at_least else ""
        ax.set_xlabel(f"parameters, and → the shape of the output for one example{left_out}")
        ax.set_xticks([])
        ax.set_yticks([])
        ax.spines[:].set_visible(False)
    return fig


def plot_dense_network(activations, weights, activation_gradients=None, weight_gradients=None, *, names=None):
    """Draws a tiny dense network with its forward numbers in blue and its backward numbers in orange.

    Args:
        activations: list of 1-D arrays, the values of each layer's units for one example, inputs first.
        weights: list of arrays of shape (units_before, units_after), one for each gap between layers.
        activation_gradients: as `activations`: the loss's gradient at each unit; None draws forward numbers only.
        weight_gradients: as `weights`.
        names: a title for each layer.

    Returns:
        The figure.
    """
    with figure(height=4.2) as (fig, ax):
        places = [
            (layer, (np.arange(len(values))[::-1] + 0.5) / len(values)) for layer, values in enumerate(activations)
        ]
        for gap, matrix in enumerate(weights):
            for (row, column), weight in np.ndenumerate(matrix):
                y0, y1 = places[gap][1][row], places[gap + 1][1][column]
                ax.plot([gap, gap + 1], [y0, y1], color="#BBBBBB", linewidth=1, zorder=1)
                at = np.linspace(0.72, 0.45, len(matrix))[row]  # numbers of wires that cross stand apart
                x, y = gap + at, y0 + at * (y1 - y0)
                _write_pair(ax, x, y, weight, weight_gradients[gap][row, column] if weight_gradients else None, 8)
        for (layer, heights), values in zip(places, activations, strict=True):
            ax.scatter([layer] * len(heights), heights, s=1500, color="white", edgecolor=GRAY, zorder=3)
            for unit, (y, value) in enumerate(zip(heights, values, strict=True)):
                gradient = activation_gradients[layer][unit] if activation_gradients else None
                _write_pair(ax, layer, y, value, gradient, 9)
            if names:
                ax.text(layer, 1.02, names[layer], ha="center")
        ax.set(xlim=(-0.3, len(activations) - 0.7), ylim=(0.02, 1.08))
        ax.axis("off")
    return fig


def _write_pair(ax, x, y, forward, backward, size):
    where = {"ha": "center", "va": "center", "fontsize": size, "zorder": 4}
    where["bbox"] = {"facecolor": "white", "edgecolor": "none", "pad": 0.6}
    lift = 0.0 if backward is None else 0.024
    ax.text(x, y + lift, f"{forward:.2f}", color=BLUE, **where)
    if backward is not None:
        ax.text(x, y - lift, f"{backward:+.2f}", color=RED, **where)
