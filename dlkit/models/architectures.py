"""The networks that made the history of image recognition, at the size of CIFAR-10: LeNet-5, AlexNet, VGG, ResNet.

Each keeps what its paper is known for and says what was changed for images of 32 pixels. As everywhere in
`dlkit.models`: raw pixels in, logits out, uncompiled.
"""

from __future__ import annotations

import keras
from keras import layers

from dlkit.models.vision import residual_block

VGG_STAGES = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}


def build_lenet5(input_shape, num_classes, *, name="lenet5"):
    """LeNet-5: two 5x5 convolutions with tanh, two average poolings, three dense layers.

    As is usual today, the second convolution sees all six channels (the paper wires each output to some of them), the
    poolings have no weights, and the last layer is dense.

    Args:
        input_shape: (height, width, channels) of one image, at least 16 pixels a side (32 in the paper); pixels 0-255.
        num_classes: number of logits.
        name: the model's name.

    Returns:
        An uncompiled `keras.Model` from (batch, *input_shape) to (batch, num_classes).

    Source: LeCun, Bottou, Bengio and Haffner 1998, Gradient-Based Learning Applied to Document Recognition, figure 2.

    Example:
        >>> build_lenet5((32, 32, 1), 10).count_params()
        61706
    """
    return keras.Sequential(
        [
            keras.Input(input_shape, name="pixels"),
            layers.Rescaling(1 / 127.5, offset=-1, name="scale"),
            layers.Conv2D(6, 5, activation="tanh", name="conv_1"),
            layers.AveragePooling2D(2, name="pool_1"),
            layers.Conv2D(16, 5, activation="tanh", name="conv_2"),
            layers.AveragePooling2D(2, name="pool_2"),
            layers.Flatten(name="flatten"),
            layers.Dense(120, activation="tanh", name="hidden_1"),
            layers.Dense(84, activation="tanh", name="hidden_2"),
            layers.Dense(num_classes, name="logits"),
        ],
        name=name,
    )


def build_alexnet(input_shape, num_classes, *, hidden=(4096, 4096), name="alexnet"):
    """AlexNet: five convolutions, overlapping max pooling, ReLU, two large dense layers with dropout.

    For small images the first convolution is 5x5 with stride 1, where the paper has 11x11 with stride 4 on 224 pixels.
    The channels are the paper's; its split over two GPUs and its local response normalisation are left out.

    Args:
        input_shape: (height, width, channels) of one image, at least 15 pixels a side; pixels 0 to 255.
        num_classes: number of logits.
        hidden: units of the dense layers.
        name: the model's name.

    Returns:
        An uncompiled `keras.Model` from (batch, *input_shape) to (batch, num_classes).

    Source: Krizhevsky, Sutskever and Hinton 2012, ImageNet Classification with Deep Convolutional Neural Networks.

    Example:
        >>> alexnet = build_alexnet((32, 32, 3), 10, hidden=(64,))
        >>> sum(isinstance(layer, layers.Conv2D) for layer in alexnet.layers)
        5
    """
    inputs = keras.Input(input_shape, name="pixels")
    x = layers.Rescaling(1 / 127.5, offset=-1, name="scale")(inputs)
    for index, (channels, kernel) in enumerate([(96, 5), (256, 5), (384, 3), (384, 3), (256, 3)], start=1):
        x = _conv_relu(x, channels, kernel, name=f"conv_{index}")
        if index in (1, 2, 5):
            x = layers.MaxPooling2D(3, strides=2, name=f"pool_{index}")(x)
    return _dense_head(inputs, x, num_classes, hidden, name)


def build_vgg(input_shape, num_classes, *, depth=16, hidden=(512, 512), name=None):
    """VGG: nothing but 3x3 convolutions, in five stages, each followed by a 2x2 max pooling.

    The convolutions are the paper's, without batch normalisation. Its dense layers have 4,096 units, after a map of
    7x7x512 numbers; 32 pixels leave 1x1x512, so that 512 units are enough.

    Args:
        input_shape: (height, width, channels) of one image, at least 32 pixels a side; pixels 0 to 255.
        num_classes: number of logits.
        depth: layers with weights: 11, 13, 16 or 19 (the paper's A, B, D and E).
        hidden: units of the dense layers, each followed by dropout.
        name: the model's name; "vgg16" and the like by default.

    Returns:
        An uncompiled `keras.Model` from (batch, *input_shape) to (batch, num_classes).

    Raises:
        ValueError: for another depth.

    Source: Simonyan and Zisserman 2014, arXiv 1409.1556, table 1.

    Example:
        >>> vgg = build_vgg((32, 32, 3), 10)
        >>> sum(isinstance(layer, layers.Conv2D) for layer in vgg.layers)
        13
    """
    if depth not in VGG_STAGES:
        raise ValueError(f"Expected depth 11, 13, 16 or 19. Received: {depth}.")
    inputs = keras.Input(input_shape, name="pixels")
    x = layers.Rescaling(1 / 127.5, offset=-1, name="scale")(inputs)
    for stage, (count, channels) in enumerate(zip(VGG_STAGES[depth], (64, 128, 256, 512, 512), strict=True), start=1):
        for index in range(1, count + 1):
            x = _conv_relu(x, channels, 3, name=f"stage_{stage}_conv_{index}")
        x = layers.MaxPooling2D(name=f"stage_{stage}_pool")(x)
    return _dense_head(inputs, x, num_classes, hidden, name or f"vgg{depth}")


def build_resnet(input_shape, num_classes, *, depth=20, channels=(16, 32, 64), shortcut="zeros", name=None):
    """The residual network for CIFAR-10 of its paper, section 4.2; without shortcuts, the plain network beside it.

    A 3x3 convolution, then three stages of residual blocks at full, half and quarter size, then the mean of each
    channel and one dense layer.

    Args:
        input_shape: (height, width, channels) of one image; pixels 0 to 255.
        num_classes: number of logits.
        depth: layers with weights, 6n + 2 for n blocks a stage: 8, 14, 20, 32, 56, 110.
        channels: of the three stages.
        shortcut: "zeros" as in the paper, "projection", or None for the plain network: see `residual_block`.
        name: the model's name; "resnet20", "plain20" and the like by default.

    Returns:
        An uncompiled `keras.Model` from (batch, *input_shape) to (batch, num_classes).

    Raises:
        ValueError: for another depth or shortcut.

    Source: He, Zhang, Ren and Sun 2015, arXiv 1512.03385, section 4.2.

    Example:
        >>> build_resnet((32, 32, 3), 10).count_params() == build_resnet((32, 32, 3), 10, shortcut=None).count_params()
        True
    """
    if depth < 8 or (depth - 2) % 6:
        raise ValueError(f"Expected a depth of 6n + 2: 8, 14, 20, 32, 56 … Received: {depth}.")
    inputs = keras.Input(input_shape, name="pixels")
    x = layers.Rescaling(1 / 64, offset=-2, name="scale")(inputs)
    x = layers.Conv2D(channels[0], 3, padding="same", use_bias=False, name="stem_conv")(x)
    x = layers.BatchNormalization(momentum=0.9, name="stem_norm")(x)
    x = layers.ReLU(name="stem_relu")(x)
    for stage, width in enumerate(channels, start=1):
        for block in range(1, (depth - 2) // 6 + 1):
            stride = 2 if stage > 1 and block == 1 else 1
            x = residual_block(x, width, stride=stride, shortcut=shortcut, name=f"stage_{stage}_block_{block}")
    x = layers.GlobalAveragePooling2D(name="mean")(x)
    name = name or f"{'resnet' if shortcut else 'plain'}{depth}"
    return keras.Model(inputs, layers.Dense(num_classes, name="logits")(x), name=name)


def _conv_relu(x, channels, kernel, *, name):
    """He's initial weights (arXiv 1502.01852) keep the signal's size through many ReLUs without normalisation."""
    return layers.Conv2D(
        channels, kernel, padding="same", activation="relu", kernel_initializer="he_normal", name=name
    )(x)


def _dense_head(inputs, x, num_classes, hidden, name):
    x = layers.Flatten(name="flatten")(x)
    for index, units in enumerate(hidden, start=1):
        x = layers.Dense(units, activation="relu", kernel_initializer="he_normal", name=f"hidden_{index}")(x)
        x = layers.Dropout(0.5, name=f"dropout_{index}")(x)
    return keras.Model(inputs, layers.Dense(num_classes, name="logits")(x), name=name)
