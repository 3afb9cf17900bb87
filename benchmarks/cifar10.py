"""CIFAR-10: the network of a well-known tutorial, against ours from scratch, and against a pretrained one.

Every round begins with the baseline, the convolutional network of the best-known tutorial, trained for ten epochs on
45,000 images: its seconds, and its accuracy on all test images, are the target. Then, from the same arrays in memory:

- `cifar10-fast`, with just enough epochs to exceed that accuracy: how many seconds does it need?
- `cifar10-fast`, with as many epochs as fit into the baseline's seconds: how accurate is it?
- a linear head on a MobileNet pretrained on ImageNet: how many seconds does it need to exceed that accuracy?

Seconds include everything: building, tracing, training and classifying all test images. A training that misses the
baseline's accuracy, or that takes longer than the baseline where its time is the limit, counts as 0 in that round.
"""

from __future__ import annotations

import tempfile
import time

import keras
import numpy as np
from keras import layers
from sklearn.metrics import accuracy_score

from benchmarks import harness
from dlkit import data, evaluate, runtime, training, transfer
from dlkit.recipes.from_scratch import FROM_SCRATCH

TRAIN_COUNT = 45_000  # as in the baseline, which sets 5,000 aside for validation
BASELINE_EPOCHS = 10
SHORT_EPOCHS = 1  # of ours: one pass over the images exceeds the baseline's accuracy
PRETRAINED_COUNT = 10_000  # training images for the pretrained network: more improve it little
PRETRAINED_SIZE = 112  # pixels at which it works: 96 exceeds the baseline's accuracy too, but only just


class Trainings:
    """The trainings that are compared, on the same arrays. Each `train_` method returns (seconds, test accuracy).

    Args:
        weights: String, default "imagenet", or None for random weights of the pretrained network.
    """

    def __init__(self, *, weights="imagenet"):
        self.dataset, self.weights = data.load("cifar10"), weights
        self.images, self.labels = (values[:TRAIN_COUNT] for values in self.dataset.train)
        self.test_images, self.test_labels = self.dataset.test

    def train_baseline(self, seed):
        """The tutorial's network, with the tutorial's settings."""
        keras.utils.set_random_seed(seed)
        start = time.perf_counter()
        model = keras.Sequential(
            [
                keras.Input((32, 32, 3)),
                layers.Conv2D(32, 3, activation="relu"),
                layers.MaxPooling2D(),
                layers.Conv2D(64, 3, activation="relu"),
                layers.MaxPooling2D(),
                layers.Conv2D(64, 3, activation="relu"),
                layers.Flatten(),
                layers.Dense(64, activation="relu"),
                layers.Dense(10),
            ]
        )
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(optimizer="adam", loss=loss, metrics=["accuracy"])
        images, test_images = (values / np.float32(255) for values in (self.images, self.test_images))
        model.fit(images, self.labels, batch_size=32, epochs=BASELINE_EPOCHS, verbose=0)
        accuracy = model.evaluate(test_images, self.test_labels, verbose=0)[1]
        return time.perf_counter() - start, accuracy

    def train_from_scratch(self, seed, epochs):
        """`cifar10-fast` with this many epochs."""
        keras.utils.set_random_seed(seed)
        start, recipe = time.perf_counter(), FROM_SCRATCH["cifar10-fast"]
        steps = epochs * -(-len(self.labels) // recipe.batch_size)
        precision = runtime.configure_device()[1]
        model = recipe.build(self.images.shape[1:], len(self.dataset.class_names), steps, precision)
        recipe.prepare(model, self.images)
        options = {"batch_size": recipe.batch_size, "augment": recipe.with_options(epochs=epochs).active_augment()}
        train_ds = data.pipeline(self.images, self.labels, training=True, seed=seed, **options)
        model.fit(train_ds, epochs=epochs, verbose=0, shuffle=False)
        probs = evaluate.predict_probs(model, self.test_images, flip_tta=recipe.flip_tta)
        result = time.perf_counter() - start, accuracy_score(self.test_labels, probs.argmax(axis=1))
        start = time.perf_counter()
        model.fit(train_ds.take(50), verbose=0, shuffle=False)  # measures an epoch alone; not part of the result
        self.epoch_seconds = (time.perf_counter() - start) * len(train_ds) / min(50, len(train_ds))
        return result

    def epochs_within(self, seconds, short_seconds):
        """The number of epochs that fit into a time, building and testing included.

        Args:
            seconds: Float, the time limit.
            short_seconds: Float, what the short training that has just ended took.

        Returns:
            Integer, at least 1.
        """
        rest = short_seconds - SHORT_EPOCHS * self.epoch_seconds
        return max(1, int((0.95 * seconds - rest) / self.epoch_seconds))  # a reserve, as speed varies

    def train_pretrained(self, seed):
        """A linear head on the features of a small network pretrained on ImageNet."""
        keras.utils.set_random_seed(seed)
        start, epochs, batch_size = time.perf_counter(), 10, 128
        options = {"image_size": PRETRAINED_SIZE, "weights": self.weights}
        backbone = transfer.build_backbone("mobilenet", self.images.shape[1:], **options)
        with tempfile.TemporaryDirectory() as folder:
            images = self.images[:PRETRAINED_COUNT], self.test_images
            train, test = (np.asarray(transfer.cached_features(backbone, x, folder), "float32") for x in images)
        head = transfer.build_head(backbone.output_shape[1:], len(self.dataset.class_names), hidden=())
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        schedule = training.OneCycle(0.02, epochs * -(-PRETRAINED_COUNT // batch_size))
        head.compile(keras.optimizers.Adam(schedule), loss, steps_per_execution=10)
        head.fit(train, self.labels[:PRETRAINED_COUNT], batch_size=batch_size, epochs=epochs, verbose=0)
        predicted = evaluate.predict_probs(head, test).argmax(axis=1)
        return time.perf_counter() - start, accuracy_score(self.test_labels, predicted)


def run(rounds=3):
    """Runs all four trainings in every round and saves three results.

    Args:
        rounds: Integer, how often each training is run, default 3; the round is the seed.
    """
    trainings, runs = Trainings(), {name: [] for name in ("baseline", "short", "long", "pretrained")}
    for seed in range(rounds):
        runs["baseline"].append(trainings.train_baseline(seed))
        runs["short"].append(trainings.train_from_scratch(seed, SHORT_EPOCHS))
        epochs = trainings.epochs_within(runs["baseline"][-1][0], runs["short"][-1][0])
        runs["long"].append(trainings.train_from_scratch(seed, epochs))
        runs["pretrained"].append(trainings.train_pretrained(seed))
        results = ", ".join(f"{name} {found[-1][0]:.1f} s {found[-1][1]:.4f}" for name, found in runs.items())
        print(f"round {seed + 1} of {rounds}: {results}")
    save_runs(trainings.dataset, runs)


def save_runs(dataset, runs, *, folder=harness.FOLDER):
    """Saves the three results.

    Args:
        dataset: The `data.Dataset`.
        runs: Dictionary {"baseline", "short", "long", "pretrained": list with (seconds, accuracy) of every round}.
        folder: Path of the folder with results.json and RESULTS.md.
    """
    baseline = runs["baseline"]
    conditions = harness.conditions(
        data=f"{TRAIN_COUNT:,} and {len(dataset.test[1]):,} test images of {dataset.name}",
        seeds=f"0 to {len(baseline) - 1}",
        seconds={name: _join([seconds for seconds, _ in found], ".1f") for name, found in runs.items()},
        test_accuracy={name: _join([accuracy for _, accuracy in found], ".4f") for name, found in runs.items()},
    )
    baseline_rates = [3600 / seconds for seconds, _ in baseline]
    for name, key, description, target in (
        (
            "cifar10-scratch",
            "short",
            "one epoch from scratch, exceeding the tutorial's accuracy",
            "at least 5 (minimum 3)",
        ),
        (
            "cifar10-pretrained",
            "pretrained",
            "linear head on a pretrained MobileNet, exceeding the tutorial's accuracy",
            "at least 15 (minimum 8)",
        ),
    ):
        rates = [
            3600 / seconds if accuracy >= needed else 0.0
            for (seconds, accuracy), (_, needed) in zip(runs[key], baseline, strict=True)
        ]
        result = {"description": description, "target": target, "unit": "trainings/hour", "conditions": conditions}
        harness.save_result(name, result | harness.compare(rates, baseline_rates), folder=folder)
    accuracies = [
        accuracy if seconds <= limit else 0.0
        for (seconds, accuracy), (limit, _) in zip(runs["long"], baseline, strict=True)
    ]
    result = {
        "description": "test accuracy in the tutorial's time",
        "target": "0.82 (minimum 0.79)",
        "unit": "accuracy",
        **harness.compare(accuracies, [accuracy for _, accuracy in baseline]),
        "conditions": conditions,
    }
    harness.save_result("cifar10-same-time", result, folder=folder)


def _join(values, form):
    return " ".join(format(value, form) for value in values)
