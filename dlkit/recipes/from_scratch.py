"""Recipes that train a network from scratch."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import keras

from dlkit import data, models, training
from dlkit.recipes import memory
from dlkit.recipes.base import Recipe, compile_with_adam

LARGEST_SIDE = 64  # pixels: at 3000 x 4000 the dense layer of a small CNN would take 12 GB


@dataclass(frozen=True, kw_only=True)
class FromScratch(Recipe):
    """Settings of a training from scratch.

    Attributes:
        compiled: Function (input_shape, num_classes, steps, precision, learning_rate) that returns a compiled model,
            for a training of so many steps in all and a Keras dtype policy.
        min_epochs_for_augmentation: Integer, default 1. A shorter training sees each image too rarely to need it.
        prepare: Function (model, images) that computes weights from the training images, or None (default).
    """

    compiled: Callable
    min_epochs_for_augmentation: int = 1
    prepare: Callable | None = None

    def build(self, input_shape, num_classes, steps, precision):
        """The compiled model for a training of so many steps in all and a Keras dtype policy."""
        return self.compiled(input_shape, num_classes, steps, precision, self.learning_rate)

    def folder_image_size(self, sizes):
        largest, limit = max((max(size) for size in sizes), default=LARGEST_SIDE), LARGEST_SIDE
        fits = len(sizes) == 1 and largest <= limit and min(min(sizes)) >= self.min_image_size
        if self.image_size or fits:
            return super().folder_image_size(sizes)
        print(f"Images of up to {largest} pixels are resized to {limit} x {limit}. Another size: --image-size N.")
        return limit, limit

    def check_memory(self, image_size):
        if image_size and max(image_size) > LARGEST_SIDE:
            model = self.build((LARGEST_SIDE, LARGEST_SIDE, 3), 2, 1, "float32")
            memory.check_image_size(model, LARGEST_SIDE, image_size, weights_grow=True)

    def active_augment(self):
        """The function that augments the batches of a training of so many epochs, or None."""
        return self.augment if self.epochs >= self.min_epochs_for_augmentation else None

    def train(self, job):
        images, labels = job.train_split
        steps = self.epochs * -(-len(labels) // self.batch_size)
        with job.scope():
            model = self.build(images.shape[1:], len(job.class_names), steps, job.runtime.precision)
        batch_size = memory.largest_batch_size(model, self.batch_size, job)
        if batch_size < self.batch_size:
            return self.with_batch_size(batch_size).train(job)
        if self.prepare:
            self.prepare(model, images)
        return model, self.fit(model, job, batch_size=self.batch_size, augment=self.active_augment())


def _with_adam(builder, input_shape, num_classes, steps, precision, learning_rate, **options):
    """A model of `dlkit.models`, trained with Adam and cross-entropy."""
    model = builder(input_shape, num_classes, **options)
    compile_with_adam(model, learning_rate)
    return model


def _with_one_cycle(shrink, input_shape, num_classes, steps, precision, peak, **options):
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
        compiled=partial(_with_adam, models.build_mlp, hidden=(64,)),
        epochs=30,  # a few seconds in all
        batch_size=32,
        learning_rate=0.003,
    ),
    "cifar10-cnn": FromScratch(
        description="the classic small CNN of many tutorials",
        dataset="cifar10",
        compiled=partial(_with_adam, models.build_classic_cnn),
        epochs=10,  # it overfits from here on
        batch_size=32,  # with Adam's default learning rate, larger batches learn less in ten epochs
        learning_rate=0.001,
        min_image_size=18,  # three convolutions and two poolings without padding
    ),
    "cifar10-fast": FromScratch(
        description="whitened first layer, small residual network, one-cycle schedule; 1 epoch beats cifar10-cnn's 10",
        dataset="cifar10",
        compiled=partial(_with_one_cycle, 2),
        epochs=10,
        batch_size=128,  # large enough to keep two cores busy, small enough for 400 steps an epoch
        learning_rate=0.8,
        one_cycle=True,
        min_image_size=7,
        augment=data.random_crop_and_flip,
        min_epochs_for_augmentation=3,
        prepare=models.whiten,
        flip_tta=True,
    ),
    "cifar10-long": FromScratch(
        description="the same ideas with eight times the multiply-adds, for longer trainings",
        dataset="cifar10",
        compiled=partial(_with_one_cycle, 3, channels=(24, 64, 256, 256), patch=2, stride=1),
        epochs=24,
        batch_size=128,
        learning_rate=0.4,
        one_cycle=True,
        min_image_size=9,
        augment=_crop_flip_and_cutout,  # it sees every image 24 times, and would memorize them
        prepare=models.whiten,
        flip_tta=True,
    ),
}
