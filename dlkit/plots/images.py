"""Figures of images, of predictions, and of confusion matrices."""

import numpy as np
from sklearn.metrics import confusion_matrix

from dlkit import validation
from dlkit.plots.style import RED, WIDTH, figure, literal


def plot_images(images, titles=None, *, columns=10, title=None, cmap="gray_r", value_range=None):
    """Draws images in a grid, grayscale or RGB.

    Args:
        images: Array of shape (count, height, width) or (count, height, width, channels), or list of such images. There
            are 1, 3 or 4 channels.
        titles: List of strings, a title above each image, default None.
        columns: Integer, number of images in a row, default 10.
        title: String, title of the figure, default None.
        cmap: String, Matplotlib colormap of grayscale images. "gray_r" (the default) suits dark writing on a white
            background, "gray" suits photographs.
        value_range: Tuple (low, high), the values that are drawn as the two ends of the colormap, or as black and
            white. "each" takes the minimum and the maximum of each image, which suits feature maps and kernels. None,
            the default, takes the range that all images together must have: 0 to 255 for integers, and for floats
            the first of 0 to 1, -1 to 1, and 0 to 255 that holds them.

    Returns:
        The `matplotlib.figure.Figure`.

    Raises:
        ValueError: If there is no image, an image has another shape or a pixel that is not finite, the images have no
            range that is known, or there is not one title for each image.
    """
    images = _check_images(images)
    pixels = _scale(images, _known_range(images) if value_range is None else value_range)
    titles = [""] * len(images) if titles is None else [literal(text) for text in titles]
    if len(titles) != len(images):
        raise ValueError(f"Expected a title for each of {len(images)} images. Received: {len(titles)} titles.")
    columns = validation.check_integer("columns", columns)
    rows = -(-len(images) // columns)
    lines = max(text.count("\n") + 1 if text else 0 for text in titles)
    height = rows * (images[0].shape[0] / images[0].shape[1] * WIDTH / columns + 0.19 * lines) + 0.4
    with figure(rows, columns, height=height, squeeze=False) as (fig, axes):
        for ax in axes.flat:
            ax.axis("off")
        for ax, image, text in zip(axes.flat, pixels, titles, strict=False):
            ax.imshow(image, cmap=cmap, vmin=0, vmax=255, interpolation="nearest")
            ax.set_title(text, fontsize=8)
        fig.suptitle(literal(title), fontsize=10)
    return fig


def _check_images(images):
    """The images as a list of arrays of shape (height, width) or (height, width, channels)."""
    if hasattr(images, "shape"):
        images = validation.check_images(images)
    if len(images) == 0:
        raise ValueError("Expected one or more images. Received: none.")
    # One by one, because the images of a list may have several sizes, and others are decoded from disk as needed.
    images = [validation.check_images(np.asarray(images[k : k + 1]))[0] for k in range(len(images))]
    return [image[..., 0] if image.shape[2:] == (1,) else image for image in images]


def _known_range(images):
    low, high = min(image.min() for image in images), max(image.max() for image in images)
    are_floats = any(image.dtype.kind not in "ui" for image in images)
    for first, last in ([(0, 1), (-1, 1)] if are_floats else []) + [(0, 255)]:
        slack = 0.002 * (last - first)  # for rounding
        if first - slack <= low and high <= last + slack:
            return first, last
    raise ValueError(
        f"Expected images from 0 to 255, 0 to 1 or -1 to 1. Received: {low:g} to {high:g}. Pass their "
        'value_range=(low, high), or value_range="each" to stretch the contrast of each image.'
    )


def _scale(images, value_range):
    """The images as uint8 arrays, in which 0 and 255 stand for the ends of the range."""
    scaled = []
    for image in images:
        low, high = (float(image.min()), float(image.max())) if value_range == "each" else value_range
        fraction = (image.astype("float64") - low) / ((high - low) or 1)
        scaled.append(np.round(255 * fraction.clip(0, 1)).astype("uint8"))
    return scaled


def plot_predictions(images, labels, probs, class_names, *, columns=6, title=None):
    """Draws images with the predicted class and its probability above them.

    The title of an incorrect prediction is red, and its second line is the true class.

    Args:
        images: Array of shape (count, height, width) or (count, height, width, channels), as for `plot_images`.
        labels: Integer array of shape (count,), the true classes.
        probs: Array of shape (count, num_classes), the predicted probabilities.
        class_names: List of strings, the name of each class.
        columns: Integer, number of images in a row, default 6.
        title: String, title of the figure, default None.

    Returns:
        The `matplotlib.figure.Figure`.
    """
    names = validation.check_class_names(class_names)
    probs = validation.check_probs(probs, count=len(images), num_classes=len(names))
    labels = validation.check_labels(labels, count=len(images), num_classes=len(names))
    predicted = probs.argmax(axis=1)
    titles = [f"{names[p]} {row[p]:.0%}\n" for p, row in zip(predicted, probs, strict=True)]
    wrong = np.flatnonzero(predicted != labels)
    for k in wrong:
        titles[k] += f"is {names[labels[k]]}"
    fig = plot_images(images, titles, columns=columns, title=title)
    for k in wrong:
        fig.axes[k].title.set_color(RED)
    return fig


def plot_confusion_matrix(labels, predicted, class_names, *, title="Test images"):
    """Draws a confusion matrix: colors show fractions of the true class, numbers show counts.

    Args:
        labels: Integer array of shape (count,), the true classes.
        predicted: Integer array of shape (count,), the predicted classes.
        class_names: List of strings, the name of each class.
        title: String, title of the figure, default "Test images".

    Returns:
        The `matplotlib.figure.Figure`.
    """
    names = validation.check_class_names(class_names)
    labels = validation.check_labels(labels, num_classes=len(names))
    predicted = validation.check_labels(predicted, count=len(labels), num_classes=len(names), name="predicted")
    matrix = confusion_matrix(labels, predicted, labels=range(len(names)))
    fractions = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    with figure(height=5.6) as (fig, ax):
        image = ax.imshow(fractions, cmap="Blues", vmin=0, vmax=1)
        for row, column in np.ndindex(*matrix.shape):
            if matrix[row, column]:
                color = "white" if fractions[row, column] > 0.5 else "black"
                ax.text(column, row, matrix[row, column], ha="center", va="center", fontsize=8, color=color)
        ax.set_xticks(range(len(names)), map(literal, names), rotation=45, ha="right")
        ax.set_yticks(range(len(names)), map(literal, names))
        ax.set(xlabel="predicted class", ylabel="true class", title=literal(title))
        fig.colorbar(image, label="fraction of the true class", shrink=0.8)
    return fig
