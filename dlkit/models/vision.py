"""Image classifiers that take raw pixels (0 to 255) and return logits.

Scaling is the first layer of each model, so that a saved model cannot be fed wrongly. The last layer has no softmax:
the losses use `from_logits=True`, and `evaluate.predict_probs` turns logits into probabilities.
"""

from __future__ import annotations

from contextlib import contextmanager

import keras
from keras import layers


@contextmanager
def dtype_policy(policy):
    """Builds layers under a Keras dtype policy such as "mixed_bfloat16", then puts the old one back."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def build_mlp(input_shape, num_classes, *, hidden=(128, 64), name="mlp"):
    """Multilayer perceptron: flatten, dense layers with ReLU, logits.

    Args:
        input_shape: shape of one image, (height, width) or (height, width, channels); pixels 0 to 255.
        num_classes: number of logits.
        hidden: units of each hidden layer; `()` gives a linear classifier.
        name: the model's name.

    Returns:
        An uncompiled `keras.Model` from (batch, *input_shape) to (batch, num_classes).

    Built by hand in notebook 03.

    Example:
        >>> build_mlp((8, 8), 10, hidden=(32,)).output_shape
        (None, 10)
    """
    inputs = keras.Input(input_shape, name="pixels")
    x = layers.Rescaling(1 / 255, name="scale")(inputs)
    x = layers.Flatten(name="flatten")(x)
    for index, units in enumerate(hidden, start=1):
        x = layers.Dense(units, activation="relu", name=f"hidden_{index}")(x)
    return keras.Model(inputs, layers.Dense(num_classes, name="logits")(x), name=name)


def build_classic_cnn(input_shape, num_classes, *, name="classic_cnn"):
    """The small CNN that most CIFAR-10 tutorials start with: three 3x3 convolutions, two poolings, two dense layers.

    The architecture is that of TensorFlow's own tutorial "Convolutional Neural Network (CNN)"
    (https://www.tensorflow.org/tutorials/images/cnn): 32-64-64 channels, no padding, 122,570 parameters on CIFAR-10.

    Args:
        input_shape: (height, width, channels) of one image, at least 18 pixels a side; pixels 0 to 255.
        num_classes: number of logits.
        name: the model's name.

    Returns:
        An uncompiled `keras.Model` from (batch, height, width, channels) to (batch, num_classes).

    Example:
        >>> build_classic_cnn((32, 32, 3), 10).count_params()
        122570
    """
    return keras.Sequential(
        [
            keras.Input(input_shape, name="pixels"),
            layers.Rescaling(1 / 255, name="scale"),
            layers.Conv2D(32, 3, activation="relu", name="conv_1"),
            layers.MaxPooling2D(name="pool_1"),
            layers.Conv2D(64, 3, activation="relu", name="conv_2"),
            layers.MaxPooling2D(name="pool_2"),
            layers.Conv2D(64, 3, activation="relu", name="conv_3"),
            layers.Flatten(name="flatten"),
            layers.Dense(64, activation="relu", name="hidden"),
            layers.Dense(num_classes, name="logits"),
        ],
        name=name,
    )


def residual_block(x, channels, *, stride=1, shortcut="projection", name):
    """Adds two 3x3 convolutions to their own input (He et al. 2015, arXiv 1512.03385, figure 2).

    Args:
        x: Keras tensor of shape (batch, height, width, channels_in).
        channels: channels of the result.
        stride: 2 halves height and width.
        shortcut: how the input gets to a new shape where the block changes it: "projection", by a 1x1 convolution
            (the paper's option B); "zeros", every second pixel and new channels of zeros, which has no parameters
            (option A). None leaves the shortcut out: a plain block of two convolutions, for comparison.
        name: prefix of the layers' names.

    Returns:
        Keras tensor of shape (batch, height / stride, width / stride, channels).

    Raises:
        ValueError: for another shortcut.

    Built by hand in notebooks 11 and 12.
    """
    if shortcut not in ("projection", "zeros", None):
        raise ValueError(f'Expected shortcut "projection", "zeros" or None. Received: {shortcut!r}.')
    before = x
    x = layers.Conv2D(channels, 3, strides=stride, padding="same", use_bias=False, name=f"{name}_conv_1")(x)
    x = layers.BatchNormalization(momentum=0.9, name=f"{name}_norm_1")(x)
    x = layers.ReLU(name=f"{name}_relu_1")(x)
    x = layers.Conv2D(channels, 3, padding="same", use_bias=False, name=f"{name}_conv_2")(x)
    x = layers.BatchNormalization(momentum=0.9, name=f"{name}_norm_2")(x)
    if shortcut:
        if before.shape != x.shape and shortcut == "projection":
            before = layers.Conv2D(channels, 1, strides=stride, use_bias=False, name=f"{name}_shortcut")(before)
        elif before.shape != x.shape:
            before = before[:, ::stride, ::stride]
            before = keras.ops.pad(before, [[0, 0], [0, 0], [0, 0], [0, channels - before.shape[-1]]])
        x = layers.Add(name=f"{name}_add")([x, before])
    return layers.ReLU(name=f"{name}_relu_2")(x)


def build_small_resnet(
    input_shape, num_classes, *, channels=(32, 64, 128), blocks=1, precision="float32", name="small_resnet"
):
    """A residual network for 32-pixel images that two processor cores can train while a class watches.

    A 4x4 convolution of stride 2 makes the image small at once, because time goes where images are large. Then stages
    of residual blocks, each at half the size of what it gets, then the mean over the image.

    Args:
        input_shape: (height, width, channels) of one image; pixels 0 to 255.
        num_classes: number of logits.
        channels: channels of the first convolution, and then of each stage.
        blocks: residual blocks in each stage.
        precision: a Keras dtype policy; `runtime.setup().precision` is what the hardware is good at.
        name: the model's name.

    Returns:
        An uncompiled `keras.Model` from (batch, height, width, channels) to (batch, num_classes), float32 logits.

    Example:
        >>> build_small_resnet((32, 32, 3), 10).output_shape
        (None, 10)
    """
    with dtype_policy(precision):
        inputs = keras.Input(input_shape, name="pixels")
        x = layers.Rescaling(1 / 64, offset=-2, name="scale")(inputs)
        x = layers.Conv2D(channels[0], 4, strides=2, padding="same", activation="relu", name="stem")(x)
        for stage, width in enumerate(channels[1:], start=1):
            for block in range(1, blocks + 1):
                x = residual_block(x, width, stride=2 if block == 1 else 1, name=f"stage_{stage}_block_{block}")
        x = layers.GlobalAveragePooling2D(name="mean")(x)
        outputs = layers.Dense(num_classes, dtype="float32", name="logits")(x)
        return keras.Model(inputs, outputs, name=name)
