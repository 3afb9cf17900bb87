"""What a recipe is: the settings of a training that belong together, and how to train with them."""

import abc
import contextlib
import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import keras

from dlkit import data, runtime, training, validation


@dataclass(frozen=True)
class Job:
    """One training: what a recipe is given besides its settings."""

    train_split: tuple  # (images, labels)
    val_split: tuple
    class_names: list[str]
    run_folder: Path
    cache: Path  # folder for features of frozen networks
    runtime: runtime.Runtime
    strategy: Any  # a tf.distribute.Strategy, or None
    verbose: int

    def scope(self):
        """The context in which a model is built and compiled: the scope of the strategy, if there is one."""
        return self.strategy.scope() if self.strategy else contextlib.nullcontext()


@dataclass(frozen=True, kw_only=True)
class Recipe(abc.ABC):
    """Settings of a training that belong together. A new kind of recipe subclasses this and implements `train`.

    Attributes:
        description: String, one line for the list that `dlkit train` prints.
        dataset: String, the name of the data set that is used when no folder is given.
        epochs: Integer, the number of passes over the training images; the maximum where early stopping may end them.
        batch_size: Integer, images in a training step.
        image_size: Integer, height and width to which the images of a folder are resized; None (default) leaves them.
        augment: Function (images, seed, flip=True) -> images that augments a batch, or None (default).
        flip_tta: Boolean, default False, whether the model predicts with `evaluate.predict_probs(flip_tta=True)`.
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
                f"Expected options that a {type(self).__name__} recipe has: {', '.join(self.OPTIONS)}. "
                f"Received: {', '.join(unknown)}."
            )
        for name in {"epochs", "image_size"} & set(given):
            validation.check_integer(name, given[name])
        if given.get("flip", True) not in (True, False):
            raise ValueError(f"Expected flip to be True or False. Received: {given['flip']!r}.")
        if not given.get("flip", True):
            given |= {"augment": self.augment and partial(self.augment, flip=False), "flip_tta": False}
        return dataclasses.replace(self, **given)

    def check_requirements(self, data_dir):
        """Raises an error if something is missing that the training will need, before any image is read."""
        if self.image_size and not data_dir:
            raise ValueError(
                "Expected image_size (--image-size) only with a folder of images (--data), which are resized to it. "
                f"Received: image_size={self.image_size} without a folder."
            )

    def settings(self):
        """The settings that a run folder remembers, besides data and seed, as a dictionary that JSON can hold."""
        return {"epochs": self.epochs, "batch_size": self.batch_size, "flip": self.flip}

    def folder_image_size(self, sizes):
        """(height, width) at which a folder with images of these sizes is read; None leaves them as they are."""
        return self.image_size and (self.image_size, self.image_size)

    @abc.abstractmethod
    def train(self, job):
        """Trains a `Job`, or resumes it where it was stopped.

        Returns (model, history): the trained model, and a list with a dictionary for each epoch.
        """

    def fit(self, model, job, *, batch_size, augment, callbacks=()):
        """Trains a compiled model with `training.fit`, and returns the history."""
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


def compile_with_adam(model, learning_rate):
    """Compiles a classifier that returns logits with Adam and cross-entropy."""
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(learning_rate), loss, metrics=["accuracy"])
