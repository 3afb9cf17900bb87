"""Image classifiers that take raw pixels (0 to 255) and return logits.

Each model scales the pixels itself, in its first layer, so a saved model cannot be given images in the wrong range. The
last layer has no softmax: the losses use `from_logits=True`, and `evaluate.predict_probs` turns logits into
probabilities.
"""

import keras
from keras import layers

from dlkit.models.common import check_input_shape, check_integers, dtype_policy, logits_layer
from dlkit.validation import check_integer


def build_mlp(input_shape, num_classes, *, hidden=(128, 64)):
    """Multilayer perceptron: the flattened image, dense layers with ReLU, logits. Built by hand in lesson 03.

    Args:
        input_shape: Tuple (height, width) or (height, width, channels), the shape of one image.
        num_classes: Integer, number of logits.
        hidden: Tuple of integers, units of each hidden layer, default (128, 64). `()` gives a linear classifier.

    Returns:
        An uncompiled `keras.Model` from raw pixels of shape (batch, *input_shape) to logits (batch, num_classes).

    Example:
        >>> build_mlp((8, 8), 10, hidden=(32,)).output_shape
        (None, 10)
    """
    inputs = keras.Input(check_input_shape(input_shape, gray=True), name="pixels")
    x = layers.Rescaling(1 / 255, name="scale")(inputs)
    x = layers.Flatten(name="flatten")(x)
    for index, units in enumerate(check_integers("hidden", hidden), start=1):
        x = layers.Dense(units, activation="relu", name=f"hidden_{index}")(x)
    return keras.Model(inputs, logits_layer(num_classes)(x), name="mlp")


def build_classic_cnn(input_shape, num_classes):
    """The CNN of many CIFAR-10 tutorials: three 3x3 convolutions, two max-pooling layers, two dense layers.

    Args:
        input_shape: Tuple (height, width, channels) of one image, at least 18 x 18.
        num_classes: Integer, number of logits.

    Returns:
        An uncompiled `keras.Model` from raw pixels of shape (batch, *input_shape) to logits (batch, num_classes).

    Example:
        >>> build_classic_cnn((32, 32, 3), 10).count_params()
        122570

    References:
        - [TensorFlow, Convolutional Neural Network (CNN)](https://www.tensorflow.org/tutorials/images/cnn)
    """
    return keras.Sequential(
        [
            keras.Input(check_input_shape(input_shape, smallest=18), name="pixels"),
            layers.Rescaling(1 / 255, name="scale"),
            layers.Conv2D(32, 3, activation="relu", name="conv_1"),
            layers.MaxPooling2D(name="pool_1"),
            layers.Conv2D(64, 3, activation="relu", name="conv_2"),
            layers.MaxPooling2D(name="pool_2"),
            layers.Conv2D(64, 3, activation="relu", name="conv_3"),
            layers.Flatten(name="flatten"),
            layers.Dense(64, activation="relu", name="hidden"),
            logits_layer(num_classes),
        ],
        name="classic_cnn",
    )


def residual_block(x, channels, *, stride=1, shortcut="projection", name):
    """Residual block: the sum of its input and the output of two 3x3 convolutions. Built by hand in lessons 11 and 12.

    Args:
        x: Keras tensor of shape (batch, height, width, input_channels).
        channels: Integer, number of output channels.
        stride: Integer, stride of the first convolution, default 1; 2 halves height and width.
        shortcut: String or None, what the shortcut does where the block changes the shape. "projection" (the default,
            option B of the paper) is a 1x1 convolution. "zeros" (option A) takes every `stride`-th pixel and adds
            channels of zeros. None leaves the shortcut out: a plain block of two convolutions, for comparison.
        name: String, prefix of the layer names.

    Returns:
        Keras tensor of shape (batch, height / stride, width / stride, channels).

    Raises:
        ValueError: If `shortcut` is another value, or zeros would have to remove channels.

    References:
        - [He et al., 2015](https://arxiv.org/abs/1512.03385), figure 2
    """
    if shortcut not in ("projection", "zeros", None):
        raise ValueError(f'Expected shortcut "projection", "zeros" or None. Received: {shortcut!r}.')
    check_integer("channels", channels, at_least=x.shape[-1] if shortcut == "zeros" else 1)
    residual = x
    x = layers.Conv2D(channels, 3, strides=stride, padding="same", use_bias=False, name=f"{name}_conv_1")(x)
    x = layers.BatchNormalization(momentum=0.9, name=f"{name}_norm_1")(x)
    x = layers.ReLU(name=f"{name}_relu_1")(x)
    x = layers.Conv2D(channels, 3, padding="same", use_bias=False, name=f"{name}_conv_2")(x)
    x = layers.BatchNormalization(momentum=0.9, name=f"{name}_norm_2")(x)
    if shortcut:
        if residual.shape != x.shape and shortcut == "projection":
            residual = layers.Conv2D(channels, 1, strides=stride, use_bias=False, name=f"{name}_shortcut")(residual)
        elif residual.shape != x.shape:
            residual = residual[:, ::stride, ::stride]
            residual = keras.ops.pad(residual, [[0, 0], [0, 0], [0, 0], [0, channels - residual.shape[-1]]])
        x = layers.Add(name=f"{name}_add")([x, residual])
    return layers.ReLU(name=f"{name}_relu_2")(x)


def build_small_resnet(input_shape, num_classes, *, channels=(32, 64, 128), precision=None):
    """A residual network for images of 32 x 32 pixels that can be trained on two processor cores during a class.

    A 4x4 convolution of stride 2 reduces the resolution at once, because the cost of a convolution grows with the size
    of the feature map. Then come residual blocks, each of which halves the resolution, and global average pooling.

    Args:
        input_shape: Tuple (height, width, channels) of one image.
        num_classes: Integer, number of logits.
        channels: Tuple of integers, the channels of the first convolution and then of each block.
        precision: String, a Keras dtype policy, such as `runtime.setup().precision`; None is the global policy.

    Returns:
        An uncompiled `keras.Model` from raw pixels (batch, *input_shape) to float32 logits (batch, num_classes).

    Example:
        >>> build_small_resnet((32, 32, 3), 10).output_shape
        (None, 10)
    """
    channels = check_integers("channels", channels, shortest=1)
    with dtype_policy(precision):
        inputs = keras.Input(check_input_shape(input_shape), name="pixels")
        x = layers.Rescaling(1 / 64, offset=-2, name="scale")(inputs)
        x = layers.Conv2D(channels[0], 4, strides=2, padding="same", activation="relu", name="stem")(x)
        for stage, stage_channels in enumerate(channels[1:], start=1):
            x = residual_block(x, stage_channels, stride=2, name=f"stage_{stage}_block_1")
        x = layers.GlobalAveragePooling2D(name="mean")(x)
        return keras.Model(inputs, logits_layer(num_classes)(x), name="small_resnet")
