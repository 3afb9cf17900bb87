"""A head on a frozen backbone: features computed once, against every epoch through the backbone.

The baseline is the usual way: ResNet50 with `trainable = False` and a head of 512 units in one model, `fit` for ten
epochs. Ours is `transfer.cached_features`, then `fit` for the head alone. Both have the same backbone, the same images,
the same head with the same initial weights, the same order of batches and the same number of epochs. The features are
saved with 16 bits, so the final losses differ in the last digits: RESULTS.md has both. With features, a training step
is so short that starting it would take longer than the step, so ours lets TensorFlow run several steps in each call
(`steps_per_execution`). The backbone's weights are random, which does not change the time.
"""

from __future__ import annotations

import shutil
import statistics
import tempfile
import time
from pathlib import Path

import keras
import numpy as np

from benchmarks import harness
from dlkit import data, transfer

IMAGE_COUNT = 1_000  # of the training images: as many as in a folder of your own
IMAGE_SIZE = 224  # what ResNet50 was made for
EPOCHS = 10
BATCH_SIZE = 32
STEPS_PER_EXECUTION = 8  # ours only


class HeadTraining:
    """Both ways to train the head, timed, on the same images.

    Args:
        folder: String or path, the folder for the cached features.
        image_count: Integer, the number of training images.
        backbone: String, a key of `transfer.BACKBONES`.
        weights: String or path, "imagenet" or the path of a weights file, or None for random weights; default None.

    Attributes:
        cached_seconds: List of floats, the seconds of our second run, which finds the features on disk, in every round.
        losses: Dictionary {"ours", "baseline": list of the final losses}.
    """

    def __init__(self, folder, *, image_count=IMAGE_COUNT, backbone="resnet50", weights=None):
        self.dataset, self.folder = data.load("cifar10"), Path(folder)
        self.images, self.labels = (values[:image_count] for values in self.dataset.train)
        shape = self.images.shape[1:]
        self.backbone = transfer.build_backbone(backbone, shape, image_size=IMAGE_SIZE, weights=weights)
        transfer.freeze(self.backbone)
        keras.utils.set_random_seed(0)
        self._initial_weights = self._build_head().get_weights()
        self.cached_seconds, self.losses = [], {"ours": [], "baseline": []}

    def baseline_rate(self):
        """Images per second, counted in every epoch, when every epoch goes through the backbone."""
        start = time.perf_counter()
        head = self._build_head()
        complete = keras.Model(self.backbone.input, head(self.backbone.output))
        self._train("baseline", complete, head, self.images)
        return EPOCHS * len(self.labels) / (time.perf_counter() - start)

    def our_rate(self):
        """The same with features that are computed once; a second run, which finds them on disk, is timed too."""
        shutil.rmtree(self.folder / "run", ignore_errors=True)
        seconds, cached_seconds = (self._train_on_features() for _ in range(2))
        self.cached_seconds.append(cached_seconds)
        return EPOCHS * len(self.labels) / seconds

    def _build_head(self):
        shape, num_classes = self.backbone.output_shape[1:], len(self.dataset.class_names)
        return transfer.build_head(shape, num_classes, hidden=(512,), dropout=0)

    def _train(self, side, model, head, inputs, **compile_options):
        """Trains `model`, of which only `head` is trainable."""
        head.set_weights(self._initial_weights)
        keras.utils.set_random_seed(0)  # so that both sides shuffle alike
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.Adam(1e-3), loss, metrics=["accuracy"], **compile_options)
        history = model.fit(inputs, self.labels, batch_size=BATCH_SIZE, epochs=EPOCHS, verbose=0)
        self.losses[side].append(history.history["loss"][-1])

    def _train_on_features(self):
        """Computes or loads the features and trains the head on them; returns the seconds."""
        start = time.perf_counter()
        backbone = keras.Model(self.backbone.input, self.backbone.output)  # a new one, so that its tracing counts too
        features = transfer.cached_features(backbone, self.images, self.folder / "run")
        head = self._build_head()
        self._train("ours", head, head, np.asarray(features, "float32"), steps_per_execution=STEPS_PER_EXECUTION)
        return time.perf_counter() - start


def extraction_rate(backbone, images, folder, batch_size=128):
    """The rate at which features are computed and saved, as a fraction of the rate of the forward pass alone.

    Args:
        backbone: A `keras.Model`.
        images: Array of shape (count, height, width, channels).
        folder: Path of a folder for the features; its content is deleted first.
        batch_size: Integer, images in a batch, default 128.

    Returns:
        Float, 1 where saving takes no time.
    """
    shutil.rmtree(folder, ignore_errors=True)
    start = time.perf_counter()
    for first in range(0, len(images), batch_size):
        backbone.predict_on_batch(images[first : first + batch_size])
    forward_seconds = time.perf_counter() - start
    start = time.perf_counter()
    transfer.cached_features(backbone, images, folder, batch_size=batch_size)
    return forward_seconds / (time.perf_counter() - start)


def run(rounds=3):
    """Runs the benchmark and saves three results: the first run, the second run, and extraction against the bare model.

    Args:
        rounds: Integer, how often each side is measured, default 3.
    """
    with tempfile.TemporaryDirectory() as folder:
        training = HeadTraining(folder)
        small = transfer.build_backbone("mobilenet", (32, 32, 3), image_size=96, weights=None)
        images = training.dataset.train[0][:5_000]
        extraction_rate(small, images[:256], Path(folder, "rate"))  # warm-up: traces
        fractions = [extraction_rate(small, images, Path(folder, "rate")) for _ in range(5)]
        result = harness.interleave(training.our_rate, training.baseline_rate, rounds=rounds)
    conditions = harness.conditions(
        data=f"{IMAGE_COUNT:,} images of {training.dataset.name}",
        backbone=f"ResNet50 with random weights at {IMAGE_SIZE} px, head of 512 units, {EPOCHS} epochs",
        final_loss={side: f"{statistics.median(values):.4f}" for side, values in training.losses.items()},
    )
    common = {"unit": "image passes/s", "conditions": conditions}
    description = "ten epochs of a head on a frozen ResNet50 with random weights, against every epoch through it"
    first_run = {"description": description, "target": "at least 9 (minimum 8)", **common, **result}
    harness.save_result("frozen", first_run)
    rates = [EPOCHS * IMAGE_COUNT / seconds for seconds in training.cached_seconds]
    description = "the same, second run, with the features on disk"
    second_run = {"description": description, "target": "at least 100", **common}
    harness.save_result("frozen-cached", second_run | harness.compare(rates, result["baseline"]))
    extraction = {
        "description": "extracting features, against the forward pass of the bare model",
        "target": "at least 0.9",
        "unit": "of its rate",
        "conditions": harness.conditions(
            data=f"5,000 images of {training.dataset.name}",
            backbone="MobileNet 0.25 at 96 px: the fastest, so the hardest",
        ),
    }
    harness.save_result("extraction", extraction | harness.compare(fractions, [1.0] * len(fractions)))
