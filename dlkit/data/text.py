"""Texts and a time series: movie reviews to classify, prose for language models, and monthly sunspot numbers."""

from __future__ import annotations

import csv
from importlib import resources

import numpy as np
from sklearn.model_selection import train_test_split

from dlkit.data import builtin_texts, locations
from dlkit.data.dataset import DataError, Dataset

SUNSPOTS = resources.files("dlkit.data") / "files" / "sunspots.csv"


def read_rt_polarity(path, where):
    """Single sentences of movie reviews, positive or negative; a fifth of them is held out."""
    folder, texts, labels = path.parent, [], []
    for label, name in enumerate(("rt-polarity.neg", "rt-polarity.pos")):
        try:
            lines = (folder / name).read_text(encoding="latin-1").split("\n")  # splitlines would also cut at \x85
        except FileNotFoundError as error:
            raise DataError(f"{folder} lacks {name}. Put it next to the other, or remove it too.") from error
        sentences = [line.strip() for line in lines if line.strip()]
        texts += sentences
        labels += [label] * len(sentences)
        if len(set(sentences)) < 10:
            raise DataError(
                f"{folder / name}: expected a sentence in each line, ten or more. Received: {len(set(sentences))}. "
                "Delete it and fetch it again."
            )
    description = (
        "Sentences of movie reviews, judged by their stars (Pang and Lee 2005); a fifth of them is held out here."
    )
    return Dataset("reviews", *split_texts(texts, labels), ["negative", "positive"], True, where, description)


def split_texts(texts, labels, *, test_size=0.2):
    """Splits texts at random into a training and a test split, with the same fractions of the classes in both.

    No text is in both splits: of equal texts only the first is used.

    Args:
        texts: List of strings.
        labels: List of integers.
        test_size: Float, the fraction of the texts that is held out, default 0.2.

    Returns:
        ((texts, labels), (texts, labels)): arrays of dtype object and int64.
    """
    label_of = {}
    for text, label in zip(texts, labels, strict=True):
        label_of.setdefault(text, label)
    texts, labels = np.array(list(label_of), object), np.array(list(label_of.values()), "int64")
    splits = train_test_split(texts, labels, test_size=test_size, stratify=labels, random_state=0)
    return (splits[0], splits[2]), (splits[1], splits[3])


def read_imdb(path, where):
    """Complete movie reviews, positive or negative, from the files that Keras caches and verifies."""
    try:
        splits, words = _load_from_keras()
    except Exception as error:  # a damaged file can make Keras raise almost anything
        raise DataError(f"{path} could not be read: {error}. Delete it and fetch it again.") from error
    names = {rank + 3: word for word, rank in words.items()}  # 0, 1 and 2 stand for padding, start and unknown words

    def decode(split):
        texts = [" ".join(names.get(number, "?") for number in review[1:]) for review in split[0]]
        return np.array(texts, object), np.asarray(split[1], "int64")

    description = "50,000 movie reviews (Maas and others 2011), as Keras prepares them: lower case, no punctuation."
    return Dataset("imdb", *map(decode, splits), ["negative", "positive"], True, where, description)


def download_imdb():
    """Lets Keras download the IMDB reviews into its cache. Returns the path of the larger file."""
    try:
        _load_from_keras()
    except Exception as error:  # Keras raises a bare Exception when the network fails
        raise DataError(f"IMDB's reviews could not be loaded: {error}") from error
    return locations.keras_datasets() / "imdb.npz"


def _load_from_keras():
    from keras.datasets import imdb

    return imdb.load_data(), imdb.get_word_index()


def read_docstrings():
    """The stand-in for movie reviews: first sentences of docstrings, labeled by library."""
    train, test, class_names = builtin_texts.docstrings()
    description = "Stand-in for movie reviews: real sentences, the openings of docstrings; the class is the library."
    return Dataset("docstrings", train, test, class_names, False, "installed libraries", description)


def read_prose(path, where):
    """Tiny Shakespeare as one long text; the last tenth is held out."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not a text in UTF-8: {error}. Delete it and fetch it again.") from error
    if "\n" not in text[: int(0.9 * len(text))]:
        raise DataError(
            f"{path}: expected a text of many lines. Received {len(text):,} characters without a line break in "
            "the first nine tenths. Delete it and fetch it again."
        )
    description = "Plays of Shakespeare, 40,000 lines (Karpathy 2015, char-rnn)."
    return Dataset("prose", *_cut(text), [], True, where, description)


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
    try:
        months, values = _read_months(SUNSPOTS)
    except (OSError, ValueError, csv.Error) as error:
        raise DataError(
            f"{SUNSPOTS} is part of dlkit and not a readable table: {error}. Install dlkit again."
        ) from error
    cut = len(values) - 360
    splits = (months[:cut], values[:cut]), (months[cut:], values[cut:])
    description = "Monthly means of the relative sunspot number (Zurich and Tokyo; Andrews and Herzberg 1985)."
    return Dataset("sunspots", *splits, [], True, "dlkit", description)


def _read_months(path):
    """Months and values of a table. Raises a ValueError that names the first line that cannot be read."""
    months, values = [], []
    with path.open(newline="", encoding="ascii") as file:
        rows = csv.reader(file)
        if (head := next(rows, [])) != ["month", "sunspots"]:
            raise ValueError(f"expected the columns month,sunspots in line 1, received {','.join(head)}")
        for row in rows:
            try:
                month, value = row
                months.append(np.datetime64(month, "M"))
                values.append(float(value))
                if not np.isfinite(values[-1]) or np.isnat(months[-1]) or len(month) != 7:
                    raise ValueError
            except ValueError as error:
                raise ValueError(
                    f"expected a month such as 1749-01 and a number in line {rows.line_num}, received {','.join(row)}"
                ) from error
    if len(values) < 720:
        raise ValueError(f"expected sixty years of months or more, received {len(values)} rows")
    return np.array(months, "datetime64[M]"), np.array(values)
