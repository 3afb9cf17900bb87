"""Diagrams of networks, drawn from the model object or its values, so that they match the model."""

import keras
import numpy as np

from dlkit.plots.style import BLUE, GRAY, RED, figure, literal


def plot_network(model, *, min_params=0):
    """Draws the layers of a network from top to bottom, with a bar for the number of parameters and the output shape.

    Args:
        model: A built `keras.Model`.
        min_params: Integer, default 0. Layers with fewer parameters are not drawn; the title counts their parameters
            too.

    Returns:
        The `matplotlib.figure.Figure`.
    """
    layers = [layer for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)]
    layers = [layer for layer in layers if layer.count_params() >= min_params]
    if not layers:
        raise ValueError(f"Expected layers with at least {min_params:,} parameters. Received: none in {model.name}.")
    with figure(height=0.27 * len(layers) + 0.9) as (fig, ax):
        largest = max(layer.count_params() for layer in layers) or 1
        for row, layer in enumerate(layers):
            shape = " x ".join("n" if size is None else str(size) for size in layer.output.shape[1:])
            ax.text(-0.02, row, literal(layer.name), ha="right", va="center", transform=ax.get_yaxis_transform())
            ax.barh(row, layer.count_params() / largest, color=BLUE, height=0.7)
            ax.text(layer.count_params() / largest + 0.01, row, f"{layer.count_params():,}   → {shape}", va="center")
        left_out = "; smaller layers left out" if min_params else ""
        ax.set(
            title=f"{literal(model.name)}: {model.count_params():,} parameters",
            xlabel=f"parameters, and → the shape of the output for one example{left_out}",
            xlim=(0, 1.35),
            ylim=(len(layers) - 0.4, -0.6),
            xticks=[],
            yticks=[],
        )
        ax.spines[:].set_visible(False)
    return fig


def plot_dense_network(
    activations,
    weights,
    activation_gradients=None,
    weight_gradients=None,
    *,
    pre_activations=None,
    biases=None,
    names=None,
):
    """Draws the units and weights of a small dense network, with activations and weights in blue and gradients in red.

    Args:
        activations: List of 1-D arrays, the activations of each layer for one example, inputs first.
        weights: List of arrays of shape (inputs, outputs), the weights between each layer and the next.
        activation_gradients: List of arrays of the shapes of `activations`, the gradients of the loss with respect to
            them. None (the default) draws no gradients.
        weight_gradients: List of arrays of the shapes of `weights`, the gradients of the loss with respect to them,
            default None.
        names: List of strings, a title for each layer, default None.

    Returns:
        The `matplotlib.figure.Figure`.
    """
    with figure(height=4.2) as (fig, ax):
        heights = [(np.arange(len(values))[::-1] + 0.5) / len(values) for values in activations]
        for gap, matrix in enumerate(weights):
            for (row, column), weight in np.ndenumerate(matrix):
                y0, y1 = heights[gap][row], heights[gap + 1][column]
                ax.plot([gap, gap + 1], [y0, y1], color="#BBBBBB", linewidth=1, zorder=1)
                at = np.linspace(0.72, 0.45, len(matrix))[row]  # so that the numbers at crossing lines do not overlap
                gradient = weight_gradients[gap][row, column] if weight_gradients else None
                _write_pair(ax, gap + at, y0 + at * (y1 - y0), weight, gradient, 8)
        for layer, values in enumerate(activations):
            ax.scatter([layer] * len(values), heights[layer], s=1500, color="white", edgecolor=GRAY, zorder=3)
            for unit, value in enumerate(values):
                gradient = activation_gradients[layer][unit] if activation_gradients else None
                _write_pair(ax, layer, heights[layer][unit], value, gradient, 9)
                _write_sum(ax, layer, heights[layer][unit], unit, pre_activations, biases)
            if names:
                ax.text(layer, 1.02, names[layer], ha="center")
        ax.set(xlim=(-0.3, len(activations) - 0.7), ylim=(0.02, 1.08))
        ax.axis("off")
    return fig


def _write_sum(ax, layer, y, unit, pre_activations, biases):
    """Writes the pre-activation and the bias of a unit below its circle. The inputs have neither."""
    if layer:
        named = {"z": pre_activations, "b": biases}
        parts = [f"{name} = {values[layer - 1][unit]:.2f}" for name, values in named.items() if values is not None]
        box = {"facecolor": "white", "edgecolor": "none", "pad": 0.4}
        ax.text(layer, y - 0.115, ", ".join(parts), ha="center", fontsize=8, color=BLUE, bbox=box, zorder=5)


def _write_pair(ax, x, y, forward, backward, size):
    options = {"ha": "center", "va": "center", "fontsize": size, "zorder": 4}
    options["bbox"] = {"facecolor": "white", "edgecolor": "none", "pad": 0.6}
    offset = 0.0 if backward is None else 0.024
    ax.text(x, y + offset, f"{forward:.2f}", color=BLUE, **options)
    if backward is not None:
        ax.text(x, y - offset, f"{backward:+.2f}", color=RED, **options)
