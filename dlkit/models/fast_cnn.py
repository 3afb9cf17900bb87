"""A network made to be trained in seconds: little to compute for an image, and a first layer that needs no training."""

from __future__ import annotations

import keras
import numpy as np
from keras import layers

from dlkit.models.vision import dtype_policy


def build_fast_cnn(
    input_shape,
    num_classes,
    *,
    channels=(32, 64, 128),
    patch=4,
    stride=2,
    precision="float32",
    name="fast_cnn",
):
    """A small residual network whose first layer is set from the images by `whiten`, not trained.

    The first convolution, 4x4 with stride 2, makes the image small at once, because time goes where images are large.
    Then stages of two 3x3 convolutions with batch normalisation and ReLU: the first is followed by a max pooling that
    halves the image, the second is added to its input. The largest value of each channel goes to the logits, which are
    divided by five, so that they start small.

    Args:
        input_shape: (height, width, channels) of one image; pixels 0 to 255.
        num_classes: number of logits.
        channels: channels of the first convolution (even, at most 2 * patch**2 times the image's), and then of each
            stage.
        patch: pixels a side that the first convolution looks at.
        stride: of the first convolution. With 1 it has no padding: an image of 32 pixels becomes one of 31, and the
            stages work at 15, 7 and 3 pixels, which costs a fifth less than 16, 8 and 4.
        precision: a Keras dtype policy; `runtime.setup().precision` is what the hardware is good at.
        name: the model's name.

    Returns:
        An uncompiled `keras.Model` from (batch, height, width, channels) to (batch, num_classes), float32 logits.
        Call `whiten` on it before training: until then its first layer is random.

    Raises:
        ValueError: for a number of first channels that `whiten` could not fill.

    Source: the whitening layer and the small logits of Page's ResNet-9 and of Jordan 2024 (arXiv 2404.00498), who
    reach 0.94 in seconds on a GPU.

    Example:
        >>> build_fast_cnn((32, 32, 3), 10).output_shape
        (None, 10)
    """
    most = 2 * patch**2 * input_shape[-1]
    if channels[0] % 2 or not 2 <= channels[0] <= most:
        raise ValueError(f"Expected an even number of first channels, 2 to {most}. Received: {channels[0]}.")
    with dtype_policy(precision):
        inputs = keras.Input(input_shape, name="pixels")
        x = layers.Rescaling(1 / 64, offset=-2, name="scale")(inputs)
        padding = "valid" if stride == 1 else "same"
        stem = layers.Conv2D(channels[0], patch, stride, padding, activation="relu", trainable=False, name="stem")
        x = stem(x)
        for stage, width in enumerate(channels[1:], start=1):
            x = layers.Conv2D(width, 3, padding="same", use_bias=False, name=f"stage_{stage}_conv_1")(x)
            x = layers.MaxPooling2D(name=f"stage_{stage}_pool")(x)  # before the rest, which then costs a quarter
            x = _norm_relu(x, f"stage_{stage}", 1)
            y = layers.Conv2D(width, 3, padding="same", use_bias=False, name=f"stage_{stage}_conv_2")(x)
            x = layers.Add(name=f"stage_{stage}_add")([x, _norm_relu(y, f"stage_{stage}", 2)])
        x = layers.GlobalMaxPooling2D(name="max")(x)
        x = layers.Dense(num_classes, use_bias=False, dtype="float32", name="weigh")(x)
        return keras.Model(inputs, layers.Rescaling(1 / 5, dtype="float32", name="logits")(x), name=name)


def _norm_relu(x, stage, number):
    x = layers.BatchNormalization(momentum=0.9, name=f"{stage}_norm_{number}")(x)
    return layers.ReLU(name=f"{stage}_relu_{number}")(x)


def whiten(model, images, *, count=2_000):
    """Sets the first layer of `build_fast_cnn` so that its outputs are uncorrelated and of equal size.

    The patches that images are made of are strongly correlated: neighbours are alike. The layer's filters are their
    principal directions, the strongest first, each divided by the deviation along it. Every filter comes a second time
    with the opposite sign, because ReLU drops the negative half.

    Args:
        model: what `build_fast_cnn` returns.
        images: training images, as the model takes them.
        count: images that are looked at, evenly spread over all.
    """
    some = images[:: max(1, len(images) // count)][:count]
    scaled = keras.ops.convert_to_numpy(model.get_layer("scale")(some)).astype("float32")
    size = model.get_layer("stem").kernel_size
    windows = np.lib.stride_tricks.sliding_window_view(scaled, size, axis=(1, 2))
    patches = windows[:, :: size[0], :: size[1]].reshape(-1, *windows.shape[3:]).transpose(0, 2, 3, 1)
    shape, patches = patches.shape[1:], patches.reshape(len(patches), -1)
    variances, directions = np.linalg.eigh(np.cov(patches.T))  # the weakest first
    half = model.get_layer("stem").filters // 2
    filters = (directions / np.sqrt(variances + 5e-4))[:, ::-1][:, :half]  # flat images have next to no variance
    filters = np.concatenate([filters, -filters], axis=1)
    model.get_layer("stem").set_weights([filters.reshape(*shape, -1), -patches.mean(axis=0) @ filters])
