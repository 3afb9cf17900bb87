"""Cached features of a frozen backbone: computed once, saved on disk, and read from there afterwards."""

import errno
import hashlib
import json
import math
import os
from pathlib import Path

import keras
import numpy as np
from tqdm import tqdm

from dlkit.data.dataset import DataError
from dlkit.evaluate import check_inputs
from dlkit.validation import CHUNK, check_finite, check_integer

ADVICE = {errno.ENOSPC: "Free some space.", errno.EDQUOT: "Free some space.", errno.EMFILE: "Close other programs."}


def cached_features(model, images, folder, *, batch_size=128):
    """The outputs of a frozen model for images, loaded from a file, or computed and saved.

    The file name is a hash of everything that determines the features (layers, weights and images), so features that
    are out of date are never read. Batches are written as they are computed. When the process is killed, the next call
    resumes where the file ends. Several processes may work on the same file: they write the same values.

    Args:
        model: A `keras.Model` with one output, such as a backbone, or the lower model that `transfer.split_model`
            returns. It is used in inference mode.
        images: Array of shape (count, height, width, channels).
        folder: String or path of the folder for the files. It is created if it does not exist.
        batch_size: Integer, number of images in a batch, default 128.

    Returns:
        float16 array of shape (count, *features), memory-mapped and read-only. It is float32 if a feature is too large
        for 16 bits, which end at 65,504.

    Raises:
        DataError: If the disk is full or the folder cannot be written.
        ValueError: If the images do not fit the model, or a feature is NaN or infinite.
    """
    images, batch_size = check_inputs(model, images), check_integer("batch_size", batch_size)
    shape = model.output_shape
    if not isinstance(shape, tuple) or None in shape[1:]:
        raise ValueError(f"Expected a model with one output of a fixed shape. Received: {model.name} with {shape}.")
    shape, file = (len(images), *shape[1:]), Path(folder) / cache_key(model, images)
    half, single = file.with_suffix(".float16"), file.with_suffix(".float32")  # rows of numbers, without a header
    try:
        if not single.exists():
            try:
                return _load_or_compute(model, images, half, "float16", shape, batch_size)
            except FloatingPointError:  # a feature is too large
                half.unlink(missing_ok=True)
        return _load_or_compute(model, images, single, "float32", shape, batch_size)
    except OSError as error:
        advice = ADVICE.get(error.errno, "Choose another folder.")
        raise DataError(f"The features could not be saved in {folder}: {error}. {advice}") from error


def _load_or_compute(model, images, file, dtype, shape, batch_size):
    """Writes the rows that the file does not hold yet. Its size says how many it holds, since it has no header."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()
    size, row = file.stat().st_size, math.prod(shape[1:]) * np.dtype(dtype).itemsize
    if size < shape[0] * row:
        start = size // (batch_size * row) * batch_size  # a batch that was not finished is computed again
        with open(file, "r+b") as out, np.errstate(over="raise"):
            out.seek(start * row)
            for first in tqdm(range(start, shape[0], batch_size), f"features of {model.name}", delay=1, disable=None):
                features = model.predict_on_batch(np.asarray(images[first : first + batch_size])).astype("float32")
                out.write(np.ascontiguousarray(check_finite("features", features), dtype))
                out.flush()
            os.fsync(out.fileno())
    return np.memmap(file, dtype, mode="r", shape=shape)


def cache_key(model, images):
    """A hash of everything that determines the features: it changes with any layer, any weight and any pixel."""
    digest = hashlib.sha256(_describe(model).encode())
    for weight in model.weights:
        digest.update(np.ascontiguousarray(weight))
    digest.update(json.dumps([str(images.dtype), images.shape]).encode())
    for start in range(0, len(images), CHUNK):
        digest.update(np.ascontiguousarray(images[start : start + CHUNK]))
    return digest.hexdigest()[:40]


def _describe(model):
    """The configuration of a model as text, with numbers for names, some of which Keras changes each time."""
    text = json.dumps(model.get_config(), sort_keys=True, default=str)
    text = text.replace('"trainable": false', '"trainable": true')  # which does not change the features
    for number, name in enumerate(map(json.dumps, _layer_names(model))):
        text = text.replace(f'"name": {name}', f'"name": {number}').replace(f"[{name}, ", f"[{number}, ")
    return text


def _layer_names(model):
    yield model.name
    for layer in getattr(model, "operations", model.layers):  # a sequential model has layers only
        yield from _layer_names(layer) if isinstance(layer, keras.Model) else [layer.name]
