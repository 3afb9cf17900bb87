"""Texts and a series by name: movie reviews to classify, prose to read letter by letter, monthly sunspot numbers."""

from __future__ import annotations

import csv
from importlib import resources

import numpy as np

from dlkit.data import builtin_texts, sources
from dlkit.data.dataset import Dataset
from dlkit.data.readers import DataError

SUNSPOTS = resources.files("dlkit.data") / "files" / "sunspots.csv"


def load_reviews(real):
    """Movie reviews: single sentences (rt-polarity) where found, else IMDB's through Keras, else docstrings."""
    found = sources.find(sources.FORMS["reviews"])
    if found:
        return _rt_polarity(found[1].parent, found[0])
    cached = imdb_is_cached()
    if (cached or not sources.offline()) and (reviews := _imdb("Keras's cache" if cached else "download")):
        return reviews
    if real:
        raise sources.unobtainable("reviews", "rt-polarity.pos and rt-polarity.neg, or Keras's imdb.npz")
    sources.notice("reviews", "the first sentences of docstrings, to be told apart by library")
    train, test, class_names = builtin_texts.docstrings()
    about = "Stand-in for movie reviews: real sentences, the openings of docstrings; the class is the library."
    return Dataset("reviews", train, test, class_names, False, "installed libraries", about)


def _rt_polarity(folder, label):
    texts, labels = [], []
    for value, name in enumerate(("rt-polarity.neg", "rt-polarity.pos")):
        try:
            lines = (folder / name).read_text(encoding="latin-1").split("\n")  # splitlines would also cut at \x85
        except OSError as error:
            raise DataError(f"{folder} lacks {name}. Put it beside the other, or take both away.") from error
        kept = [line.strip() for line in lines if line.strip()]
        texts += kept
        labels += [value] * len(kept)
        if len(set(kept)) < 10:
            raise DataError(
                f"{folder / name}: expected a sentence in each line, ten or more. Received: {len(set(kept))}. "
                "Delete it and fetch it again."
            )
    about = "Sentences of movie reviews, judged by their stars (Pang and Lee 2005); a fifth of them is held out here."
    train, test = split_texts(texts, labels)
    return Dataset("reviews", train, test, ["negative", "positive"], True, label, about)


def split_texts(texts, labels, *, share=0.2):
    """Splits texts at random into training and test part, in equal shares of the classes; no text is in both.

    Args:
        texts: list of strings; of equal ones the first is kept.
        labels: list of integers.
        share: share of the texts that is held out.

    Returns:
        ((texts, labels), (texts, labels)): arrays of dtype object and int64.
    """
    from sklearn.model_selection import train_test_split

    label_of = {}
    for text, label in zip(texts, labels, strict=True):
        label_of.setdefault(text, label)
    texts, labels = np.array(list(label_of), object), np.array(list(label_of.values()), "int64")
    parts = train_test_split(texts, labels, test_size=share, stratify=labels, random_state=0)
    return (parts[0], parts[2]), (parts[1], parts[3])


def imdb_is_cached():
    """True when Keras has both files of its IMDB reviews, so that it needs no network for them."""
    cache = dict(sources.search_folders()).get("Keras's cache")
    return cache is not None and all((cache / name).exists() for name in ("imdb.npz", "imdb_word_index.json"))


def _imdb(label):
    from keras.datasets import imdb

    try:  # Keras checks its files' hashes, and fetches what is missing
        parts, words = imdb.load_data(), imdb.get_word_index()
    except Exception as error:  # Keras raises a bare Exception when the network fails
        print(f"IMDB's reviews could not be loaded: {error}")
        return None
    names = {rank + 3: word for word, rank in words.items()}  # 0, 1 and 2 stand for padding, start and unknown words

    def decoded(part):
        texts = [" ".join(names.get(number, "?") for number in review[1:]) for review in part[0]]
        return np.array(texts, object), np.asarray(part[1], "int64")

    about = "50,000 movie reviews (Maas and others 2011), as Keras prepares them: lower case, no punctuation."
    return Dataset("reviews", *map(decoded, parts), ["negative", "positive"], True, label, about)


def load_prose(real):
    """A long text in two parts: Tiny Shakespeare, else Python's own documentation. The last tenth is for testing."""
    if found := sources.find_or_fetch("prose"):
        try:
            text = found[1].read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise DataError(f"{found[1]} is no text in UTF-8: {error}. Delete it and fetch it again.") from error
        if "\n" not in text[: int(0.9 * len(text))]:
            raise DataError(
                f"{found[1]}: expected a text of many lines. Received {len(text):,} characters without a line break in "
                "the first nine tenths. Delete it and fetch it again."
            )
        about = "Plays of Shakespeare, 40,000 lines (Karpathy 2015, char-rnn)."
        return _prose(text, True, found[0], about)
    if real:
        raise sources.unobtainable("prose", "tinyshakespeare.txt")
    sources.notice("prose", "the Python documentation that comes with every Python")
    about = "Stand-in for Tiny Shakespeare: the topics of Python's built-in help."
    return _prose(builtin_texts.python_topics(), False, "Python", about)


def _prose(text, is_real, source, about):
    cut = text.rindex("\n", 0, int(0.9 * len(text))) + 1
    return Dataset("prose", text[:cut], text[cut:], [], is_real, source, about)


def load_sunspots(real):
    """Monthly mean sunspot numbers, January 1749 to December 1983; the last 30 years are for testing."""
    try:
        months, values = _monthly(SUNSPOTS)
    except (OSError, ValueError, csv.Error) as error:
        raise DataError(
            f"{SUNSPOTS} is part of dlkit and not a readable table: {error}. Install dlkit again."
        ) from error
    cut = len(values) - 360
    about = "Monthly means of the relative sunspot number (Zurich and Tokyo; Andrews and Herzberg 1985)."
    parts = (months[:cut], values[:cut]), (months[cut:], values[cut:])
    return Dataset("sunspots", *parts, [], True, "dlkit", about)


def _monthly(path):
    """Months and values of a table; a ValueError that names the first line that is neither."""
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
