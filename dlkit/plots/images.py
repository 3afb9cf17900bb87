"""Pictures of images, of predictions about them, and of the confusion between classes."""

from __future__ import annotations

import numpy as np

from dlkit.plots.style import RED, WIDTH, figure


def plot_images(images, titles=None, *, columns=10, title_colors=None, title=None, cmap="gray_r"):
    """Shows images in a grid, greyscale or RGB.

    Args:
        images: array of shape (count, height, width) or (count, height, width, 3); uint8, or floats in any range.
        titles: a text above each image.
        columns: images in a row.
        title_colors: a color for each title.
        title: a text above the grid.
        cmap: for greyscale images; "gray_r" shows ink on paper, "gray" photographs.

    Returns:
        The figure.
    """
    rows = -(-len(images) // columns)
    proportion = images[0].shape[0] / images[0].shape[1]
    lines = max((str(title).count("\n") + 1 for title in titles), default=0) if titles is not None else 0
    with figure(rows, columns, height=rows * (proportion * WIDTH / columns + 0.19 * lines) + 0.4, squeeze=False) as (
        fig,
        axes,
    ):
        for ax in axes.flat:
            ax.axis("off")
        for k, (ax, image) in enumerate(zip(axes.flat, images, strict=False)):
            ax.imshow(image, cmap=cmap if image.ndim == 2 else None, interpolation="nearest")
            if titles is not None:
                ax.set_title(titles[k], fontsize=8, color=title_colors[k] if title_colors else "black")
        fig.suptitle(title, fontsize=10)
    return fig


def plot_predictions(images, labels, probs, class_names, *, columns=6, title=None):
    """Shows images with the predicted class and its probability; where it is wrong, in red, the truth below.

    Args:
        images: array of shape (count, height, width[, 3]).
        labels: true classes, integers of shape (count,).
        probs: probabilities of shape (count, num_classes).
        class_names: a name for each class.

    Returns:
        The figure.
    """
    titles, colors = [], []
    for label, row in zip(labels, probs, strict=True):
        best = int(np.argmax(row))
        right = best == label
        titles.append(f"{class_names[best]} {row[best]:.0%}\n" + ("" if right else f"is {class_names[label]}"))
        colors.append("black" if right else RED)
    return plot_images(images, titles, columns=columns, title_colors=colors, title=title)


def plot_confusion_matrix(matrix, class_names, *, title="Test images"):
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
                color = "white" if shares[row, column] > 0.5 else "black"
                ax.text(column, row, matrix[row, column], ha="center", va="center", fontsize=8, color=color)
        ax.set_xticks(range(len(class_names)), class_names, rotation=45, ha="right")
        ax.set_yticks(range(len(class_names)), class_names)
        ax.set(xlabel="predicted class", ylabel="true class", title=title)
        fig.colorbar(picture, label="share of the true class", shrink=0.8)
    return fig
