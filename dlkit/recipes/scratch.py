"""Recipes that train a network from scratch."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass

from dlkit import data
from dlkit.recipes import run_folder


@dataclass(frozen=True)
class Recipe:
    """Settings of a training from scratch that belong together.

    Attributes:
        about: one line for `--help`.
        dataset: name of the data set it uses when no folder is given.
        make: function (input_shape, num_classes, steps, precision) -> compiled model; steps counts the whole training.
        epochs: passes over the training images.
        batch_size: images in a training step.
        augment: as for `data.pipeline`.
        augment_from: epochs in all from which on augmentation pays; in fewer, images are hardly seen twice.
        prepare: function (model, training images) that sets weights which need no training.
        mirrored: whether the finished model is asked twice, as for `evaluate.predict_probs`.
    """

    about: str
    dataset: str
    make: Callable
    epochs: int
    batch_size: int
    augment: Callable | None = None
    augment_from: int = 1
    prepare: Callable | None = None
    mirrored: bool = False

    def check(self, options):
        """Raises when something is missing that the training will need; for this kind there is nothing."""

    def settings(self, options):
        """What a run folder of this recipe remembers besides data and seed."""
        return {"epochs": options.get("epochs") or self.epochs, "batch_size": self.batch_size}

    def read_size(self, files, options):
        """(height, width) to read a folder's images at; None leaves them as they are."""
        size = options.get("image_size")
        return size and (size, size)

    def pipeline_options(self, epochs, seed):
        """How `data.pipeline` hands out the training images in a training of so many epochs."""
        augment = self.augment if epochs >= self.augment_from else None
        return {"batch_size": self.batch_size, "training": True, "augment": augment, "seed": seed}

    def train(self, dataset, out, settings, rt, strategy, verbose):
        """Trains on nine tenths of the training images, or goes on where it was stopped.

        Returns:
            (model, history): the trained model, and a dictionary for each epoch.
        """
        from dlkit import training

        train_part, val_part = run_folder.split(dataset.train, rt.seed)
        steps_per_epoch = -(-len(train_part[1]) // self.batch_size)
        steps = steps_per_epoch * settings["epochs"]

        def make():
            return self.make(dataset.train[0].shape[1:], len(dataset.class_names), steps, rt.precision)

        with strategy.scope() if strategy else contextlib.nullcontext():
            model = make()
        if self.prepare:
            self.prepare(model, train_part[0])
        options = self.pipeline_options(settings["epochs"], rt.seed)
        history = training.fit(
            model,
            lambda first_epoch, part=(0, 1): data.pipeline(*train_part, first_epoch=first_epoch, part=part, **options),
            steps_per_epoch=steps_per_epoch,
            epochs=settings["epochs"],
            checkpoint=out / "checkpoint.npz",
            validation_data=data.pipeline(*val_part, batch_size=500),
            verbose=verbose,
            strategy=strategy,
        )
        return run_folder.outside(model, make, strategy), history


def _with_adam(builder, learning_rate, **options):
    """A `make` for a model of `dlkit.models`, by its builder's name, trained with Adam and cross-entropy."""

    def make(input_shape, num_classes, steps, precision):
        import keras

        from dlkit import models

        model = getattr(models, builder)(input_shape, num_classes, **options)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(optimizer=keras.optimizers.Adam(learning_rate), loss=loss, metrics=["accuracy"])
        return model

    return make


def _with_one_cycle(peak, *, shrink=0, **options):
    """A `make` for `models.build_fast_cnn` with these options, trained with one cycle up to the rate `peak`.

    Weight decay alone would shrink all weights, over the whole training, by the factor e**-shrink, however long it is;
    less in fewer than 100 steps.
    """

    def make(input_shape, num_classes, steps, precision):
        import keras

        from dlkit import models, training

        model = models.build_fast_cnn(input_shape, num_classes, precision=precision, **options)
        schedule = training.OneCycle(peak, steps, warmup=0.2)
        # The mean rate is half of the peak. In fewer than 100 steps so much decay would turn weights over.
        decay = shrink / (peak * max(steps, 100) / 2) or None
        optimizer = keras.optimizers.SGD(schedule, momentum=0.9, nesterov=True, weight_decay=decay)
        model.compile(optimizer=optimizer, loss=training.SmoothedCrossentropy(), metrics=["accuracy"])
        return model

    return make


def _crop_flip_and_cutout(images, seed):
    return data.random_cutout(data.random_crop_and_flip(images, seed), seed)


def _whiten(model, images):
    from dlkit import models

    models.whiten(model, images)


SCRATCH = {
    "digits-mlp": Recipe(
        "an MLP on scikit-learn's digits, to see that everything works",
        "digits",
        _with_adam("build_mlp", 0.003, hidden=(64,)),
        epochs=30,  # a few seconds in all
        batch_size=32,
    ),
    "cifar10-cnn": Recipe(
        "the classic small CNN of many tutorials",
        "cifar10",
        _with_adam("build_classic_cnn", 0.001),
        epochs=10,  # it overfits from here on
        batch_size=32,  # with Adam's default rate, larger batches learn less in ten epochs
    ),
    "cifar10-fast": Recipe(
        "whitened first layer, small residual network, one-cycle schedule; one epoch beats cifar10-cnn's ten",
        "cifar10",
        _with_one_cycle(0.8, shrink=2),
        epochs=10,
        batch_size=128,  # large enough to keep two cores busy, small enough for 400 steps an epoch
        augment=data.random_crop_and_flip,
        augment_from=3,
        prepare=_whiten,
        mirrored=True,
    ),
    "cifar10-long": Recipe(
        "the same ideas with eight times the multiply-adds, for longer trainings",
        "cifar10",
        _with_one_cycle(0.4, shrink=3, channels=(24, 64, 256, 256), patch=2, stride=1),
        epochs=24,
        batch_size=128,
        augment=_crop_flip_and_cutout,  # it sees every image 24 times, and would learn them by heart
        prepare=_whiten,
        mirrored=True,
    ),
}
