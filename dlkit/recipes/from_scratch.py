"""Recipes that train a network from scratch."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import keras

from dlkit import data, models, training
from dlkit.recipes.base import Recipe, compile_with_adam

LARGEST_SIDE = 64  # pixels: at 3000 x 4000 the dense layer of a small CNN would take 12 GB


@dataclass(frozen=True, kw_only=True)
class FromScratch(Recipe):
    """Settings of a training from scratch.

    Attributes:
        build: Function (input_shape, num_classes, steps, precision) that returns a compiled model, for a training of
            so many steps in all and a Keras dtype policy.
        min_epochs_for_augmentation: Integer, default 1. A shorter training sees each image too rarely to need it.
        prepare: Function (model, images) that computes weights from the training images, or None (default).
    """

    build: Callable
    min_epochs_for_augmentation: int = 1
    prepare: Callable | None = None

    def folder_image_size(self, sizes):
        largest, limit = max((max(size) for size in sizes), default=0), LARGEST_SIDE
        if self.image_size or largest <= limit:
            return super().folder_image_size(sizes)
        print(f"Images of up to {largest} pixels are resized to {limit} x {limit}. Another size: --image-size N.")
        return limit, limit

    def active_augment(self):
        """The function that augments the batches of a training of so many epochs, or None."""
        return self.augment if self.epochs >= self.min_epochs_for_augmentation else None

    def train(self, job):
        images, labels = job.train_split
        steps = self.epochs * -(-len(labels) // self.batch_size)
        with job.scope():
            model = self.build(images.shape[1:], len(job.class_names), steps, job.runtime.precision)
        if self.prepare:
            self.prepare(model, images)
        return model, self.fit(model, job, batch_size=self.batch_size, augment=self.active_augment())


def _with_adam(builder, learning_rate, input_shape, num_classes, steps, precision, **options):
    """A model of `dlkit.models`, trained with Adam and cross-entropy."""
    model = builder(input_shape, num_classes, **options)
    compile_with_adam(model, learning_rate)
    return model


def _with_one_cycle(peak, shrink, input_shape, num_classes, steps, precision, **options):
    """A `models.build_fast_cnn`, trained with one cycle up to the learning rate `peak`.

    Weight decay alone would multiply all weights by e**-shrink over the complete training, whatever its length.
    """
    model = models.build_fast_cnn(input_shape, num_classes, precision=precision, **options)
    schedule = training.OneCycle(peak, steps, warmup=0.2)
    # The mean learning rate is half of the peak. In fewer than 100 steps so much decay would change signs.
    decay = shrink / (peak * max(steps, 100) / 2)
    optimizer = keras.optimizers.SGD(schedule, momentum=0.9, nesterov=True, weight_decay=decay)
    model.compile(optimizer=optimizer, loss=training.SmoothedCrossentropy(), metrics=["accuracy"])
    return model


def _crop_flip_and_cutout(images, seed, flip=True):
    size = min(8, min(images.shape[1:3]) // 2)  # of smaller images, 8 pixels would leave little
    return data.random_cutout(data.random_crop_and_flip(images, seed, flip=flip), seed, size=size)


FROM_SCRATCH = {
    "digits-mlp": FromScratch(
        description="an MLP on scikit-learn's digits, to see that everything works",
        dataset="digits",
        build=partial(_with_adam, models.build_mlp, 0.003, hidden=(64,)),
        epochs=30,  # a few seconds in all
        batch_size=32,
    ),
    "cifar10-cnn": FromScratch(
        description="the classic small CNN of many tutorials",
        dataset="cifar10",
        build=partial(_with_adam, models.build_classic_cnn, 0.001),
        epochs=10,  # it overfits from here on
        batch_size=32,  # with Adam's default learning rate, larger batches learn less in ten epochs
    ),
    "cifar10-fast": FromScratch(
        description="whitened first layer, small residual network, one-cycle schedule; 1 epoch beats cifar10-cnn's 10",
        dataset="cifar10",
        build=partial(_with_one_cycle, 0.8, 2),
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
        build=partial(_with_one_cycle, 0.4, 3, channels=(24, 64, 256, 256), patch=2, stride=1),
        epochs=24,
        batch_size=128,
        augment=_crop_flip_and_cutout,  # it sees every image 24 times, and would memorize them
        prepare=models.whiten,
        flip_tta=True,
    ),
}
