"""What a recipe is: the settings of a training that belong together, and how to train with them."""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path
from typing import Any, ClassVar

from dlkit import data, runtime
from dlkit.data import Dataset


@dataclass(frozen=True)
class Job:
    """One training: what a recipe is given besides its settings.

    Attributes:
        dataset: The `Dataset`.
        run_folder: Path of the folder that everything is written to.
        cache: Path of the folder for features of frozen networks.
        runtime: The `Runtime` that `runtime.setup` returned.
        strategy: A `tf.distribute.Strategy` that `runtime.strategy` returned, or None.
        verbose: Integer, 0, 1 or 2, as for `keras.Model.fit`.
    """

    dataset: Dataset
    run_folder: Path
    cache: Path
    runtime: runtime.Runtime
    strategy: Any
    verbose: int


@dataclass(frozen=True, kw_only=True)
class Recipe(abc.ABC):
    """Settings of a training that belong together.

    A new kind of recipe subclasses this, sets `method` and implements `train`.

    Attributes:
        description: String, one line for the list that `dlkit train` prints.
        dataset: String, the name of the data set that is used when no folder is given.
        epochs: Integer, the number of passes over the training images; the maximum where early stopping may end them.
        batch_size: Integer, images in a training step.
        image_size: Integer, height and width to which the images of a folder are resized; None (default) leaves them as
            they are.
        augment: Function (images, seed) -> images that augments a batch, as for `data.pipeline`, or None (default).
        flip_tta: Boolean, default False, whether the trained model predicts with test-time augmentation, as for
            `evaluate.predict_probs`.
    """

    description: str
    dataset: str
    epochs: int
    batch_size: int
    image_size: int | None = None
    augment: Callable | None = None
    flip_tta: bool = False

    OPTIONS: ClassVar = ("epochs", "image_size")  # settings that `with_options` may change

    def with_options(self, **options):
        """A copy of the recipe with other settings.

        Args:
            **options: New values for some of the settings in `OPTIONS`; None stands for the recipe's own value.

        Returns:
            A recipe of the same class.

        Raises:
            ValueError: If the recipe does not have such an option, or the value is out of range.
        """
        given = {name: value for name, value in options.items() if value is not None}
        if unknown := sorted(set(given) - set(self.OPTIONS)):
            raise ValueError(
                f"This recipe trains {self.method} and has the options {', '.join(self.OPTIONS)}. "
                f"Received: {', '.join(unknown)}."
            )
        for name in ("epochs", "image_size"):
            if name in given and (not isinstance(given[name], Integral) or given[name] < 1):
                raise ValueError(f"Expected {name} to be an integer of 1 or more. Received: {given[name]!r}.")
        return dataclasses.replace(self, **given)

    @property
    @abc.abstractmethod
    def method(self):
        """String, how the recipe trains: it completes "This recipe trains ..."."""

    def check_requirements(self, data_dir):
        """Checks that everything is there that the training will need, before any image is read.

        Args:
            data_dir: String or path of the folder of images, or None for the recipe's own data set.

        Raises:
            ValueError: If the settings do not fit the data.
            dlkit.data.DataError: If a file is missing, such as pretrained weights.
        """
        if self.image_size and not data_dir:
            raise ValueError(
                "Expected image_size only with a folder of images, which are resized to it (on the command line: "
                f"--image-size with --data). Received: image_size={self.image_size} without a folder."
            )

    def settings(self):
        """The settings that a run folder remembers, besides data and seed.

        Returns:
            Dictionary that JSON can hold.
        """
        return {"epochs": self.epochs, "batch_size": self.batch_size}

    def folder_image_size(self, sizes):
        """The size at which the images of a folder are read.

        Args:
            sizes: Set of (height, width), the sizes of its images, or of a sample of them.

        Returns:
            (height, width), or None to leave the images as they are.
        """
        return self.image_size and (self.image_size, self.image_size)

    @abc.abstractmethod
    def train(self, job):
        """Trains on nine tenths of the training images, or resumes where the training was stopped.

        Args:
            job: The `Job`.

        Returns:
            (model, history): the trained model, and a list with a dictionary for each epoch.
        """


def make_train_ds(images, labels, **options):
    """Makes the function that gives `training.fit` its training set.

    Args:
        images: Array of shape (count, height, width[, channels]).
        labels: Integer array of shape (count,).
        **options: For `data.pipeline`: `batch_size`, `augment`, `seed`.

    Returns:
        Function (first_epoch, shard) that returns an endless `tf.data.Dataset`.
    """

    def make(first_epoch, shard):
        return data.pipeline(images, labels, training=True, first_epoch=first_epoch, shard=shard, **options)

    return make
