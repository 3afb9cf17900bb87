"""CIFAR-10: the network that tutorials train, against ours from scratch, and against a borrowed one.

Every turn begins with the opponent, the convolutional network of the best-known tutorial, ten epochs on 45,000
images: its seconds, and its accuracy on the whole test set, are the line. Then, from the same arrays in memory:

- `cifar10-fast`, so few epochs that it just passes that accuracy: in how many seconds?
- `cifar10-fast`, as many epochs as fit into the opponent's seconds: how accurate?
- a linear head on a MobileNet that has seen ImageNet: in how many seconds does it pass that accuracy?

Seconds are whole: building, tracing, training, classifying all test images. Who misses the opponent's accuracy, or
takes longer than it where that is the bound, has 0 in that turn.
"""

from __future__ import annotations

import tempfile
import time

import numpy as np

from benchmarks import race
from dlkit import data, runtime

TRAIN_COUNT = 45_000  # the opponent's: it keeps 5,000 for validation
THEIR_EPOCHS = 10
SHORT_EPOCHS = 1  # of ours: one pass over the images passes the opponent
BORROWED_COUNT = 10_000  # training images of the borrowed network: more bring little
BORROWED_SIZE = 112  # pixels that it works at: 96 passes the line too, but by a hair


class Contest:
    """All who take part, on the same arrays; each method returns (seconds, test accuracy)."""

    def __init__(self, *, weights="imagenet"):
        self.photos, self.weights = data.load("cifar10"), weights
        self.images, self.labels = (part[:TRAIN_COUNT] for part in self.photos.train)
        self.test_images, self.test_labels = self.photos.test

    def theirs(self, seed):
        """The tutorial's network, with the tutorial's settings."""
        import keras
        from keras import layers

        keras.utils.set_random_seed(seed)
        begin = time.perf_counter()
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
        images, test_images = (part / np.float32(255) for part in (self.images, self.test_images))
        model.fit(images, self.labels, batch_size=32, epochs=THEIR_EPOCHS, verbose=0)
        accuracy = model.evaluate(test_images, self.test_labels, verbose=0)[1]
        return time.perf_counter() - begin, accuracy

    def from_scratch(self, seed, epochs):
        """`cifar10-fast` with this many epochs."""
        import keras

        from dlkit import evaluate
        from dlkit.recipes.from_scratch import FROM_SCRATCH

        keras.utils.set_random_seed(seed)
        begin, recipe = time.perf_counter(), FROM_SCRATCH["cifar10-fast"]
        steps = epochs * -(-len(self.labels) // recipe.batch_size)
        model = recipe.build(self.images.shape[1:], len(self.photos.class_names), steps, runtime.configure_device()[1])
        recipe.prepare(model, self.images)
        train_ds = data.pipeline(
            self.images, self.labels, training=True, **recipe.with_options(epochs=epochs).pipeline_options(seed)
        )
        model.fit(train_ds, epochs=epochs, verbose=0, shuffle=False)
        probs = evaluate.predict_probs(model, self.test_images, flip_tta=recipe.flip_tta)
        result = time.perf_counter() - begin, evaluate.accuracy(self.test_labels, probs)
        begin = time.perf_counter()
        model.fit(train_ds.take(50), verbose=0, shuffle=False)  # not raced: tells how long an epoch takes by itself
        self.epoch_seconds = (time.perf_counter() - begin) * len(train_ds) / min(50, len(train_ds))
        return result

    def epochs_within(self, seconds, short_seconds):
        """Epochs that fit, going by the short training just done: building and testing count as well."""
        rest = short_seconds - SHORT_EPOCHS * self.epoch_seconds
        return max(1, int((0.95 * seconds - rest) / self.epoch_seconds))  # a reserve, as speed varies

    def borrowed(self, seed):
        """A linear head on the features of a small network that has seen ImageNet."""
        import keras

        from dlkit import evaluate, training, transfer

        keras.utils.set_random_seed(seed)
        begin, epochs, batch_size = time.perf_counter(), 10, 128
        options = {"image_size": BORROWED_SIZE, "weights": self.weights}
        backbone = transfer.build_backbone("mobilenet", self.images.shape[1:], **options)
        with tempfile.TemporaryDirectory() as folder:
            images = self.images[:BORROWED_COUNT], self.test_images
            train, test = (np.asarray(transfer.cached_features(backbone, x, folder), "float32") for x in images)
        head = transfer.build_head(backbone.output_shape[1:], len(self.photos.class_names), hidden=())
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        schedule = training.OneCycle(0.02, epochs * -(-BORROWED_COUNT // batch_size))
        head.compile(keras.optimizers.Adam(schedule), loss, steps_per_execution=10)
        head.fit(train, self.labels[:BORROWED_COUNT], batch_size=batch_size, epochs=epochs, verbose=0)
        return time.perf_counter() - begin, evaluate.accuracy(self.test_labels, evaluate.predict_probs(head, test))


def run(rounds=3):
    """Runs all four in turn and saves three rows."""
    contest, runs = Contest(), {name: [] for name in ("theirs", "short", "long", "borrowed")}
    for seed in range(rounds):
        runs["theirs"].append(contest.theirs(seed))
        runs["short"].append(contest.from_scratch(seed, SHORT_EPOCHS))
        epochs = contest.epochs_within(runs["theirs"][-1][0], runs["short"][-1][0])
        runs["long"].append(contest.from_scratch(seed, epochs))
        runs["borrowed"].append(contest.borrowed(seed))
        told = ", ".join(f"{name} {took[-1][0]:.1f} s {took[-1][1]:.4f}" for name, took in runs.items())
        print(f"turn {seed + 1} of {rounds}: {told}")
    save(contest.photos, runs)


def save(photos, runs, *, folder=race.FOLDER):
    """Puts the three rows into the table; `runs` holds (seconds, accuracy) of every turn."""
    lines = runs["theirs"]
    told = race.conditions(
        data=f"{TRAIN_COUNT:,} and {len(photos.test[1]):,} test images of {photos.name}",
        seeds=f"0 to {len(lines) - 1}",
        seconds={name: _spread([seconds for seconds, _ in took], ".1f") for name, took in runs.items()},
        test_accuracy={name: _spread([accuracy for _, accuracy in took], ".4f") for name, took in runs.items()},
    )
    theirs = [3600 / seconds for seconds, _ in lines]
    for name, key, question, goal in (
        ("cifar10-scratch", "short", "one epoch from scratch, past the tutorial's accuracy", "at least 5, floor 3"),
        (
            "cifar10-borrowed",
            "borrowed",
            "linear head on a pretrained MobileNet, past the same",
            "at least 15, floor 8",
        ),
    ):
        passed = [accuracy >= line for (_, accuracy), (_, line) in zip(runs[key], lines, strict=True)]
        ours = [3600 / took[0] if ok else 0.0 for took, ok in zip(runs[key], passed, strict=True)]
        row = {"question": question, "goal": goal, "unit": "trainings/hour", "conditions": told}
        race.save(name, row | race.compare(ours, theirs), folder=folder)
    ours = [took[1] if took[0] <= line[0] else 0.0 for took, line in zip(runs["long"], lines, strict=True)]
    row = {"question": "test accuracy in the tutorial's time", "goal": "0.82, floor 0.79", "unit": "accuracy"}
    row |= race.compare(ours, [accuracy for _, accuracy in lines])
    race.save("cifar10-same-time", row | {"conditions": told}, folder=folder)


def _spread(values, form):
    return " ".join(format(value, form) for value in values)
