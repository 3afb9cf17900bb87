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
    """Where a data set comes from, and how it is read."""

    read: Callable[..., Dataset]  # (path, where), where "DLKIT_DATA" or "download"; of data with an origin ()
    origin: str = ""  # of data that is always there, such as "scikit-learn"
    paths: tuple[str, ...] = ()  # relative to a search folder, best first
    download: Download | Callable[[], Path] | None = None  # the function lets Keras fetch its files
    not_read: tuple[str, ...] = ()  # what may lie there too and is not read, for the reason in `needs`
    fallback: tuple[str, ...] = ()  # names of the data sets that take its place, best first
    needs: str = ""  # what to do without a network, for the error message
    is_real: bool = True  # False for a stand-in: data that is there so that lessons run without data
    summary: str = ""  # what the data is, for the message when it is used as a fallback


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
            "mnist/t10k-images-idx3-ubyte.gz",
            "t10k-images-idx3-ubyte.gz",
            "mnist.npz",  # as Keras caches it
        ),
        download=images.MNIST,
        fallback=("digits28",),
        needs="set DLKIT_DATA to a folder that holds mnist.npz, or the publisher's files train-images-idx3-ubyte.gz, "
        "train-labels-idx1-ubyte.gz, t10k-images-idx3-ubyte.gz and t10k-labels-idx1-ubyte.gz",
    ),
    "cifar10": Source(
        read=images.read_cifar10,
        paths=(
            "cifar10.npz",  # is read in a second, the archive takes several
            "cifar-10-python.tar.gz",
            images.CIFAR10.filename,  # as Keras caches the archive
        ),
        download=images.fetch_cifar10,
        not_read=("cifar-10-batches-py", "cifar10/train"),
        fallback=("shapes10",),
        needs="set DLKIT_DATA to a folder that holds cifar10.npz or cifar-10-python.tar.gz. The unpacked "
        "cifar-10-batches-py has no checksum, and its files are pickles, which can run code; class folders are read by "
        "data.image_folder",
    ),
    "shapes10": Source(read=images.read_shapes10, origin="generated", is_real=False, summary="drawn by this program"),
    "reviews": Source(
        read=text.read_rt_polarity,
        paths=("rt-polarity/rt-polarity.pos", "rt-polarity/rt-polarity.neg"),
        fallback=("imdb", "docstrings"),
        needs="set DLKIT_DATA to a folder that holds rt-polarity/rt-polarity.pos and rt-polarity/rt-polarity.neg",
    ),
    "imdb": Source(
        read=text.read_imdb,
        paths=("imdb.npz",),
        download=text.fetch_imdb,
        fallback=("docstrings",),
        needs="set DLKIT_DATA to a folder that holds imdb.npz and imdb_word_index.json, as Keras caches them",
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
        paths=("tinyshakespeare.txt", "tinyshakespeare/tinyshakespeare.txt"),
        download=text.TINY_SHAKESPEARE,
        fallback=("python_topics",),
        needs="set DLKIT_DATA to a folder that holds tinyshakespeare.txt",
    ),
    "python_topics": Source(
        read=text.read_python_topics, origin="Python", is_real=False, summary="the text of Python's built-in help"
    ),
    "sunspots": Source(read=text.read_sunspots, origin="dlkit: sunspots.csv"),
}
NAMES = tuple(REGISTRY)
