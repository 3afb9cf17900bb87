"""What a frozen network makes of images, computed once and kept on disk: nothing frozen is computed twice."""

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
    """What `model` makes of `images`: from the file where it was kept, else computed and kept.

    The file is named by everything that decides its content (layers, weights, images), so that nothing stale is ever
    read. Rows are appended as they are computed; after a kill the next call goes on where the file ends.

    Args:
        model: a `keras.Model`, such as a backbone, or the lower part that `split` gives; used in inference mode.
        images: array of shape (count, height, width, channels).
        folder: where the files are; made when missing.
        batch_size: images at a time.
        flipped: True also computes the images mirrored left to right.

    Returns:
        float16 array, memory-mapped and read-only, of shape (count, *features); with `flipped` an array in memory of
        shape (2, count, *features): first the images as they are.

    Raises:
        DataError: when the disk is full or the folder cannot be written.
    """
    parts = [_load_or_compute(model, images, Path(folder), batch_size)]
    if not flipped:
        return parts[0]
    return np.stack([parts[0], _load_or_compute(model, images[:, :, ::-1], Path(folder), batch_size)])


def _load_or_compute(model, images, folder, batch_size):
    target = folder / f"{cache_key(model, images)}.npy"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not target.exists():
            _extract(model, images, target, batch_size)
    except OSError as error:
        raise DataError(
            f"Features could not be kept in {folder}: {error}. Make room, or choose another folder."
        ) from error
    return np.load(target, mmap_mode="r")


def _extract(model, images, target, batch_size):
    """Writes the rows that are still missing, then gives the file its name: what has that name is whole."""
    shape = (len(images), *model.output_shape[1:])
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f2", "fortran_order": False, "shape": shape})
    begin, row = len(header.getvalue()), 2 * math.prod(shape[1:])
    part = target.with_suffix(".part")
    with open(part, "ab") as file:
        _lock(file)
        if not target.exists():  # else another process has just finished it
            if file.seek(0, os.SEEK_END) < begin:
                file.truncate(0)
                file.write(header.getvalue())
            done = (file.tell() - begin) // row
            file.truncate(begin + done * row)  # a row that was not finished
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
    except FileNotFoundError:  # the other process was faster between two of our lines
        if not target.exists():
            raise


def _lock(file):
    """Waits while another process writes this file; a kill lets go of it."""
    with contextlib.suppress(ImportError):  # Windows has no such lock
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX)


def cache_key(model, images):
    """A name for what a model makes of images: changes with any layer, any weight, any pixel.

    Returns:
        40 hexadecimal digits.
    """
    digest = hashlib.sha256()
    for step in model.operations:  # without names, since Keras numbers some of them anew each time
        config = {key: value for key, value in step.get_config().items() if key not in ("name", "trainable")}
        shape = keras.tree.map_structure(lambda tensor: list(tensor.shape), step.output)
        digest.update(json.dumps([type(step).__name__, config, shape], sort_keys=True, default=str).encode())
    for weight in model.weights:
        digest.update(np.ascontiguousarray(weight))
    digest.update(json.dumps([str(images.dtype), images.shape]).encode())
    digest.update(np.ascontiguousarray(images))
    return digest.hexdigest()[:40]
