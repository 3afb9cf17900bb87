"""Cached features of a frozen backbone: computed once, saved on disk, and read from there afterwards."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import math
import os
from pathlib import Path

import keras
import numpy as np

from dlkit import runtime
from dlkit.data import DataError


def cached_features(model, images, folder, *, batch_size=128, flipped=False):
    """The outputs of a frozen model for images, loaded from a file, or computed and saved.

    The file name is a hash of everything that determines the features (layers, weights and images), so features that
    are out of date are never read. Rows are appended as they are computed. When the process is killed, the next call
    resumes where the file ends.

    Args:
        model: A `keras.Model`, such as a backbone, or the lower model that `transfer.split_model` returns. It is used
            in inference mode.
        images: Array of shape (count, height, width, channels).
        folder: String or path of the folder for the files. It is created if it does not exist.
        batch_size: Integer, number of images in a batch, default 128.
        flipped: Boolean, whether the features of the horizontally flipped images are computed too, default False.

    Returns:
        float16 array of shape (count, *features), memory-mapped and read-only. With `flipped`, an array in memory of
        shape (2, count, *features): the features of the images, then those of the flipped images.

    Raises:
        DataError: If the disk is full or the folder cannot be written.
    """
    features = _load_or_compute(model, images, Path(folder), batch_size)
    if not flipped:
        return features
    return np.stack([features, _load_or_compute(model, images[:, :, ::-1], Path(folder), batch_size)])


def _load_or_compute(model, images, folder, batch_size):
    target = folder / f"{cache_key(model, images)}.npy"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not target.exists():
            _extract(model, images, target, batch_size)
    except OSError as error:
        raise DataError(
            f"The features could not be saved in {folder}: {error}. Free some space, or choose another folder."
        ) from error
    return np.load(target, mmap_mode="r")


def _extract(model, images, target, batch_size):
    """Appends the rows that are still missing and then renames the file, so a file named `target` is complete."""
    shape = (len(images), *model.output_shape[1:])
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f2", "fortran_order": False, "shape": shape})
    header_size, row_size = len(header.getvalue()), 2 * math.prod(shape[1:])
    part = target.with_suffix(".part")
    with open(part, "ab") as file:
        _lock(file)
        if not target.exists():  # otherwise another process has just finished it
            if file.seek(0, os.SEEK_END) < header_size:
                file.truncate(0)
                file.write(header.getvalue())
            done = (file.tell() - header_size) // row_size
            file.truncate(header_size + done * row_size)  # removes a row that was not finished
            starts = range(done, len(images), batch_size)
            for start in runtime.progress(starts, f"features of {model.name}, batches:"):
                features = model.predict_on_batch(images[start : start + batch_size])
                file.write(np.ascontiguousarray(features, "<f2"))
            file.flush()
            os.fsync(file.fileno())
    try:
        if target.exists():
            part.unlink(missing_ok=True)
        else:
            os.replace(part, target)
    except FileNotFoundError:  # another process has renamed the file since `target.exists()`
        if not target.exists():
            raise


def _lock(file):
    """Locks the file, or waits for the process that has locked it. A lock ends when its process ends."""
    with contextlib.suppress(ImportError):  # Windows does not have this lock
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX)


def cache_key(model, images):
    """A hash of everything that determines the features: it changes with any layer, any weight and any pixel.

    Args:
        model: A `keras.Model`.
        images: Array of shape (count, height, width, channels).

    Returns:
        String of 40 hexadecimal digits.
    """
    digest = hashlib.sha256()
    for operation in model.operations:  # without names, because Keras numbers some of them differently each time
        config = {key: value for key, value in operation.get_config().items() if key not in ("name", "trainable")}
        shape = keras.tree.map_structure(lambda tensor: list(tensor.shape), operation.output)
        digest.update(json.dumps([type(operation).__name__, config, shape], sort_keys=True, default=str).encode())
    for weight in model.weights:
        digest.update(np.ascontiguousarray(weight))
    digest.update(json.dumps([str(images.dtype), images.shape]).encode())
    digest.update(np.ascontiguousarray(images))
    return digest.hexdigest()[:40]
