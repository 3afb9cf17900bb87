"""Convolutional networks that made history in image recognition, at CIFAR-10 size: LeNet-5, AlexNet, VGG, ResNet.

Each builder follows its paper, and its docstring names what was changed for images of 32 x 32 pixels.
"""

import keras
from keras import layers

from dlkit.models.common import check_input_shape, check_integers, logits_layer
from dlkit.models.vision import residual_block
from dlkit.validation import check_integer


def build_lenet5(input_shape, num_classes):
    """LeNet-5: two 5x5 convolutions with tanh, two average-pooling layers, three dense layers. By hand in lesson 12.

    As is usual today, the second convolution is connected to all six channels (in the paper, each output channel is
    connected to some of them), the pooling layers have no weights, and the last layer is dense.

    Args:
        input_shape: Tuple (height, width, channels) of one image, at least 16 x 16 (32 x 32 in the paper).
        num_classes: Integer, number of logits.

    Returns:
        An uncompiled `keras.Model` from raw pixels of shape (batch, *input_shape) to logits (batch, num_classes).

    Example:
        >>> build_lenet5((32, 32, 1), 10).count_params()
        61706

    References:
        - [LeCun et al., 1998](https://doi.org/10.1109/5.726791), figure 2
    """
    return keras.Sequential(
        [
            keras.Input(check_input_shape(input_shape, smallest=16), name="pixels"),
            layers.Rescaling(1 / 127.5, offset=-1, name="scale"),
            layers.Conv2D(6, 5, activation="tanh", name="conv_1"),
            layers.AveragePooling2D(2, name="pool_1"),
            layers.Conv2D(16, 5, activation="tanh", name="conv_2"),
            layers.AveragePooling2D(2, name="pool_2"),
            layers.Flatten(name="flatten"),
            layers.Dense(120, activation="tanh", name="hidden_1"),
            layers.Dense(84, activation="tanh", name="hidden_2"),
            logits_layer(num_classes),
        ],
        name="lenet5",
    )


def build_alexnet(input_shape, num_classes, *, hidden=(4096, 4096)):
    """AlexNet: five convolutions with ReLU, overlapping max pooling, two large dense layers with dropout.

    For small images, the first convolution is 5x5 with stride 1, where the paper has 11x11 with stride 4 on 224 pixels.
    The numbers of channels are those of the paper. Its split over two GPUs and its local response normalization are
    left out.

    Args:
        input_shape: Tuple (height, width, channels) of one image, at least 15 x 15.
        num_classes: Integer, number of logits.
        hidden: Tuple of integers, units of each hidden dense layer, default (4096, 4096).

    Returns:
        An uncompiled `keras.Model` from raw pixels of shape (batch, *input_shape) to logits (batch, num_classes).

    Example:
        >>> alexnet = build_alexnet((32, 32, 3), 10, hidden=(64,))
        >>> sum(isinstance(layer, layers.Conv2D) for layer in alexnet.layers)
        5

    References:
        - [Krizhevsky et al., 2012](https://papers.nips.cc/paper/2012/hash/c399862d3b9d6b76c8436e924a68c45b-Abstract.html)
    """
    inputs = keras.Input(check_input_shape(input_shape, smallest=15), name="pixels")
    x = layers.Rescaling(1 / 127.5, offset=-1, name="scale")(inputs)
    for index, (channels, kernel_size) in enumerate([(96, 5), (256, 5), (384, 3), (384, 3), (256, 3)], start=1):
        x = _conv_relu(x, channels, kernel_size, name=f"conv_{index}")
        if index in (1, 2, 5):
            x = layers.MaxPooling2D(3, strides=2, name=f"pool_{index}")(x)
    return _dense_head(inputs, x, num_classes, hidden, "alexnet")


def build_vgg(input_shape, num_classes):
    """VGG-16: thirteen 3x3 convolutions in five stages, each followed by 2x2 max pooling, and three dense layers.

    The convolutions are those of the paper, without batch normalization. In the paper, the dense layers have 4,096
    units and follow a feature map of shape (7, 7, 512). Images of 32 x 32 pixels lead to a feature map of shape
    (1, 1, 512), so 512 units are enough.

    Args:
        input_shape: Tuple (height, width, channels) of one image, at least 32 x 32.
        num_classes: Integer, number of logits.

    Returns:
        An uncompiled `keras.Model` from raw pixels of shape (batch, *input_shape) to logits (batch, num_classes).

    Example:
        >>> vgg = build_vgg((32, 32, 3), 10)
        >>> sum(isinstance(layer, layers.Conv2D) for layer in vgg.layers)
        13

    References:
        - [Simonyan and Zisserman, 2014](https://arxiv.org/abs/1409.1556), table 1, configuration D
    """
    inputs = keras.Input(check_input_shape(input_shape, smallest=32), name="pixels")
    x = layers.Rescaling(1 / 127.5, offset=-1, name="scale")(inputs)
    for stage, (count, channels) in enumerate([(2, 64), (2, 128), (3, 256), (3, 512), (3, 512)], start=1):
        for index in range(1, count + 1):
            x = _conv_relu(x, channels, 3, name=f"stage_{stage}_conv_{index}")
        x = layers.MaxPooling2D(name=f"stage_{stage}_pool")(x)
    return _dense_head(inputs, x, num_classes, (512, 512), "vgg16")


def build_resnet(input_shape, num_classes, *, depth=20, channels=(16, 32, 64), shortcut="zeros"):
    """The residual network for CIFAR-10 of the ResNet paper, or the same network without shortcuts, named "plain".

    The network consists of a 3x3 convolution, three stages of residual blocks at full, half and quarter resolution,
    global average pooling, and one dense layer. Built by hand in lesson 12.

    Args:
        input_shape: Tuple (height, width, channels) of one image.
        num_classes: Integer, number of logits.
        depth: Integer, number of layers with weights, 6n + 2 for n blocks in each stage, such as 8, 20 (the default)
            or 110.
        channels: Tuple of three integers, the channels of each stage.
        shortcut: String or None, as for `models.residual_block`: "zeros" (the default, as in the paper), "projection",
            or None for the plain network without shortcuts.

    Returns:
        An uncompiled `keras.Model` from raw pixels of shape (batch, *input_shape) to logits (batch, num_classes).

    Raises:
        ValueError: If `depth` is not 6n + 2, or `shortcut` is another value.

    Example:
        >>> build_resnet((32, 32, 3), 10).count_params() == build_resnet((32, 32, 3), 10, shortcut=None).count_params()
        True

    References:
        - [He et al., 2015](https://arxiv.org/abs/1512.03385), section 4.2
    """
    channels = check_integers("channels", channels, shortest=3, longest=3)
    if check_integer("depth", depth, at_least=8) % 6 != 2:
        raise ValueError(f"Expected a depth of 6n + 2: 8, 14, 20, 32, 56 … Received: {depth}.")
    inputs = keras.Input(check_input_shape(input_shape), name="pixels")
    x = layers.Rescaling(1 / 64, offset=-2, name="scale")(inputs)
    x = layers.Conv2D(channels[0], 3, padding="same", use_bias=False, name="stem_conv")(x)
    x = layers.BatchNormalization(momentum=0.9, name="stem_norm")(x)
    x = layers.ReLU(name="stem_relu")(x)
    for stage, stage_channels in enumerate(channels, start=1):
        for block in range(1, (depth - 2) // 6 + 1):
            stride = 2 if stage > 1 and block == 1 else 1
            x = residual_block(x, stage_channels, stride=stride, shortcut=shortcut, name=f"stage_{stage}_block_{block}")
    x = layers.GlobalAveragePooling2D(name="mean")(x)
    return keras.Model(inputs, logits_layer(num_classes)(x), name=f"{'resnet' if shortcut else 'plain'}{depth}")


def _conv_relu(x, channels, kernel_size, *, name):
    # He initialization (arXiv 1502.01852) preserves the variance of the signal through many ReLUs without normalization
    return layers.Conv2D(
        channels, kernel_size, padding="same", activation="relu", kernel_initializer="he_normal", name=name
    )(x)


def _dense_head(inputs, x, num_classes, hidden, name):
    x = layers.Flatten(name="flatten")(x)
    for index, units in enumerate(check_integers("hidden", hidden), start=1):
        x = layers.Dense(units, activation="relu", kernel_initializer="he_normal", name=f"hidden_{index}")(x)
        x = layers.Dropout(0.5, name=f"dropout_{index}")(x)
    return keras.Model(inputs, logits_layer(num_classes)(x), name=name)
