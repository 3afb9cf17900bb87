"""What a recipe is: the settings of a training that belong together, and how to train with them."""

import abc
import contextlib
import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import keras
import numpy as np
from sklearn.utils import compute_class_weight

from dlkit import data, runtime, training, validation
from dlkit.recipes import run_folder

MIN_STEPS = 20  # in an epoch: 100 photographs in batches of 128 would be a single one
MIN_BATCH_SIZE = 8


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

    def read_settings(self):
        """The settings in the run folder as a dictionary, which is empty where there are none, as in worker 1."""
        file = self.run_folder / "settings.json"
        return run_folder.read_json(file) if file.exists() else {}

    def keep(self, **choices):
        """Adds choices that depend on this machine to the settings, so that a resumed training repeats them."""
        if (settings := self.read_settings()) and not runtime.worker()[0]:
            run_folder.write_json(self.run_folder / "settings.json", settings | choices)


@dataclass(frozen=True, kw_only=True)
class Recipe(abc.ABC):
    """Settings of a training that belong together. A new kind of recipe subclasses this and implements `train`.

    Attributes:
        description: String, one line for the list that `dlkit train` prints.
        dataset: String, the name of the data set that is used when no folder is given.
        epochs: Integer, the number of passes over the training images; the maximum where early stopping may end them.
        batch_size: Integer, images in a training step.
        learning_rate: Float, that of the optimizer; the highest one of a one-cycle schedule.
        one_cycle: Boolean, default False, whether the learning rate falls to zero over the epochs, which more epochs
            could not continue.
        image_size: Integer, height and width to which the images of a folder are resized; None (default) leaves them.
        min_image_size: Integer, default 1, the smallest height and width that the network takes.
        resize: String, "crop" (the default), "pad" or "stretch", as for `data.image_folder`.
        val_split: Float, the fraction of the training images that is set aside for validation, default 0.1.
        class_weights: Boolean, default False. True weights the loss of each image by n / (K n_k), for n images in K
            classes and n_k of its own class, so that every class counts alike.
        augment: Function (images, seed, flip=True) -> images that augments a batch, or None (default).
        flip_tta: Boolean, default False, whether the model predicts with `evaluate.predict_probs(flip_tta=True)`.
        flip: Boolean, default True. False leaves horizontal flips out of both, for classes that a mirror exchanges.
    """

    description: str
    dataset: str
    epochs: int
    batch_size: int
    learning_rate: float
    one_cycle: bool = False
    image_size: int | None = None
    min_image_size: int = 1
    resize: str = "crop"
    val_split: float = 0.1
    class_weights: bool = False
    augment: Callable | None = None
    flip_tta: bool = False
    flip: bool = True
    given: frozenset = field(default=frozenset(), compare=False)  # names of the settings that `with_options` changed

    # Settings that `with_options` may change.
    OPTIONS: ClassVar = (
        "epochs",
        "image_size",
        "resize",
        "flip",
        "batch_size",
        "learning_rate",
        "val_split",
        "class_weights",
    )

    def with_options(self, **options):
        """A copy of the recipe with other settings.

        Args:
            **options: New values for some of the settings in `OPTIONS`; None stands for the recipe's own value. Another
                `batch_size` changes the learning rate too, unless that is given.

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
        _check_options(given)
        if not given.get("flip", True):
            given |= {"augment": self.augment and partial(self.augment, flip=False), "flip_tta": False}
        batch_size = given.pop("batch_size", None)
        recipe = dataclasses.replace(self, **given, given=frozenset(given) | ({"batch_size"} if batch_size else set()))
        return recipe.with_batch_size(batch_size or self.batch_size)

    def with_batch_size(self, batch_size):
        """A copy with another batch size, and a learning rate that is scaled with its square root unless it was given.

        The noise of a step falls with the square root of the batch size (Krizhevsky, 2014, arXiv:1404.5997).
        """
        scale = 1 if "learning_rate" in self.given else (batch_size / self.batch_size) ** 0.5
        return dataclasses.replace(self, batch_size=batch_size, learning_rate=self.learning_rate * scale)

    def adapt(self, num_images):
        """A copy for this many training images: at least 20 steps an epoch as far as batches of 8 allow it."""
        batch_size = self.batch_size
        while "batch_size" not in self.given and batch_size > MIN_BATCH_SIZE and num_images < MIN_STEPS * batch_size:
            batch_size //= 2
        recipe = self.with_batch_size(batch_size)
        if batch_size < self.batch_size:
            what = f"in batches of {batch_size} with the learning rate {recipe.learning_rate:.2g}"
            print(f"There are few training images, {num_images}, so they are trained {what}.")
        return recipe

    def check_requirements(self, data_dir):
        """Raises an error if something is missing that the training will need, before any image is read."""
        if self.image_size and self.image_size < self.min_image_size:
            raise ValueError(
                f"Expected image_size (--image-size) of {self.min_image_size} or more, the smallest that the network "
                f"takes. Received: {self.image_size}."
            )
        if not data_dir and (only := sorted({"image_size", "resize"} & self.given)):
            raise ValueError(
                f"Expected {only[0]} (--{only[0].replace('_', '-')}) only with a folder of images (--data), which are "
                f"resized. Received: {only[0]}={getattr(self, only[0])} without a folder."
            )

    def settings(self):
        """The settings that a run folder remembers, besides data and seed, as a dictionary that JSON can hold."""
        values = {name: getattr(self, name) for name in self.OPTIONS}
        return {name: str(value) if isinstance(value, Path) else value for name, value in values.items()}

    def folder_image_size(self, sizes):
        """(height, width) at which a folder with images of these sizes is read; None leaves them as they are."""
        return self.image_size and (self.image_size, self.image_size)

    @abc.abstractmethod
    def check_memory(self, image_size):
        """Raises a ValueError if a training on images of this (height, width) would not fit into memory."""

    @abc.abstractmethod
    def train(self, job):
        """Trains a `Job`, or resumes it where it was stopped.

        Returns (model, history): the trained model, and a list with a dictionary for each epoch.
        """

    def class_weight(self, labels):
        """The weight of each class in the loss, {label: weight}, or None."""
        if not self.class_weights:
            return None
        classes = np.unique(labels)
        return dict(zip(classes.tolist(), compute_class_weight("balanced", classes=classes, y=labels), strict=True))

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
            class_weight=self.class_weight(job.train_split[1]),
            verbose=job.verbose,
            strategy=job.strategy,
        )


def compile_with_adam(model, learning_rate, *, label_smoothing=0):
    """Compiles a classifier that returns logits with Adam and cross-entropy."""
    loss, metrics = keras.losses.SparseCategoricalCrossentropy(from_logits=True), ["accuracy"]
    if label_smoothing:
        metrics.append(keras.metrics.SparseCategoricalCrossentropy("cross_entropy", from_logits=True))
        loss = training.SmoothedCrossentropy(label_smoothing)
    model.compile(keras.optimizers.Adam(learning_rate), loss, metrics=metrics)


def _check_options(given):
    """Raises a ValueError if the value of an option is out of range."""
    for name in {"epochs", "image_size", "batch_size"} & set(given):
        validation.check_integer(name, given[name])
    for name in {"flip", "class_weights"} & set(given):
        if given[name] not in (True, False):
            raise ValueError(f"Expected {name} to be True or False. Received: {given[name]!r}.")
    if "learning_rate" in given:
        validation.check_number("learning_rate", given["learning_rate"], above=0)
    if "val_split" in given:
        validation.check_number("val_split", given["val_split"], above=0, at_most=0.5)
    if given.get("resize", "crop") not in ("crop", "pad", "stretch"):
        raise ValueError(f'Expected resize to be "crop", "pad" or "stretch". Received: {given["resize"]!r}.')
