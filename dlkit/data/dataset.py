"""What `data.load` returns: a training and a test split, with a summary that says what they are."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np


class DataError(ValueError):
    """Data that is not available, or a file or folder that does not hold the expected data."""


@dataclass(frozen=True)
class Dataset:
    """A training and a test split, with a summary that says what they are; `print` shows it.

    Attributes:
        name: String, the name of the data set.
        train: Tuple (images, labels) or (texts, labels) of arrays of equal length; a string for one long text; a tuple
            (months, values) for a time series.
        test: The same for the test split, which is never used in training.
        class_names: List of strings, the names of labels 0, 1, …; empty where there are no labels.
        is_real: Boolean, False for a stand-in that is there so that lessons run without data.
        source: String, where the data came from, without paths of this machine: "scikit-learn", "DLKIT_DATA" …
        description: String, a sentence on what the data shows and who made it, default "".

    Raises:
        ValueError: If there are class names, and a split has labels that are not integers from 0 to the number of
            classes less one, or not one label for each image or text.
    """

    name: str
    train: tuple[np.ndarray, np.ndarray] | str = field(repr=False)
    test: tuple[np.ndarray, np.ndarray] | str = field(repr=False)
    class_names: list[str]
    is_real: bool
    source: str
    description: str = ""

    def __post_init__(self):
        if self.class_names:
            self._check_labels("train", *self.train)
            self._check_labels("test", *self.test)

    def _check_labels(self, split, examples, labels):
        labels, classes = np.asarray(labels), len(self.class_names)
        are_integers = labels.dtype.kind in "iu" and np.isin(labels, np.arange(classes)).all()
        if not are_integers or labels.shape != (len(examples),):
            values = f" from {labels.min()} to {labels.max()}" if labels.size and labels.dtype.kind in "iuf" else ""
            raise ValueError(
                f"{self.name}: expected {len(examples):,} labels in {split}, integers from 0 to {classes - 1} for "
                f"{classes} class names. Received: {labels.dtype} of shape {labels.shape}{values}. Number the classes "
                "from 0, and name each of them in class_names."
            )

    def __repr__(self):
        lines = [f"{self.name}: {'real' if self.is_real else 'stand-in'}, from {self.source}", self._sizes()]
        if self.class_names:
            lines.append(f"{len(self.class_names)} classes: {', '.join(self.class_names)}")
        return "\n  ".join([*lines, self.description])

    def _sizes(self):
        if isinstance(self.train, str):
            return f"{len(self.train):,} training and {len(self.test):,} test characters"
        first, counts = self.train[0], f"{len(self.train[1]):,} training and {len(self.test[1]):,} test"
        if first.dtype == object:
            return f"{counts} texts of {np.mean([len(text.split()) for text in first]):.0f} words on average"
        if first.dtype.kind == "M":
            return f"{counts} months, {first[0]} to {first[-1]} and {self.test[0][0]} to {self.test[0][-1]}"
        return f"{counts} images of {' x '.join(map(str, first.shape[1:]))}, {first.dtype}"
