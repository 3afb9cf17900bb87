"""What a recipe is: the settings of a training that belong together, and how to train with them."""

from __future__ import annotations

import abc
import contextlib
import dataclasses
import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from dlkit import data, runtime, training, validation


@dataclass(frozen=True)
class Job:
    """One training: what a recipe is given besides its settings.

    Attributes:
        train_split: Tuple (images, labels), nine tenths of the training images.
        val_split: Tuple (images, labels), the rest.
        class_names: List of strings.
        run_folder: Path of the folder that everything is written to.
        cache: Path of the folder for features of frozen networks.
        runtime: The `Runtime` that `runtime.setup` returned.
        strategy: A `tf.distribute.Strategy` that `runtime.strategy` returned, or None.
        verbose: Integer, 0, 1 or 2, as for `keras.Model.fit`.
    """

    train_split: tuple
    val_split: tuple
    class_names: list[str]
    run_folder: Path
    cache: Path
    runtime: runtime.Runtime
    strategy: Any
    verbose: int

    def scope(self):
        """The context in which a model is built and compiled: the scope of the strategy, if there is one."""
        return self.strategy.scope() if self.strategy else contextlib.nullcontext()


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
        augment: Function (images, seed, flip=True) -> images that augments a batch, as for `data.pipeline`, or None
            (default).
        flip_tta: Boolean, default False, whether the trained model predicts with test-time augmentation, as for
            `evaluate.predict_probs`.
        flip: Boolean, default True. False leaves horizontal flips out of both, for classes that a mirror exchanges.
    """

    description: str
    dataset: str
    epochs: int
    batch_size: int
    image_size: int | None = None
    augment: Callable | None = None
    flip_tta: bool = False
    flip: bool = True

    OPTIONS: ClassVar = ("epochs", "image_size", "flip")  # settings that `with_options` may change

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
        for name in {"epochs", "image_size"} & set(given):
            validation.check_integer(name, given[name])
        if given.get("flip", True) not in (True, False):
            raise ValueError(f"Expected flip to be True or False. Received: {given['flip']!r}.")
        if not given.get("flip", True):
            given |= {"augment": self.augment and functools.partial(self.augment, flip=False), "flip_tta": False}
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
        return {"epochs": self.epochs, "batch_size": self.batch_size, "flip": self.flip}

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
        """Trains, or resumes where the training was stopped.

        Args:
            job: The `Job`.

        Returns:
            (model, history): the trained model, and a list with a dictionary for each epoch.
        """

    def fit(self, model, job, *, batch_size, augment, callbacks=()):
        """Trains a compiled model with `training.fit`.

        Args:
            model: A compiled `keras.Model`.
            job: The `Job`.
            batch_size: Integer, images in a training step.
            augment: As for `data.pipeline`.
            callbacks: List of `keras.callbacks.Callback`, default none.

        Returns:
            List with a dictionary for each epoch.
        """
        options = {"batch_size": batch_size, "augment": augment, "seed": job.runtime.seed, "training": True}
        return training.fit(
            model,
            lambda epoch, shard: data.pipeline(*job.train_split, first_epoch=epoch, shard=shard, **options),
            steps_per_epoch=-(-len(job.train_split[1]) // batch_size),
            epochs=self.epochs,
            checkpoint=job.run_folder / "checkpoint.npz",
            validation_data=data.pipeline(*job.val_split, batch_size=4 * batch_size),  # no gradients, so more fit
            callbacks=callbacks,
            verbose=job.verbose,
            strategy=job.strategy,
        )
