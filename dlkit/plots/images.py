"""Figures of images, of predictions, and of confusion matrices."""

from __future__ import annotations

import numpy as np

from dlkit.plots.style import RED, WIDTH, figure


def plot_images(images, titles=None, *, columns=10, title_colors=None, title=None, cmap="gray_r"):
    """Draws images in a grid, grayscale or RGB.

    Args:
        images: Array of shape (count, height, width) or (count, height, width, 3). Grayscale images have values in any
            range, which is mapped to the complete colormap. RGB images are uint8, or floats between 0 and 1.
        titles: List of strings, a title above each image, default None.
        columns: Integer, number of images in a row, default 10.
        title_colors: List of Matplotlib colors, one for each title, default None (black).
        title: String, title of the figure, default None.
        cmap: String, Matplotlib colormap of grayscale images. "gray_r" (the default) suits dark writing on a white
            background, "gray" suits photographs.

    Returns:
        The `matplotlib.figure.Figure`.
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
    """Draws images with the predicted class and its probability above them.

    The title of an incorrect prediction is red, and its second line is the true class.

    Args:
        images: Array of shape (count, height, width) or (count, height, width, 3).
        labels: Integer array of shape (count,), the true classes.
        probs: Array of shape (count, num_classes), the predicted probabilities.
        class_names: List of strings, the name of each class.
        columns: Integer, number of images in a row, default 6.
        title: String, title of the figure, default None.

    Returns:
        The `matplotlib.figure.Figure`.
    """
    titles, colors = [], []
    for label, row in zip(labels, probs, strict=True):
        predicted = int(np.argmax(row))
        correct = predicted == label
        truth = "" if correct else f"is {class_names[label]}"
        titles.append(f"{class_names[predicted]} {row[predicted]:.0%}\n{truth}")
        colors.append("black" if correct else RED)
    return plot_images(images, titles, columns=columns, title_colors=colors, title=title)


def plot_confusion_matrix(matrix, class_names, *, title="Test images"):
    """Draws a confusion matrix: colors show fractions of the true class, numbers show counts.

    Args:
        matrix: Integer array of shape (num_classes, num_classes), as `evaluate.confusion_matrix` returns it. Rows are
            true classes, columns are predicted classes.
        class_names: List of strings, the name of each class.
        title: String, title of the figure, default "Test images".

    Returns:
        The `matplotlib.figure.Figure`.
    """
    fractions = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    with figure(height=5.6) as (fig, ax):
        image = ax.imshow(fractions, cmap="Blues", vmin=0, vmax=1)
        for row, column in np.ndindex(*matrix.shape):
            if matrix[row, column]:
                color = "white" if fractions[row, column] > 0.5 else "black"
                ax.text(column, row, matrix[row, column], ha="center", va="center", fontsize=8, color=color)
        ax.set_xticks(range(len(class_names)), class_names, rotation=45, ha="right")
        ax.set_yticks(range(len(class_names)), class_names)
        ax.set(xlabel="predicted class", ylabel="true class", title=title)
        fig.colorbar(image, label="fraction of the true class", shrink=0.8)
    return fig
