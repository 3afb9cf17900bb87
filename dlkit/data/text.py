"""Texts and a time series: movie reviews to classify, prose for language models, and monthly sunspot numbers."""

from importlib import resources

import numpy as np

from dlkit.data import builtin_texts, download, locations
from dlkit.data.dataset import DataError, Dataset, hold_out
from dlkit.data.download import Download
from dlkit.runtime.network import is_offline

SUNSPOTS = resources.files("dlkit.data") / "files" / "sunspots.csv"
IMDB_URL = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"
# With the SHA-256 and the MD5 with which keras.datasets.imdb verifies them.
IMDB_FILES = {
    "imdb.npz": "69664113be75683a8fe16e3ed0ab59fda8886cb3cd7ada244f7d9544e4676b9f",
    "imdb_word_index.json": "bfafd718b763782e994055a2d397834f",
}
# The checksum was computed from a copy of 1,115,394 bytes.
TINY_SHAKESPEARE = Download(
    "tinyshakespeare.txt",
    "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
    (
        "https://storage.googleapis.com/download.tensorflow.org/data/shakespeare.txt",
        "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",
    ),
)


def read_rt_polarity(path, where):
    """Single sentences of movie reviews, positive or negative; a fifth of them is held out."""
    folder, label_of = path.parent, {}  # of equal sentences only the first is used, so that none is in both splits
    for label, name in enumerate(("rt-polarity.neg", "rt-polarity.pos")):
        lines = (folder / name).read_text(encoding="latin-1").split("\n")  # splitlines would also cut at \x85
        for sentence in filter(None, map(str.strip, lines)):
            label_of.setdefault(sentence, label)
        if (count := list(label_of.values()).count(label)) < 10:
            raise DataError(
                f"{folder / name}: expected a sentence in each line, ten or more that are not in the other file. "
                f"Received: {count}. Delete it and fetch it again."
            )
    splits = hold_out(np.array(list(label_of), object), np.array(list(label_of.values())), 0.2)
    description = (
        "Sentences of movie reviews, judged by their stars (Pang and Lee 2005); a fifth of them is held out here."
    )
    return Dataset("reviews", *splits, ["negative", "positive"], True, where, description)


def read_imdb(path, where):
    """Complete movie reviews, positive or negative, which Keras reads from its cache."""
    from keras.datasets import imdb

    fetch_imdb(path.parent)
    splits = imdb.load_data()
    names = {rank + 3: word for word, rank in imdb.get_word_index().items()}  # 0 to 2: padding, start, unknown words
    train, test = (
        (np.array([" ".join(names.get(number, "?") for number in review[1:]) for review in reviews], object), labels)
        for reviews, labels in splits
    )
    description = "50,000 movie reviews (Maas and others 2011), as Keras prepares them: lower case, no punctuation."
    return Dataset("imdb", train, test, ["negative", "positive"], True, where, description)


def fetch_imdb(folder=None):
    """Puts verified files of IMDB into Keras's cache: copies from a folder, or downloads. Returns the larger one."""
    sources = ([f"{folder.resolve().as_uri()}/"] if folder else []) + ([] if is_offline() else [IMDB_URL])
    for name, checksum in IMDB_FILES.items():
        file = Download(name, checksum, tuple(source + name for source in sources))
        download.fetch(file, locations.keras_datasets())
    return locations.keras_datasets() / "imdb.npz"


def read_docstrings():
    """The stand-in for movie reviews: first sentences of docstrings, labeled by library."""
    train, test, class_names = builtin_texts.docstrings()
    description = "Stand-in for movie reviews: real sentences, the openings of docstrings; the class is the library."
    return Dataset("docstrings", train, test, class_names, False, "installed libraries", description)


def read_prose(path, where):
    """Tiny Shakespeare as one long text; the last tenth is held out."""
    download.verify(path, TINY_SHAKESPEARE.sha256)
    description = "Plays of Shakespeare, 40,000 lines (Karpathy 2015, char-rnn)."
    return Dataset("prose", *_cut(path.read_text(encoding="utf-8")), [], True, where, description)


def read_python_topics():
    """The stand-in for Tiny Shakespeare: the topics of Python's built-in help; the last tenth is held out."""
    description = "Stand-in for Tiny Shakespeare: the topics of Python's built-in help."
    return Dataset("python_topics", *_cut(builtin_texts.python_topics()), [], False, "Python", description)


def _cut(text):
    """Training and test text: cuts at the last end of a line in the first nine tenths."""
    cut = text.rindex("\n", 0, int(0.9 * len(text))) + 1
    return text[:cut], text[cut:]


def read_sunspots():
    """Monthly mean sunspot numbers, January 1749 to December 1983; the last 30 years are held out."""
    months, values = np.loadtxt(SUNSPOTS, dtype=str, delimiter=",", skiprows=1, unpack=True)
    months, values = months.astype("datetime64[M]"), values.astype("float64")
    splits = (months[:-360], values[:-360]), (months[-360:], values[-360:])
    description = "Monthly means of the relative sunspot number (Zurich and Tokyo; Andrews and Herzberg 1985)."
    return Dataset("sunspots", *splits, [], True, "dlkit", description)
