"""The data sets by name: where each of them comes from, how it is read, and what replaces it when it is not available.

A new data set takes one entry in `REGISTRY` with its reader, one test, and one row in data/README.md.
"""

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
    origin: str = ""  # of data that is always there, such as "scikit-learn"; as a fallback it is a stand-in
    paths: tuple[str, ...] = ()  # relative to a search folder, best first
    download: Download | Callable[[], Path] | None = None  # the function lets Keras fetch its files
    not_read: tuple[str, ...] = ()  # what may lie there too and is not read, for the reason in `needs`
    fallback: tuple[str, ...] = ()  # names of the data sets that take its place, best first
    needs: str = ""  # the files that DLKIT_DATA has to hold without a network, for the error message


REGISTRY = {
    "digits": Source(read=images.read_digits, origin="scikit-learn"),
    "digits28": Source(read=images.read_digits28, origin="scikit-learn"),
    "mnist": Source(
        read=images.read_mnist,
        paths=("mnist/t10k-images-idx3-ubyte.gz", "t10k-images-idx3-ubyte.gz", images.MNIST.filename),
        download=images.MNIST,
        fallback=("digits28",),
        needs="mnist.npz, or the publisher's files train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz, "
        "t10k-images-idx3-ubyte.gz and t10k-labels-idx1-ubyte.gz",
    ),
    "cifar10": Source(
        read=images.read_cifar10,
        paths=("cifar10.npz", "cifar-10-python.tar.gz", images.CIFAR10.filename),  # the last is Keras's name for it
        download=images.fetch_cifar10,
        not_read=("cifar-10-batches-py", "cifar10/train"),
        fallback=("shapes10",),
        needs="cifar10.npz or cifar-10-python.tar.gz. The unpacked cifar-10-batches-py has no checksum, and its files "
        "are pickles, which can run code; class folders are read by data.image_folder",
    ),
    "shapes10": Source(read=images.read_shapes10, origin="generated"),
    "reviews": Source(
        read=text.read_rt_polarity,
        paths=("rt-polarity/rt-polarity.pos", "rt-polarity/rt-polarity.neg"),
        fallback=("imdb", "docstrings"),
        needs="rt-polarity/rt-polarity.pos and rt-polarity/rt-polarity.neg",
    ),
    "imdb": Source(
        read=text.read_imdb,
        paths=("imdb.npz",),
        download=text.fetch_imdb,
        fallback=("docstrings",),
        needs="imdb.npz and imdb_word_index.json, as Keras caches them",
    ),
    "docstrings": Source(read=text.read_docstrings, origin="installed libraries"),
    "prose": Source(
        read=text.read_prose,
        paths=("tinyshakespeare.txt", "tinyshakespeare/tinyshakespeare.txt"),
        download=text.TINY_SHAKESPEARE,
        fallback=("python_topics",),
        needs="tinyshakespeare.txt",
    ),
    "python_topics": Source(read=text.read_python_topics, origin="Python"),
    "sunspots": Source(read=text.read_sunspots, origin="dlkit: sunspots.csv"),
}
NAMES = tuple(REGISTRY)
