"""Readers of the file formats of image data sets. Each names a file that it cannot read.

No file is trusted: pickles may hold only arrays and plain containers and cannot call any code, archives are read member
by member and never unpacked, and what would unpack to more than `MAX_UNPACKED` bytes is refused before it does.
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

from dlkit.data.dataset import DataError

MAX_UNPACKED = 500_000_000  # bytes; the largest known file, CIFAR-10's archive, has 186,000,000


class _Array:
    """Replaces NumPy's arrays and dtypes while a pickle is read, and only stores what it is given."""

    def __init__(self, *arguments):
        self.arguments, self.state = arguments, None

    def __setstate__(self, state):
        self.state = state

    def pixels(self):
        """The uint8 array that was pickled. Raises a ValueError if it was something else."""
        _, shape, kind, fortran, content = self.state
        if kind.arguments[0] != "u1" or type(content) is not bytes:
            raise ValueError(f"pixels of type {kind.arguments[0]}")
        return np.frombuffer(content, np.uint8).reshape(shape, order="F" if fortran else "C")


_ALLOWED = {
    ("numpy.core.multiarray", "_reconstruct"): _Array,
    ("numpy._core.multiarray", "_reconstruct"): _Array,
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Array,
    ("_codecs", "encode"): lambda text, encoding="latin1": text.encode("latin1"),
}


class _ArraysOnly(pickle.Unpickler):
    """Allows what CIFAR's batches need (arrays, lists, dicts, bytes), and calls no code of NumPy or anyone else."""

    def find_class(self, module, name):
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, and a data set needs arrays only")
        return _ALLOWED[module, name]


def _unpickle(content, file):
    try:
        for opcode, number, _ in pickletools.genops(content):
            if "PUT" in opcode.name and number > len(content):  # ten bytes that would allocate gigabytes
                raise ValueError("invalid memo index")
        return _ArraysOnly(io.BytesIO(content), encoding="bytes").load()
    except Exception as error:  # a damaged pickle can raise almost anything
        raise DataError(f"{file} is not a readable CIFAR-10 batch: {error}. Delete it and fetch it again.") from error


def read_cifar_batches(source):
    """Reads CIFAR-10 in its original form: six pickled batches and `batches.meta`.

    Args:
        source: String or path, the folder `cifar-10-batches-py`, or the archive `cifar-10-python.tar.gz` of it.

    Returns:
        ((train_images, train_labels), (test_images, test_labels), class_names): images are uint8 of shape
        (count, 32, 32, 3), labels int64 of shape (count,), class names a list of ten strings.

    Raises:
        DataError: If a batch is missing, damaged, of the wrong shape, or would run code.

    References:
        - [Krizhevsky, 2009](https://www.cs.toronto.edu/~kriz/cifar.html)
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
        raise DataError(f"{file} does not hold ten label_names. Delete it and fetch it again.")
    return [name.decode("latin1") for name in names]


def _cifar_batch(batch, file):
    try:
        rows, labels = batch[b"data"].pixels(), batch[b"labels"]
        if type(labels) is not list or {type(label) for label in labels} - {int}:
            raise ValueError("labels that are not integers")
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
                _check_unpacked_size(size)  # before what follows is unpacked
                if member.isfile() and (name := Path(member.name).name) in names:
                    found[name] = tar.extractfile(member).read()
            return found
    except (tarfile.TarError, EOFError, OSError, ValueError, gzip.zlib.error) as error:
        raise DataError(f"{archive} is truncated or not a tar.gz archive: {error}. {_suggest_fix(error)}.") from error


def _suggest_fix(error):
    return "Make the file readable" if isinstance(error, PermissionError) else "Delete it and fetch it again"


def _check_unpacked_size(size):
    """Raises a ValueError if a size is too large, since a small file may unpack to more than the memory holds."""
    if size > MAX_UNPACKED:
        raise ValueError(f"it unpacks to more than {MAX_UNPACKED:,} bytes")


def read_idx(path):
    """Reads an MNIST file: idx format, uint8, gzipped or not.

    Args:
        path: String or path of a file such as `t10k-images-idx3-ubyte.gz`.

    Returns:
        uint8 array of the shape that the file states.

    Raises:
        DataError: If the file is truncated, too long, or not an idx file of bytes.

    References:
        - [LeCun, Cortes and Burges, 1998](http://yann.lecun.com/exdb/mnist)
    """
    path = Path(path)
    try:
        content = path.read_bytes()
        if content[:2] == b"\x1f\x8b":
            content = gzip.GzipFile(fileobj=io.BytesIO(content)).read(MAX_UNPACKED + 1)
            _check_unpacked_size(len(content))
        zero, kind, rank = struct.unpack(">HBB", content[:4])
        shape = struct.unpack(f">{rank}I", content[4 : 4 + 4 * rank])
        if zero != 0 or kind != 8:
            raise ValueError("not an idx file of unsigned bytes")
        return np.frombuffer(content, np.uint8, offset=4 + 4 * rank).reshape(shape)
    except (OSError, EOFError, ValueError, struct.error, gzip.zlib.error) as error:
        raise DataError(f"{path} is not a readable idx file: {error}. {_suggest_fix(error)}.") from error


def read_npz(path, names):
    """Reads arrays by name from a NumPy .npz file, without pickled objects.

    Args:
        path: String or path of the file.
        names: List of strings, the names of the arrays.

    Returns:
        List of arrays, in the order of the names.

    Raises:
        DataError: If the file is damaged, lacks one of the names, or holds pickled objects under them.
    """
    try:
        with zipfile.ZipFile(path) as members:
            _check_unpacked_size(sum(member.file_size for member in members.infolist()))
        with np.load(path, allow_pickle=False) as arrays:
            found = [arrays[name] for name in names]
        if foreign := [name for name, array in zip(names, found, strict=True) if not isinstance(array, np.ndarray)]:
            raise ValueError(f"{', '.join(foreign)} is not an array")
        return found
    except Exception as error:  # zipfile and NumPy raise many kinds for a damaged file
        raise DataError(f"{path} is not a readable .npz with {names}: {error}. {_suggest_fix(error)}.") from error
