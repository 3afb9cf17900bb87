"""Pretrained backbones: raw pixels in, features out, with the preprocessing inside the model.

Resizing and scaling are part of the model, so every backbone takes pixels from 0 to 255, and a saved model cannot be
given images in the wrong range.
"""

import contextlib
from dataclasses import dataclass, field
from pathlib import Path

import keras
from keras import layers

from dlkit.data import download, locations
from dlkit.data.dataset import DataError
from dlkit.models.common import check_input_shape, check_integers, dtype_policy, logits_layer
from dlkit.runtime import network
from dlkit.transfer.efficientnet import add_lite0, download_lite0
from dlkit.validation import check_finite, check_integer, check_number


@dataclass(frozen=True)
class Backbone:
    """How a pretrained network is built, and which inputs its ImageNet weights expect."""

    application: str  # name of the network in keras.applications, or in keras_hub.models
    path: str  # of the weights without the classifier, below WEIGHTS_URL; or the name of a folder with a preset
    scaling: str  # "caffe" (blue, green, red, minus ImageNet's means), "tf" (-1 to 1), or "preset" (as it says)
    md5: str | None = None  # of the file, where Keras publishes one
    options: dict = field(default_factory=dict)  # further arguments of the function in keras.applications

    @property
    def file(self):
        return self.path.rpartition("/")[2]


WEIGHTS_URL = "https://storage.googleapis.com/tensorflow/keras-applications/"
BACKBONES = {
    "resnet50": Backbone(
        "ResNet50",
        "resnet/resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "caffe",
        "4d473c1dd8becc155b73f8504c6f6626",
    ),
    "mobilenet": Backbone("MobileNet", "mobilenet/mobilenet_2_5_224_tf_no_top.h5", "tf", options={"alpha": 0.25}),
    "efficientnet_lite0": Backbone("EfficientNetBackbone", "efficientnet_lite0", "preset"),
}


def build_backbone(name, input_shape, *, image_size=224, weights="imagenet", precision=None):
    """A pretrained network without its classifier, from raw pixels to one feature vector per image.

    Args:
        name: String, a key of `transfer.BACKBONES`: "resnet50", "mobilenet" (a quarter of the channels, alpha 0.25) or
            "efficientnet_lite0".
        input_shape: Tuple (height, width, 3), the shape of one image before resizing. Pixels are between 0 and 255.
        image_size: Integer, height and width at which the network works, 32 or more, default 224. The model resizes its
            inputs to it (bilinear interpolation).
        weights: String or path: "imagenet" (the default), or a weights file. None gives random weights.
        precision: String, a Keras dtype policy such as "mixed_bfloat16"; None, the default, is Keras's global policy.

    Returns:
        A flat, uncompiled `keras.Model` from (batch, height, width, 3) to (batch, features). Its layers have the same
        names as in `keras.applications` or KerasHub.

    Raises:
        DataError: If the weights are not found and cannot be downloaded, are damaged, or belong to another network. The
            weights are never random without being asked for.
        ValueError: If `name` is unknown, or the images are too small or have no three channels.
    """
    backbone, image_size = _get_backbone(name), check_integer("image_size", image_size, at_least=32)
    if check_input_shape(input_shape)[2] != 3:
        raise ValueError(
            f"Expected input_shape (height, width, 3), because {name} was trained on color images. Received: "
            f"{input_shape}. Give gray images three equal channels: `images.repeat(3, axis=-1)`."
        )
    path = find_weights(name) if weights == "imagenet" else weights
    with dtype_policy(precision):
        inputs = x = keras.Input(input_shape, name="pixels")
        if tuple(input_shape[:2]) != (image_size, image_size):
            # Not layers.Resizing: the default of its argument, training=True, puts the batch normalization of the whole
            # model into training mode when the model is called as `model(images)` (seen with Keras 3.15).
            x = keras.ops.image.resize(x, (image_size, image_size), interpolation="bilinear")
        if backbone.scaling == "preset":
            preset = path if path and Path(path).is_dir() else None  # or else a file with weights of this model
            with _reading_weights(name, path) if preset else contextlib.nullcontext():
                outputs = add_lite0(x, preset)
        else:
            build, preset, x = getattr(keras.applications, backbone.application), None, _scale(x, backbone.scaling)
            outputs = build(include_top=False, weights=None, input_tensor=x, pooling="avg", **backbone.options).output
    model = keras.Model(inputs, outputs, name=name)
    if path is not None:
        if not preset:
            _load(model, path, backbone.md5 if weights == "imagenet" else None)
        with _reading_weights(name, path):
            for weight in model.weights:
                check_finite(weight.path, keras.ops.convert_to_numpy(weight))
    return model


def _get_backbone(name):
    if name not in BACKBONES:
        raise ValueError(f"Expected a backbone: {', '.join(BACKBONES)}. Received: {name!r}.")
    return BACKBONES[name]


def _scale(x, scaling):
    if scaling == "tf":
        return layers.Rescaling(1 / 127.5, offset=-1, name="scale")(x)
    means = layers.Normalization(mean=[103.939, 116.779, 123.68], variance=[1.0] * 3, name="subtract_means")
    return means(x[..., ::-1])


@contextlib.contextmanager
def _reading_weights(name, path):
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:  # HDF5 and Keras raise many kinds for a file that is damaged or of another network
        raise DataError(
            f"{path} does not hold weights of {name}: {error}. Delete it or choose another file."
        ) from error


def _load(model, path, md5):
    if not Path(path).is_file():
        raise DataError(f'Expected weights "imagenet", None or a weights file. Received: {path}, which is not a file.')
    if md5:
        download.verify(path, md5)
    with _reading_weights(model.name, path):
        model.load_weights(path)


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
        ValueError: If `name` is unknown.
    """
    backbone = _get_backbone(name)
    if found := locations.find_weights(backbone.file):
        return found[1]
    reason = "DLKIT_OFFLINE is set"
    if not network.is_offline():
        url = WEIGHTS_URL + backbone.path
        try:
            if backbone.scaling == "preset":
                return download_lite0()
            with download.connection():
                return Path(keras.utils.get_file(backbone.file, url, cache_subdir="models", file_hash=backbone.md5))
        except Exception as error:  # Keras raises a bare Exception when a download fails
            reason = network.describe_error(error)
    raise DataError(
        f"The ImageNet weights of {name} were not found and not downloaded ({reason}). Run this once with a network "
        f"connection, or put {backbone.file} into the folder weights/ of the folder that DLKIT_DATA names. "
        "For random weights, pass weights=None (on the command line: --weights none)."
    )


def build_head(feature_shape, num_classes, *, hidden=(512,), dropout=0.3):
    """A classification head: dense layers that turn features into logits.

    `keras.Model(backbone.input, head(backbone.output))` connects a backbone and a head.

    Args:
        feature_shape: Tuple (features,), the shape of the features of one image: `backbone.output_shape[1:]`.
        num_classes: Integer, number of logits.
        hidden: Tuple of integers, units of the hidden layers, each with ReLU and dropout, default (512,). `()` gives a
            linear head.
        dropout: Float, fraction of the hidden units that is dropped in training, default 0.3.

    Returns:
        An uncompiled `keras.Sequential` named "head" from (batch, features) to (batch, num_classes), with float32
        logits.

    Example:
        >>> build_head((256,), 10, hidden=()).count_params()
        2570
    """
    head = [keras.Input(check_integers("feature_shape", feature_shape, shortest=1, longest=1), name="features")]
    check_number("dropout", dropout, at_least=0, at_most=0.99)
    for index, units in enumerate(check_integers("hidden", hidden), start=1):
        head += [layers.Dense(units, activation="relu", name=f"hidden_{index}"), layers.Dropout(dropout)]
    return keras.Sequential([*head, logits_layer(num_classes)], name="head")
