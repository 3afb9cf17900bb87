"""The data sets by name: where each of them comes from, how it is read, and what replaces it when it is not available.

A new data set takes one entry in `REGISTRY` with its reader, one test, and one row in data/README.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dlkit.data import images, text
from dlkit.data.dataset import Dataset
from dlkit.data.download import Download


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where a data set comes from, and how it is read.

    Attributes:
        read: Function (path, where) -> `Dataset`, where `path` is the file or folder that was found or downloaded and
            `where` a string such as "DLKIT_DATA" or "download". With an `origin` it is a function without arguments.
        origin: String, where data comes from that is always there, such as "scikit-learn"; default "".
        paths: Tuple of strings, the relative paths under which the data may lie in a search folder, best first.
        keras_files: Tuple of strings, the files in Keras's cache, for a data set that Keras itself downloads.
        download: A `Download`, the file to fetch when none is found; or a function () -> path that lets Keras fetch
            its files and raises a `DataError` when that fails; or None (the default).
        fallback: Tuple of strings, names of the data sets that are used when this one is not available, best first.
        needs: String, what to do without a network, for the error message.
        is_real: Boolean, default True. False for a stand-in: data that is there so that lessons run without data.
        summary: String, what the data is, for the message when it is used as a fallback.
    """

    read: Callable[..., Dataset]
    origin: str = ""
    paths: tuple[str, ...] = ()
    keras_files: tuple[str, ...] = ()
    download: Download | Callable[[], Path] | None = None
    fallback: tuple[str, ...] = ()
    needs: str = ""
    is_real: bool = True
    summary: str = ""


# The checksums of CIFAR-10 and MNIST are those with which Keras 3 verifies its own downloads (keras.datasets); the one
# of the prose was computed from a copy of 1,115,394 bytes.
REGISTRY = {
    "digits": Source(read=images.read_digits, origin="scikit-learn"),
    "digits28": Source(
        read=images.read_digits28,
        origin="scikit-learn",
        is_real=False,
        summary="scikit-learn's digits, enlarged to 28 x 28 and shifted",
    ),
    "mnist": Source(
        read=images.read_mnist,
        paths=(
            *(f"{folder}t10k-images-idx3-ubyte{end}" for folder in ("mnist/", "MNIST/raw/", "") for end in ("", ".gz")),
            "mnist.npz",
            "mnist/mnist.npz",
        ),
        download=Download(
            "mnist.npz",
            "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1",
            11_490_434,
            (
                "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz",
                "https://s3.amazonaws.com/img-datasets/mnist.npz",
            ),
        ),
        fallback=("digits28",),
        needs="set DLKIT_DATA to a folder that holds mnist.npz, or the idx files train-images-idx3-ubyte.gz and its "
        "three companions",
    ),
    "cifar10": Source(
        read=images.read_cifar10,
        paths=(
            "cifar10.npz",  # is read in a second, the others take several
            "cifar-10-batches-py",
            "cifar10/cifar-10-batches-py",
            "cifar-10-python.tar.gz",
            "cifar10",
            "cifar-10-batches-py-target/cifar-10-batches-py",  # where Keras 3 caches it
        ),
        download=Download(
            "cifar-10-python.tar.gz",
            "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
            170_498_071,
            ("https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",),
        ),
        fallback=("shapes10",),
        needs="set DLKIT_DATA to a folder that holds cifar10.npz, cifar-10-python.tar.gz, cifar-10-batches-py/, or "
        "cifar10/{train,test}/<class>/",
    ),
    "shapes10": Source(read=images.read_shapes10, origin="generated", is_real=False, summary="drawn by this program"),
    "reviews": Source(
        read=text.read_rt_polarity,
        paths=("rt-polarity/rt-polarity.pos", "rt-polaritydata/rt-polarity.pos", "rt-polarity.pos"),
        fallback=("imdb", "docstrings"),
        needs="set DLKIT_DATA to a folder that holds rt-polarity.pos and rt-polarity.neg",
    ),
    "imdb": Source(
        read=text.read_imdb,
        keras_files=("imdb.npz", "imdb_word_index.json"),
        download=text.download_imdb,
        fallback=("docstrings",),
        needs="put imdb.npz and imdb_word_index.json into the folder datasets of Keras's cache",
        summary="the 50,000 movie reviews that Keras provides",
    ),
    "docstrings": Source(
        read=text.read_docstrings,
        origin="installed libraries",
        is_real=False,
        summary="the first sentences of docstrings, to be classified by library",
    ),
    "prose": Source(
        read=text.read_prose,
        paths=("tinyshakespeare.txt", "tinyshakespeare/tinyshakespeare.txt", "tinyshakespeare/input.txt"),
        download=Download(
            "tinyshakespeare.txt",
            "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
            1_115_394,
            (
                "https://storage.googleapis.com/download.tensorflow.org/data/shakespeare.txt",
                "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",
            ),
        ),
        fallback=("python_topics",),
        needs="set DLKIT_DATA to a folder that holds tinyshakespeare.txt",
    ),
    "python_topics": Source(
        read=text.read_python_topics, origin="Python", is_real=False, summary="the text of Python's built-in help"
    ),
    "sunspots": Source(read=text.read_sunspots, origin="dlkit: sunspots.csv"),
}
NAMES = tuple(REGISTRY)
