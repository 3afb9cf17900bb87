"""Readers of the file formats that image data sets come in. Each refuses what it cannot read, naming the file.

Nothing here trusts a file: pickles may hold NumPy arrays and plain containers only, archives are read member by
member and never unpacked, images are decoded by Pillow with its limit on size.
"""

from __future__ import annotations

import gzip
import io
import os
import pickle
import struct
import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from dlkit import runtime

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm")


class DataError(ValueError):
    """A file or folder that is there but cannot be used as the data it should be."""


class _ArraysOnly(pickle.Unpickler):
    """Admits what CIFAR's batches need (NumPy arrays of numbers, lists, dicts, bytes) and no other global name."""

    _allowed = {
        (module, name)
        for module in ("numpy", "numpy.core.multiarray", "numpy._core.multiarray")
        for name in ("_reconstruct", "ndarray", "dtype")
    } | {("_codecs", "encode")}

    def find_class(self, module, name):
        if (module, name) not in self._allowed:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, and a data set needs arrays only")
        return super().find_class(module, name)


def _unpickle(stream, file):
    try:
        return _ArraysOnly(stream, encoding="bytes").load()
    except Exception as error:  # a damaged pickle can raise almost anything
        raise DataError(f"{file} is not a readable CIFAR-10 batch: {error}. Delete it and fetch it again.") from error


def read_cifar_batches(source):
    """Reads CIFAR-10 in its original form: six pickled batches and `batches.meta`.

    Args:
        source: the folder `cifar-10-batches-py`, or the archive `cifar-10-python.tar.gz` that holds it.

    Returns:
        (train_images, train_labels), (test_images, test_labels), class_names; images uint8 of shape
        (count, 32, 32, 3), labels int64.

    Raises:
        DataError: when a batch is missing, damaged, of the wrong shape, or would run code.

    Source: Krizhevsky 2009, https://www.cs.toronto.edu/~kriz/cifar.html.
    """
    source = Path(source)
    names = [f"data_batch_{k}" for k in range(1, 6)] + ["test_batch", "batches.meta"]
    if source.is_dir():
        streams = {path.name: path.read_bytes() for path in source.iterdir() if path.name in names}
    else:
        streams = _members(source, names)
    if missing := [name for name in names if name not in streams]:
        raise DataError(f"{source} lacks {', '.join(missing)}. Delete it and fetch it again.")
    batches = {name: _unpickle(io.BytesIO(streams[name]), f"{source}/{name}") for name in names}
    arrays = [_cifar_batch(batches[name], f"{source}/{name}") for name in names[:6]]
    train = tuple(np.concatenate(parts) for parts in zip(*arrays[:5], strict=True))
    try:
        class_names = [name.decode() for name in batches["batches.meta"][b"label_names"]]
    except (KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{source}/batches.meta holds no label_names. Delete it and fetch it again.") from error
    return train, arrays[5], class_names


def _cifar_batch(batch, file):
    try:
        rows, labels = np.asarray(batch[b"data"]), np.asarray(batch[b"labels"], dtype="int64")
        if rows.dtype != np.uint8 or labels.ndim != 1:
            raise ValueError(f"data of type {rows.dtype}, labels of shape {labels.shape}")
        images = np.ascontiguousarray(rows.reshape(len(labels), 3, 32, 32).transpose(0, 2, 3, 1))
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"{file}: expected uint8 rows of 3,072 pixels and as many labels. Received: {error}."
        ) from error
    if len(labels) and not 0 <= labels.min() <= labels.max() <= 9:
        raise DataError(f"{file}: expected labels from 0 to 9. Received: {labels.min()} to {labels.max()}.")
    return images, labels


def _members(archive, names):
    """Reads the named members of a tar.gz into memory, so that no path in the archive is ever written to."""
    try:
        with tarfile.open(archive, "r:gz") as tar:
            files = {Path(m.name).name: m for m in tar if m.isfile() and m.size < 100_000_000}
            return {name: tar.extractfile(files[name]).read() for name in names if name in files}
    except (tarfile.TarError, EOFError, OSError) as error:
        raise DataError(f"{archive} is not a whole tar.gz archive: {error}. Delete it and fetch it again.") from error


def read_idx(path):
    """Reads an MNIST file: idx format, uint8, gzipped or not (http://yann.lecun.com/exdb/mnist, LeCun et al. 1998).

    Args:
        path: a file such as `t10k-images-idx3-ubyte.gz`.

    Returns:
        uint8 array of the shape that the file states.

    Raises:
        DataError: when the file is cut short, too long, or no idx file of bytes.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
        content = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
        zero, kind, rank = struct.unpack(">HBB", content[:4])
        shape = struct.unpack(f">{rank}I", content[4 : 4 + 4 * rank])
        if zero != 0 or kind != 8:
            raise ValueError("no idx file of unsigned bytes")
        return np.frombuffer(content, np.uint8, offset=4 + 4 * rank).reshape(shape)
    except (OSError, EOFError, ValueError, struct.error, gzip.zlib.error) as error:
        raise DataError(f"{path} is not a readable idx file: {error}. Delete it and fetch it again.") from error


def read_npz(path, names):
    """Reads arrays by name from a NumPy .npz file, pickled objects refused.

    Raises:
        DataError: when the file is damaged or lacks one of the names.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return [arrays[name] for name in names]
    except Exception as error:  # zipfile and NumPy raise many kinds for a damaged file
        raise DataError(
            f"{path} is not a readable .npz with {names}: {error}. Delete it and fetch it again."
        ) from error


def list_image_folder(folder):
    """Lists `folder/<class>/*` in sorted order, hidden files left out.

    Returns:
        files (list of Path), labels (int64 array), class_names (sorted names of the sub-folders).

    Raises:
        DataError: when there are no class folders, or one of them holds no image.
    """
    folder = Path(folder)
    classes = sorted(entry.name for entry in os.scandir(folder) if entry.is_dir() and not entry.name.startswith("."))
    if not classes:
        raise DataError(f"{folder} holds no class folders. Expected {folder}/<class>/<image>.")
    files, labels, empty = [], [], []
    for label, name in enumerate(classes):
        found = sorted(p for p in (folder / name).rglob("*") if _is_image(p.relative_to(folder)))
        files += found
        labels += [label] * len(found)
        if not found:
            empty.append(name)
    if empty:
        raise DataError(
            f"{folder}: no image in class folder {', '.join(empty)}. "
            f"Put images there ({', '.join(IMAGE_SUFFIXES)}) or remove the folder."
        )
    return files, np.array(labels, "int64"), classes


def _is_image(path):
    return path.suffix.lower() in IMAGE_SUFFIXES and not any(part.startswith(".") for part in path.parts)


def read_images(files, *, image_size=None):
    """Decodes images to RGB, two threads at a time.

    Greyscale, palette, alpha (on white) and CMYK images become RGB, and the camera's rotation is undone.

    Args:
        files: list of paths.
        image_size: (height, width) to resize to; None expects all images to have one size already.

    Returns:
        uint8 array of shape (count, height, width, 3).

    Raises:
        DataError: naming every file that is no image (the first twenty), or the sizes found when they differ.
    """
    broken = []

    def decode(file):
        try:
            return _decode(file, image_size)
        except (OSError, UnidentifiedImageError, Image.DecompressionBombError, ValueError, SyntaxError) as error:
            broken.append(f"  {file}: {error}")

    with ThreadPoolExecutor(2) as pool:  # a task for 500 files, since one for each costs more than the decoding
        pieces = [files[start : start + 500] for start in range(0, len(files), 500)]
        decoded = pool.map(lambda piece: [decode(file) for file in piece], pieces)
        parts = runtime.progress(decoded, "reading images, in 500s:", len(pieces))
        images = [image for part in parts for image in part]
    if broken:
        more = f"\n  and {len(broken) - 20} more" if len(broken) > 20 else ""
        raise DataError(
            f"{len(broken)} of {len(files)} files are no readable images. Repair or remove them:\n"
            + "\n".join(sorted(broken)[:20])
            + more
        )
    if len(sizes := {image.shape[:2] for image in images}) > 1:
        raise DataError(
            f"Expected images of one size. Received {len(sizes)} sizes, such as {sorted(sizes)[:3]} (height, width). "
            "Pass image_size=(height, width) to resize them."
        )
    return np.stack(images)


def _decode(file, image_size):
    with Image.open(file) as image:
        image = ImageOps.exif_transpose(image)
        if image.mode.startswith("I;16"):
            image = Image.fromarray((np.asarray(image) >> 8).astype("uint8"))
        if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA"))
        image = image.convert("RGB")
        if image_size is not None and image.size != tuple(image_size)[::-1]:
            image = image.resize(tuple(image_size)[::-1], Image.Resampling.BILINEAR)
        return np.asarray(image)
