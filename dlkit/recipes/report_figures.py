"""The figures of a report, each as an HTML `<figure>` that holds its PNG file and its description."""

import base64
import html
import io

import keras
from sklearn.metrics import confusion_matrix

from dlkit import explain, plots
from dlkit.plots import style

MAX_NUMBERED = 30  # classes; the numbers in a larger confusion matrix could not be read
PICTURES = 8  # images that Grad-CAM explains


def draw_curves(history):
    """Loss and accuracy by epoch, from dictionaries with the keys of Keras's history."""
    with style.figure(1, 2, height=2.8) as (fig, axes):
        for ax, name in zip(axes, ("loss", "accuracy"), strict=True):
            pairs = {"training": name, "validation": f"val_{name}"}
            curves = {label: [epoch.get(key) for epoch in history] for label, key in pairs.items()}
            ax.set(xlabel="epoch", ylabel=name)
            plots.add_curves(ax, {label: y for label, y in curves.items() if any(v is not None for v in y)})
    last = "; ".join(f"{key.replace('val_', 'validation ')} {value:.3f}" for key, value in _numbers(history[-1]))
    return embed(fig, f"Loss and accuracy by epoch, for training and validation images. Last epoch: {last}.")


def _numbers(epoch):
    return [(key, epoch[key]) for key in ("loss", "val_loss", "accuracy", "val_accuracy") if epoch.get(key) is not None]


def draw_confusion(labels, predicted, names):
    """The confusion matrix; without numbers and names where there are too many classes to read them."""
    if len(names) <= MAX_NUMBERED:
        short = [f"{k}: {name[:20]}" for k, name in enumerate(names)] if max(map(len, names)) > 20 else names
        fig = plots.plot_confusion_matrix(labels, predicted, short)
    else:
        fractions = confusion_matrix(labels, predicted, labels=range(len(names)), normalize="true")
        with style.figure(height=5.6) as (fig, ax):
            shown = ax.imshow(fractions, cmap="Blues", vmin=0, vmax=1)
            ax.set(xlabel="number of the predicted class", ylabel="number of the true class")
            fig.colorbar(shown, label="fraction of the true class", shrink=0.8)
    return embed(fig, "Confusion matrix: a row for each true class, a column for each predicted class.")


def draw_mistakes(images, labels, probs, names):
    """The images of mistakes, with the predicted class, its probability and the true class."""
    titles = [
        f"{names[row.argmax()][:18]} {row.max():.0%}\nis {names[label][:18]}"
        for row, label in zip(probs, labels, strict=True)
    ]
    fig = plots.plot_images(images, titles, columns=4, cmap="gray")
    return embed(fig, f"Mistakes: {'; '.join(titles)}.".replace("\n", ", "))


def draw_calibration(bins):
    """A reliability diagram, and below it the number of images in each bin.

    Args:
        bins: List with (mean probability, accuracy, count) of each bin that has images.
    """
    with style.figure(2, 1, height=4.4, sharex=True, height_ratios=(3, 1)) as (fig, (ax, below)):
        ax.plot([0, 1], [0, 1], "--", color=plots.GRAY)
        ax.text(0.3, 0.33, "perfectly calibrated", color=plots.GRAY, ha="right")
        ax.plot([p for p, _, _ in bins], [accuracy for _, accuracy, _ in bins], "o-", color=plots.BLUE)
        ax.set(ylabel="fraction correct", xlim=(0, 1.02), ylim=(-0.03, 1.05))
        below.bar([p for p, _, _ in bins], [count for _, _, count in bins], width=0.03, color=plots.BLUE)
        below.set(xlabel="probability of the predicted class, mean of a bin", ylabel="images")
    text = "; ".join(f"{count} images at {p:.2f}, {accuracy:.2f} correct" for p, accuracy, count in bins)
    return embed(fig, f"Reliability diagram, {text}.")


def draw_grad_cam(model, images, names):
    """Images beside their class activation maps; None for a model without a convolution or with a single position."""
    layer = find_map_layer(model)
    if layer is None:
        return None
    images = images[:PICTURES]
    predicted = model.predict(images, verbose=0).argmax(axis=1)
    maps = explain.grad_cam(model, images, predicted, layer=layer)
    with style.figure(-(-len(images) // 4), 4, height=1.9 * -(-len(images) // 4), squeeze=False) as (fig, axes):
        for ax in axes.flat:
            ax.axis("off")
        for ax, image, cam, k in zip(axes.flat, images, maps, predicted, strict=False):
            ax.imshow(image.squeeze(), cmap="gray", vmin=0, vmax=255)
            ax.imshow(cam, cmap="inferno", alpha=0.5, vmin=0, vmax=max(cam.max(), 1e-9))
            ax.set_title(style.literal(names[k][:18]), fontsize=9)
    answers = ", ".join(names[k] for k in predicted)
    return embed(fig, f"Test images under their class activation maps. Predicted classes: {answers}.")


def find_map_layer(model):
    """The name of the layer for Grad-CAM: the last one with the rows and columns of the last convolution, or None."""
    layers = [layer for layer in model.layers if len(getattr(layer.output, "shape", ())) == 4]
    convolutions = [layer for layer in layers if isinstance(layer, keras.layers.Conv2D | keras.layers.DepthwiseConv2D)]
    if not convolutions or (size := convolutions[-1].output.shape[1:3]) == (1, 1):
        return None
    return [layer for layer in layers if layer.output.shape[1:3] == size][-1].name


def embed(fig, alt):
    """A figure as HTML: its PNG file as text, and what it shows in words."""
    buffer = io.BytesIO()
    fig.savefig(buffer, format="png", dpi=120)
    code = base64.b64encode(buffer.getvalue()).decode()
    image = f'<img alt="{html.escape(alt)}" src="data:image/png;base64,{code}">'
    return f'<figure class="scroll" tabindex="0">{image}</figure>'
