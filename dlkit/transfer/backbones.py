"""Networks of `keras.applications` as backbones: raw pixels in, features out, the right preprocessing inside.

Resizing and scaling are layers of the model, so that pixels from 0 to 255 are right for every backbone and a saved
model cannot be fed wrongly.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import keras
from keras import layers

from dlkit import models
from dlkit.data import DataError, sources


@dataclass(frozen=True)
class Backbone:
    """How a network of `keras.applications` wants to be built and fed.

    Attributes:
        application: its name there.
        file: the file of its ImageNet weights without the classifier, as Keras itself names it.
        scaling: what its weights expect: "caffe" (blue, green, red minus ImageNet's channel means), "tf" (-1 to 1), or
            "inside" (0 to 255; the network scales).
        options: further arguments.
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
    "efficientnetv2b0": Backbone("EfficientNetV2B0", "efficientnetv2-b0_notop.h5", "inside"),
}


def build_backbone(name, input_shape, *, image_size=224, weights="imagenet", precision="float32"):
    """A network of `keras.applications` without its classifier, from raw pixels to one vector of features an image.

    Args:
        name: a key of `BACKBONES`; "mobilenet" is MobileNet at a quarter of its width (alpha 0.25).
        input_shape: (height, width, 3) of one image as it comes; pixels 0 to 255.
        image_size: height and width that the network works at; images are resized to it inside the model (bilinear).
        weights: "imagenet"; the path of a weights file; or None for random ones.
        precision: a Keras dtype policy such as "mixed_bfloat16".

    Returns:
        A flat, uncompiled `keras.Model` from (batch, height, width, 3) to (batch, features). Its layers have the names
        they have in `keras.applications`.

    Raises:
        DataError: when the weights are not at hand and cannot be downloaded, or are not this network's. They are never
            silently random.
        ValueError: for an unknown name.

    Source: the papers named in https://keras.io/api/applications.
    """
    if name not in BACKBONES:
        raise ValueError(f'Expected a backbone: {", ".join(BACKBONES)}. Received: "{name}".')
    backbone = BACKBONES[name]
    path = find_weights(name) if weights == "imagenet" else weights
    with models.dtype_policy(precision):
        inputs = keras.Input(input_shape, name="pixels")
        x = inputs
        if tuple(input_shape[:2]) != (image_size, image_size):
            # Not layers.Resizing: its argument training=True, the default, puts the batch normalisation of the whole
            # model into training mode when the model is called as `model(images)` (seen with Keras 3.15).
            x = keras.ops.image.resize(x, (image_size, image_size), interpolation="bilinear")
        build = getattr(keras.applications, backbone.application)
        x = _scale(x, backbone.scaling)
        whole = build(include_top=False, weights=None, input_tensor=x, pooling="avg", **backbone.options)
    model = keras.Model(inputs, whole.output, name=name)
    if path is not None:
        _load(model, path)
    return model


def _scale(x, scaling):
    if scaling == "tf":
        return layers.Rescaling(1 / 127.5, offset=-1, name="scale")(x)
    if scaling == "caffe":
        means = layers.Normalization(mean=[103.939, 116.779, 123.68], variance=[1.0] * 3, name="minus_means")
        return means(x[..., ::-1])
    return x


def _load(model, path):
    try:
        model.load_weights(path)
    except Exception as error:  # HDF5 and Keras raise many kinds for a file that is damaged or another network's
        raise DataError(f"{path} does not hold weights of {model.name}: {error}. Delete it or name another.") from error


def find_weights(name):
    """The file of a backbone's ImageNet weights: found on disk, else downloaded by Keras, which checks it.

    Looks in `weights/` of the folder that DLKIT_DATA names and of the project's `data/`, then in Keras's cache.

    Args:
        name: a key of `BACKBONES`.

    Returns:
        The file's path.

    Raises:
        DataError: when it is nowhere and cannot be downloaded: says where to put it.
    """
    backbone = BACKBONES[name]
    if found := sources.find_weights(backbone.file):
        return found[1]
    reason = "DLKIT_OFFLINE is set"
    if not sources.offline():
        try:
            build = getattr(keras.applications, backbone.application)
            build(include_top=False, weights="imagenet", input_shape=(224, 224, 3), **backbone.options)
            found = sources.find_weights(backbone.file)  # elsewhere when Keras's folder is read-only
            return found[1] if found else Path("/tmp/.keras/models", backbone.file)
        except Exception as error:  # Keras raises a bare Exception when a download fails
            reason = str(error)
    raise DataError(
        f"The ImageNet weights of {name} were not found and not downloaded ({reason}). Run this once with a network, "
        f"or put {backbone.file} into the folder weights/ of the folder that DLKIT_DATA names. "
        "Random weights must be asked for: weights=None (on the command line: --weights none)."
    )


def build_head(feature_shape, num_classes, *, hidden=(512,), dropout=0.3):
    """The dense layers that turn features into logits; `keras.Model(backbone.input, head(backbone.output))` joins both.

    Args:
        feature_shape: shape of one image's features, such as `backbone.output_shape[1:]`.
        num_classes: number of logits.
        hidden: units of the hidden layers, each with ReLU and dropout; `()` gives a linear head.
        dropout: share of the hidden units that is dropped in training.

    Returns:
        An uncompiled `keras.Sequential` named "head" from (batch, *feature_shape) to (batch, num_classes), float32.
    """
    head = [keras.Input(feature_shape, name="features")]
    for index, units in enumerate(hidden, start=1):
        head += [layers.Dense(units, activation="relu", name=f"hidden_{index}"), layers.Dropout(dropout)]
    return keras.Sequential([*head, layers.Dense(num_classes, dtype="float32", name="logits")], name="head")
