"""Readers of the file formats that image data sets come in. Each refuses what it cannot read, naming the file.

Nothing here trusts a file: pickles may hold arrays and plain containers only and call no one's code, archives are read
member by member and never unpacked, and what would unpack to more than `MOST` bytes is refused before it does.
"""

from __future__ import annotations

import gzip
import io
import pickle
import pickletools
import struct
import tarfile
import zipfile
from pathlib import Path

import numpy as np

MOST = 500_000_000  # bytes that a file may unpack to; the largest of ours, CIFAR-10's archive, has 186,000,000


class DataError(ValueError):
    """A file or folder that is there but cannot be used as the data it should be."""


class _Array:
    """Takes the place of NumPy's arrays and types while a pickle is read, and only keeps what it is given."""

    def __init__(self, *arguments):
        self.arguments, self.state = arguments, None

    def __setstate__(self, state):
        self.state = state

    def pixels(self):
        """The uint8 array that was pickled; a ValueError when it was none."""
        _, shape, kind, fortran, content = self.state
        if kind.arguments[0] != "u1" or type(content) is not bytes:
            raise ValueError(f"pixels of type {kind.arguments[0]}")
        return np.frombuffer(content, np.uint8).reshape(shape, order="F" if fortran else "C")


_ADMITTED = {
    ("numpy.core.multiarray", "_reconstruct"): _Array,
    ("numpy._core.multiarray", "_reconstruct"): _Array,
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Array,
    ("_codecs", "encode"): lambda text, encoding="latin1": text.encode("latin1"),
}


class _ArraysOnly(pickle.Unpickler):
    """Admits what CIFAR's batches need (arrays, lists, dicts, bytes), and calls nothing of NumPy's or anyone's."""

    def find_class(self, module, name):
        if (module, name) not in _ADMITTED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, and a data set needs arrays only")
        return _ADMITTED[module, name]


def _unpickle(content, file):
    try:
        for opcode, number, _ in pickletools.genops(content):
            if "PUT" in opcode.name and number > len(content):  # ten bytes that make room for gigabytes
                raise ValueError("it numbers more objects than it can hold")
        return _ArraysOnly(io.BytesIO(content), encoding="bytes").load()
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
        contents = {path.name: path.read_bytes() for path in source.iterdir() if path.name in names}
    else:
        contents = _members(source, names)
    if missing := [name for name in names if name not in contents]:
        raise DataError(f"{source} lacks {', '.join(missing)}. Delete it and fetch it again.")
    batches = {name: _unpickle(contents[name], f"{source}/{name}") for name in names}
    arrays = [_cifar_batch(batches[name], f"{source}/{name}") for name in names[:6]]
    train = tuple(np.concatenate(parts) for parts in zip(*arrays[:5], strict=True))
    return train, arrays[5], _class_names(batches["batches.meta"], f"{source}/batches.meta")


def _class_names(meta, file):
    names = meta.get(b"label_names") if isinstance(meta, dict) else None
    if not isinstance(names, list) or len(names) != 10 or {type(name) for name in names} != {bytes}:
        raise DataError(f"{file} holds no ten label_names. Delete it and fetch it again.")
    return [name.decode("latin1") for name in names]


def _cifar_batch(batch, file):
    try:
        rows, labels = batch[b"data"].pixels(), batch[b"labels"]
        if type(labels) is not list or {type(label) for label in labels} - {int}:
            raise ValueError("labels that are no whole numbers")
        images = np.ascontiguousarray(rows.reshape(len(labels), 3, 32, 32).transpose(0, 2, 3, 1))
        if not labels or not 0 <= min(labels) <= max(labels) <= 9:
            raise ValueError("labels that are not from 0 to 9")
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise DataError(
            f"{file}: expected uint8 rows of 3,072 pixels and as many labels. Received: {error}."
        ) from error
    return images, np.array(labels, "int64")


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
            found = [arrays[name] for name in names]
        if foreign := [name for name, array in zip(names, found, strict=True) if not isinstance(array, np.ndarray)]:
            raise ValueError(f"{', '.join(foreign)} is no array")
        return found
    except Exception as error:  # zipfile and NumPy raise many kinds for a damaged file
        raise DataError(
            f"{path} is not a readable .npz with {names}: {error}. Delete it and fetch it again."
        ) from error
