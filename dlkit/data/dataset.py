"""What `data.load` returns: a training and a test split, with a summary that says what they are."""

from dataclasses import dataclass

import numpy as np
from sklearn.model_selection import train_test_split

from dlkit.validation import check_class_names, check_labels, check_texts


class DataError(ValueError):
    """Data that is not available, or a file or folder that does not hold the expected data."""


@dataclass(frozen=True)
class Dataset:
    """A training and a test split, with a summary that says what they are; `print` shows it.

    Attributes:
        name: String, the name of the data set.
        train: Tuple (images, labels) or (texts, labels) of arrays of equal length, in which images may be `LazyImages`;
            a string for one long text; a tuple (months, values) for a time series.
        test: The same for the test split, which is never used in training.
        class_names: List of strings, the names of labels 0, 1, …; empty where there are no labels.
        is_real: Boolean, False for a stand-in that is there so that lessons run without data.
        source: String, where the data came from, without paths of this machine: "scikit-learn", "DLKIT_DATA" …
        description: String, a sentence on what the data shows and who made it, default "".
        validation: The same as `test` for a validation split of its own; None (default) where there is none, so that it
            is taken from the training examples.
        copies: Integer, the number of test images whose files are copies of training images, default 0.

    Raises:
        ValueError: If there are class names, and they are not two or more different strings, or a split has not one
            label for each image or text, an integer from 0 to the number of classes less one.
    """

    name: str
    train: tuple[np.ndarray, np.ndarray] | str
    test: tuple[np.ndarray, np.ndarray] | str
    class_names: list[str]
    is_real: bool
    source: str
    description: str = ""
    validation: tuple[np.ndarray, np.ndarray] | None = None
    copies: int = 0

    def __post_init__(self):
        if self.class_names:
            num_classes = len(check_class_names(self.class_names))
            for split in ("train", "test", *(["validation"] if self.validation else [])):
                examples, labels = getattr(self, split)
                if examples.dtype == object:
                    check_texts(examples, name=f"the {split} texts of {self.name}")
                name = f"the {split} labels of {self.name}"
                labels = check_labels(labels, count=len(examples), num_classes=num_classes, name=name)
                object.__setattr__(self, split, (examples, labels))

    def __repr__(self):
        lines = [f"{self.name}: {'real' if self.is_real else 'stand-in'}, from {self.source}", self._sizes()]
        if self.class_names:
            names = self.class_names
            shown = names if len(names) <= 20 else [*names[:10], "…", names[-1]]
            lines.append(f"{len(names):,} classes: {', '.join(shown)}")
        return "\n  ".join([*lines, self.description])

    def _sizes(self):
        if isinstance(self.train, str):
            return f"{len(self.train):,} training and {len(self.test):,} test characters"
        first, counts = self.train[0], f"{len(self.train[1]):,} training and {len(self.test[1]):,} test"
        if self.validation:
            counts = counts.replace(" and", f", {len(self.validation[1]):,} validation and")
        if first.dtype == object:
            return f"{counts} texts of {np.mean([len(text.split()) for text in first]):.0f} words on average"
        if first.dtype.kind == "M":
            return f"{counts} months, {first[0]} to {first[-1]} and {self.test[0][0]} to {self.test[0][-1]}"
        place = "" if isinstance(first, np.ndarray) else ", decoded from disk as needed"
        return f"{counts} images of {' x '.join(map(str, first.shape[1:]))}, {first.dtype}{place}"


def hold_out(examples, labels, test_size):
    """((examples, labels), (examples, labels)): splits at random, with the same fractions of the classes in both."""
    splits = train_test_split(examples, labels, test_size=test_size, stratify=labels, random_state=0)
    return (splits[0], splits[2]), (splits[1], splits[3])
