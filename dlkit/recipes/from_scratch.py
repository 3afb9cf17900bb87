"""Recipes that train a network from scratch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import keras

from dlkit import data, models, training
from dlkit.recipes.base import Recipe

LARGEST_SIDE = 64  # pixels: at 3000 x 4000 the dense layer of a small CNN would take 12 GB


@dataclass(frozen=True, kw_only=True)
class FromScratch(Recipe):
    """Settings of a training from scratch.

    Attributes:
        build: Function (input_shape, num_classes, steps, precision) that returns a compiled model. `steps` is the
            total number of training steps, `precision` a Keras dtype policy.
        min_epochs_for_augmentation: Integer, default 1. A training of fewer epochs does not augment, since it sees each
            image only a few times.
        prepare: Function (model, images) that computes weights from the training images, or None (default).
    """

    build: Callable
    min_epochs_for_augmentation: int = 1
    prepare: Callable | None = None

    method = "from scratch"

    def folder_image_size(self, sizes):
        largest = max((max(size) for size in sizes), default=0)
        if self.image_size or largest <= LARGEST_SIDE:
            return super().folder_image_size(sizes)
        print(
            f"Images of up to {largest} pixels are resized to {LARGEST_SIDE} x {LARGEST_SIDE}. For another size pass "
            "image_size=N (on the command line: --image-size N)."
        )
        return LARGEST_SIDE, LARGEST_SIDE

    def active_augment(self):
        """The function that augments the batches of a training with so many epochs, or None."""
        return self.augment if self.epochs >= self.min_epochs_for_augmentation else None

    def train(self, job):
        images, labels = job.train_split
        steps = self.epochs * -(-len(labels) // self.batch_size)
        with job.scope():
            model = self.build(images.shape[1:], len(job.class_names), steps, job.runtime.precision)
        if self.prepare:
            self.prepare(model, images)
        return model, self.fit(model, job, batch_size=self.batch_size, augment=self.active_augment())


def _with_adam(builder, learning_rate, **options):
    """A `build` for a model of `dlkit.models`, trained with Adam and cross-entropy."""

    def build(input_shape, num_classes, steps, precision):
        model = builder(input_shape, num_classes, **options)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(optimizer=keras.optimizers.Adam(learning_rate), loss=loss, metrics=["accuracy"])
        return model

    return build


def _with_one_cycle(peak, *, shrink=0, **options):
    """A `build` for `models.build_fast_cnn` with these options, trained with one cycle up to the learning rate `peak`.

    Weight decay alone would multiply all weights by e**-shrink over the complete training, whatever its length. In
    fewer than 100 steps it shrinks them less.
    """

    def build(input_shape, num_classes, steps, precision):
        model = models.build_fast_cnn(input_shape, num_classes, precision=precision, **options)
        schedule = training.OneCycle(peak, steps, warmup=0.2)
        # The mean learning rate is half of the peak. In fewer than 100 steps so much decay would change signs.
        decay = shrink / (peak * max(steps, 100) / 2) or None
        optimizer = keras.optimizers.SGD(schedule, momentum=0.9, nesterov=True, weight_decay=decay)
        model.compile(optimizer=optimizer, loss=training.SmoothedCrossentropy(), metrics=["accuracy"])
        return model

    return build


def _crop_flip_and_cutout(images, seed, flip=True):
    size = min(8, min(images.shape[1:3]) // 2)  # of smaller images, 8 pixels would leave little
    return data.random_cutout(data.random_crop_and_flip(images, seed, flip=flip), seed, size=size)


FROM_SCRATCH = {
    "digits-mlp": FromScratch(
        description="an MLP on scikit-learn's digits, to see that everything works",
        dataset="digits",
        build=_with_adam(models.build_mlp, 0.003, hidden=(64,)),
        epochs=30,  # a few seconds in all
        batch_size=32,
    ),
    "cifar10-cnn": FromScratch(
        description="the classic small CNN of many tutorials",
        dataset="cifar10",
        build=_with_adam(models.build_classic_cnn, 0.001),
        epochs=10,  # it overfits from here on
        batch_size=32,  # with Adam's default learning rate, larger batches learn less in ten epochs
    ),
    "cifar10-fast": FromScratch(
        description="whitened first layer, small residual network, one-cycle schedule; 1 epoch beats cifar10-cnn's 10",
        dataset="cifar10",
        build=_with_one_cycle(0.8, shrink=2),
        epochs=10,
        batch_size=128,  # large enough to keep two cores busy, small enough for 400 steps an epoch
        augment=data.random_crop_and_flip,
        min_epochs_for_augmentation=3,
        prepare=models.whiten,
        flip_tta=True,
    ),
    "cifar10-long": FromScratch(
        description="the same ideas with eight times the multiply-adds, for longer trainings",
        dataset="cifar10",
        build=_with_one_cycle(0.4, shrink=3, channels=(24, 64, 256, 256), patch=2, stride=1),
        epochs=24,
        batch_size=128,
        augment=_crop_flip_and_cutout,  # it sees every image 24 times, and would memorize them
        prepare=models.whiten,
        flip_tta=True,
    ),
}
