"""Backbones from `keras.applications`: raw pixels in, features out, with the preprocessing inside the model.

Resizing and scaling are part of the model, so every backbone takes pixels from 0 to 255, and a saved model cannot be
given images in the wrong range.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import keras
from keras import layers

from dlkit import models
from dlkit.data import DataError, locations
from dlkit.runtime.network import is_offline


@dataclass(frozen=True)
class Backbone:
    """How a network of `keras.applications` is built, and which inputs its ImageNet weights expect.

    Attributes:
        application: String, name of the network in `keras.applications`.
        file: String, file name of its ImageNet weights without the classifier, as Keras names it.
        scaling: String, the inputs that the weights expect: "caffe" (blue, green, red, minus the channel means of
            ImageNet), "tf" (-1 to 1), or "internal" (0 to 255, which the network scales itself).
        options: Dictionary of further arguments for the function in `keras.applications`.
    """

    application: str
    file: str
    scaling: str
    options: dict = field(default_factory=dict)


_KERNELS = "weights_tf_dim_ordering_tf_kernels"
BACKBONES = {
    "resnet50": Backbone("ResNet50", f"resnet50_{_KERNELS}_notop.h5", "caffe"),
    "resnet50v2": Backbone("ResNet50V2", f"resnet50v2_{_KERNELS}_notop.h5", "tf"),
    "mobilenet": Backbone("MobileNet", "mobilenet_2_5_224_tf_no_top.h5", "tf", {"alpha": 0.25}),
    "mobilenetv2": Backbone("MobileNetV2", f"mobilenet_v2_{_KERNELS}_1.0_224_no_top.h5", "tf"),
    "efficientnetv2b0": Backbone("EfficientNetV2B0", "efficientnetv2-b0_notop.h5", "internal"),
}


def build_backbone(name, input_shape, *, image_size=224, weights="imagenet", precision="float32"):
    """A network of `keras.applications` without its classifier, from raw pixels to one feature vector per image.

    Args:
        name: String, a key of `transfer.BACKBONES`. "mobilenet" is MobileNet with a quarter of the channels (alpha
            0.25).
        input_shape: Tuple (height, width, 3), the shape of one image before resizing. Pixels are between 0 and 255.
        image_size: Integer, height and width at which the network works, default 224. The model resizes its inputs to
            it (bilinear interpolation).
        weights: String or path: "imagenet" (the default), or a weights file. None gives random weights.
        precision: String, a Keras dtype policy such as "mixed_bfloat16", default "float32".

    Returns:
        A flat, uncompiled `keras.Model` from (batch, height, width, 3) to (batch, features). Its layers have the same
        names as in `keras.applications`.

    Raises:
        DataError: If the weights are not found and cannot be downloaded, or belong to another network. The weights are
            never random without being asked for.
        ValueError: If `name` is unknown.

    References:
        - [Keras Applications](https://keras.io/api/applications), which names the paper of each network
    """
    if name not in BACKBONES:
        raise ValueError(f'Expected a backbone: {", ".join(BACKBONES)}. Received: "{name}".')
    backbone = BACKBONES[name]
    path = find_weights(name) if weights == "imagenet" else weights
    with models.dtype_policy(precision):
        inputs = keras.Input(input_shape, name="pixels")
        x = inputs
        if tuple(input_shape[:2]) != (image_size, image_size):
            # Not layers.Resizing: the default of its argument, training=True, puts the batch normalization of the whole
            # model into training mode when the model is called as `model(images)` (seen with Keras 3.15).
            x = keras.ops.image.resize(x, (image_size, image_size), interpolation="bilinear")
        build = getattr(keras.applications, backbone.application)
        x = _scale(x, backbone.scaling)
        application = build(include_top=False, weights=None, input_tensor=x, pooling="avg", **backbone.options)
    model = keras.Model(inputs, application.output, name=name)
    if path is not None:
        _load(model, path)
    return model


def _scale(x, scaling):
    if scaling == "tf":
        return layers.Rescaling(1 / 127.5, offset=-1, name="scale")(x)
    if scaling == "caffe":
        means = layers.Normalization(mean=[103.939, 116.779, 123.68], variance=[1.0] * 3, name="subtract_means")
        return means(x[..., ::-1])
    return x


def _load(model, path):
    try:
        model.load_weights(path)
    except Exception as error:  # HDF5 and Keras raise many kinds for a file that is damaged or of another network
        raise DataError(
            f"{path} does not hold weights of {model.name}: {error}. Delete it or choose another file."
        ) from error


def find_weights(name):
    """Finds the file of a backbone's ImageNet weights on disk, or else lets Keras download it.

    The folders that are searched are `weights/` in the folder that DLKIT_DATA names, `weights/` in the project's
    `data/`, and Keras's cache.

    Args:
        name: String, a key of `transfer.BACKBONES`.

    Returns:
        Path of the file.

    Raises:
        DataError: If the file is not found and cannot be downloaded. The message says where to put it.
    """
    backbone = BACKBONES[name]
    if found := locations.find_weights(backbone.file):
        return found[1]
    reason = "DLKIT_OFFLINE is set"
    if not is_offline():
        try:
            build = getattr(keras.applications, backbone.application)
            build(include_top=False, weights="imagenet", input_shape=(224, 224, 3), **backbone.options)
            found = locations.find_weights(backbone.file)
            return found[1] if found else _keras_fallback_directory() / "models" / backbone.file
        except Exception as error:  # Keras raises a bare Exception when a download fails
            reason = str(error)
    raise DataError(
        f"The ImageNet weights of {name} were not found and not downloaded ({reason}). Run this once with a network "
        f"connection, or put {backbone.file} into the folder weights/ of the folder that DLKIT_DATA names. "
        "For random weights, pass weights=None (on the command line: --weights none)."
    )


def _keras_fallback_directory():
    """The directory that Keras uses when its own, `~/.keras`, is read-only."""
    return Path("/tmp" if Path("/tmp").is_dir() else tempfile.gettempdir(), ".keras")


def build_head(feature_shape, num_classes, *, hidden=(512,), dropout=0.3):
    """A classification head: dense layers that turn features into logits.

    `keras.Model(backbone.input, head(backbone.output))` connects a backbone and a head.

    Args:
        feature_shape: Tuple, the shape of the features of one image, such as `backbone.output_shape[1:]`.
        num_classes: Integer, number of logits.
        hidden: Tuple of integers, units of the hidden layers, each with ReLU and dropout, default (512,). `()` gives a
            linear head.
        dropout: Float, fraction of the hidden units that is dropped in training, default 0.3.

    Returns:
        An uncompiled `keras.Sequential` named "head" from (batch, *feature_shape) to (batch, num_classes), with float32
        logits.

    Example:
        >>> build_head((256,), 10, hidden=()).count_params()
        2570
    """
    head = [keras.Input(feature_shape, name="features")]
    for index, units in enumerate(hidden, start=1):
        head += [layers.Dense(units, activation="relu", name=f"hidden_{index}"), layers.Dropout(dropout)]
    return keras.Sequential([*head, layers.Dense(num_classes, dtype="float32", name="logits")], name="head")
