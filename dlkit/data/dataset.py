"""What `load` returns: training and test data with a card that says what they are."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Dataset:
    """Training and test data with a card that says what they are; `print` it.

    Attributes:
        name: the name it was loaded by.
        train: (images, labels) or (texts, labels), arrays of equal length; one text for "prose"; (months, values) for
            "sunspots".
        test: the same kind of thing, never used in training.
        class_names: the name of label 0, 1, …; empty where there are no labels.
        origin: "real" or "stand-in".
        source: where it came from, without paths of this machine: "scikit-learn", "DLKIT_DATA", "generated" …
        about: a sentence on what it shows and who made it.
    """

    name: str
    train: tuple[np.ndarray, np.ndarray] | str = field(repr=False)
    test: tuple[np.ndarray, np.ndarray] | str = field(repr=False)
    class_names: list[str]
    origin: str
    source: str
    about: str = ""

    def __repr__(self):
        lines = [f"{self.name}: {self.origin}, from {self.source}", self._sizes()]
        if self.class_names:
            lines.append(f"{len(self.class_names)} classes: {', '.join(self.class_names)}")
        return "\n  ".join([*lines, self.about])

    def _sizes(self):
        if isinstance(self.train, str):
            return f"{len(self.train):,} training and {len(self.test):,} test characters"
        first, counts = self.train[0], f"{len(self.train[1]):,} training and {len(self.test[1]):,} test"
        if first.dtype == object:
            return f"{counts} texts of {np.mean([len(text.split()) for text in first]):.0f} words on average"
        if first.dtype.kind == "M":
            return f"{counts} months, {first[0]} to {first[-1]} and {self.test[0][0]} to {self.test[0][-1]}"
        return f"{counts} images of {' x '.join(map(str, first.shape[1:]))}, {first.dtype}"
