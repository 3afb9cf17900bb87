"""What `load` returns: training and test data with a card that says what they are."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Dataset:
    """Training and test data with a card that says what they are; `print` it.

    Attributes:
        name: the name it was loaded by.
        train: (images, labels), arrays of equal length.
        test: (images, labels), never used in training.
        class_names: the name of label 0, 1, …
        origin: "real" or "stand-in".
        source: where it came from, without paths of this machine: "scikit-learn", "DLKIT_DATA", "generated" …
        about: a sentence on what it shows and who made it.
    """

    name: str
    train: tuple[np.ndarray, np.ndarray] = field(repr=False)
    test: tuple[np.ndarray, np.ndarray] = field(repr=False)
    class_names: list[str]
    origin: str
    source: str
    about: str = ""

    def __repr__(self):
        shape = " x ".join(str(size) for size in self.train[0].shape[1:])
        pixels = f"{shape}, {self.train[0].dtype}"
        return (
            f"{self.name}: {self.origin}, from {self.source}\n"
            f"  {len(self.train[1]):,} training and {len(self.test[1]):,} test images of {pixels}\n"
            f"  {len(self.class_names)} classes: {', '.join(self.class_names)}\n"
            f"  {self.about}"
        )
