"""Readers of the file formats that image data sets come in. Each refuses what it cannot read, naming the file.

Nothing here trusts a file: pickles may hold NumPy arrays and plain containers only, archives are read member by
member and never unpacked, images are decoded by Pillow with its limit on size.
"""

from __future__ import annotations

import gzip
import io
import pickle
import struct
import tarfile
import zipfile
from pathlib import Path

import numpy as np

MOST = 500_000_000  # bytes that a file may unpack to; the largest of ours, CIFAR-10's archive, has 186,000,000


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
            found, size = {}, 0
            for member in tar:
                size += tarfile.BLOCKSIZE + member.size
                _refuse_above(MOST, size)  # before what follows is unpacked
                if member.isfile() and (name := Path(member.name).name) in names:
                    found[name] = tar.extractfile(member).read()
            return found
    except (tarfile.TarError, EOFError, OSError, ValueError, gzip.zlib.error) as error:
        raise DataError(f"{archive} is not a whole tar.gz archive: {error}. Delete it and fetch it again.") from error


def _refuse_above(most, size):
    """A small file may unpack to more than a memory holds."""
    if size > most:
        raise ValueError(f"it unpacks to more than {most:,} bytes")


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
        if content[:2] == b"\x1f\x8b":
            content = gzip.GzipFile(fileobj=io.BytesIO(content)).read(MOST + 1)
            _refuse_above(MOST, len(content))
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
        with zipfile.ZipFile(path) as members:
            _refuse_above(MOST, sum(member.file_size for member in members.infolist()))
        with np.load(path, allow_pickle=False) as arrays:
            return [arrays[name] for name in names]
    except Exception as error:  # zipfile and NumPy raise many kinds for a damaged file
        raise DataError(
            f"{path} is not a readable .npz with {names}: {error}. Delete it and fetch it again."
        ) from error
