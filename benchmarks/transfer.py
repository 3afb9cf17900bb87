"""A head on a frozen backbone: features computed once, against every epoch through the backbone.

The opponent is the usual way: backbone with `trainable = False` and head in one model, `fit` for ten epochs. Ours is
`transfer.cached_features`, then `fit` for the head alone. Same backbone, same images, same head from the same weights,
same batches, same number of epochs; both are judged on the same test images. With features, a training step is so short
that starting it would take longer than the step: ours lets TensorFlow do several at a call (`steps_per_execution`).
The head is linear. A wider one costs both sides the same seconds more, so it lowers the ratio: 512 units gave 8.1.
"""

from __future__ import annotations

import shutil
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks import race
from dlkit import data

IMAGE_COUNT = 30_000  # of the training images
IMAGE_SIZE = 96  # what the backbone works at
EPOCHS = 10
BATCH_SIZE = 256
STEPS_AT_A_CALL = 10  # ours only
TEST_COUNT = 10_000


class Contest:
    """Both ways to train the head, timed, on the same images."""

    def __init__(self, folder, *, image_count=IMAGE_COUNT, weights="imagenet"):
        from dlkit import transfer

        photos = data.load("cifar10")
        self.photos, self.folder = photos, Path(folder)
        self.images, self.labels = photos.train[0][:image_count], photos.train[1][:image_count]
        self.test = photos.test[0][:TEST_COUNT], photos.test[1][:TEST_COUNT]
        shape = photos.train[0].shape[1:]
        self.backbone = transfer.build_backbone("mobilenet", shape, image_size=IMAGE_SIZE, weights=weights)
        self.start = self.new_head().get_weights()
        self.seconds, self.accuracies = {"again": []}, {"ours": [], "theirs": []}

    def new_head(self):
        from dlkit import transfer

        return transfer.build_head(self.backbone.output_shape[1:], len(self.photos.class_names), hidden=())

    def train(self, model, head, inputs, **options):
        """Ten epochs of `model`, whose trained part is `head`; `options` are for `compile`."""
        import keras

        head.set_weights(self.start)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.Adam(3e-3), loss, metrics=["accuracy"], **options)
        model.fit(inputs, self.labels, batch_size=BATCH_SIZE, epochs=EPOCHS, verbose=0)

    def theirs(self):
        """Image passes a second when every epoch goes through the backbone."""
        import keras

        from dlkit import transfer

        begin = time.perf_counter()
        head = self.new_head()
        transfer.freeze(self.backbone)
        whole = keras.Model(self.backbone.input, head(self.backbone.output))
        self.train(whole, head, self.images)
        seconds = time.perf_counter() - begin
        self.accuracies["theirs"].append(self.judge(head))
        return EPOCHS * len(self.labels) / seconds

    def ours(self):
        """The same with features computed once; the second run, with the file there, is timed too."""
        shutil.rmtree(self.folder / "run", ignore_errors=True)
        seconds = [self.our_seconds() for _ in range(2)]
        self.seconds["again"].append(seconds[1])
        return EPOCHS * len(self.labels) / seconds[0]

    def our_seconds(self):
        from dlkit import transfer

        begin = time.perf_counter()
        features = transfer.cached_features(self.backbone, self.images, self.folder / "run")
        head = self.new_head()
        self.train(head, head, np.asarray(features, "float32"), steps_per_execution=STEPS_AT_A_CALL)
        seconds = time.perf_counter() - begin
        self.accuracies["ours"].append(self.judge(head))
        return seconds

    def judge(self, head):
        """Test accuracy of a head on the backbone."""
        from dlkit import evaluate, transfer

        features = transfer.cached_features(self.backbone, self.test[0], self.folder / "test")
        return evaluate.accuracy(self.test[1], evaluate.predict_probs(head, np.asarray(features, "float32")))

    def extraction(self):
        """Extraction's images a second as a share of the bare model's forward rate."""
        from dlkit import transfer

        images, batch = self.images[:5_000], 128
        shutil.rmtree(self.folder / "rate", ignore_errors=True)
        begin = time.perf_counter()
        for start in range(0, len(images), batch):
            self.backbone.predict_on_batch(images[start : start + batch])
        bare = time.perf_counter() - begin
        begin = time.perf_counter()
        transfer.cached_features(self.backbone, images, self.folder / "rate", batch_size=batch)
        return bare / (time.perf_counter() - begin)


def run(rounds=3):
    """Runs the race and saves three rows: the first run, the second run, and extraction against the bare model."""
    with tempfile.TemporaryDirectory() as folder:
        contest = Contest(folder)
        contest.extraction()  # once for nothing: traces
        shares = [contest.extraction() for _ in range(5)]
        result = race.take_turns(contest.ours, contest.theirs, rounds=rounds)
    told = race.conditions(
        data=f"{IMAGE_COUNT:,} images of {contest.photos.name} ({contest.photos.origin})",
        backbone=f"MobileNet 0.25 with ImageNet weights at {IMAGE_SIZE} px, linear head, {EPOCHS} epochs",
        test_accuracy={side: f"{statistics.median(values):.4f}" for side, values in contest.accuracies.items()},
    )
    base = {"unit": "image passes/s", "conditions": told}
    question = "ten epochs of a head on a frozen backbone"
    race.save("transfer", {"question": question, "goal": "at least 8", **base, **result})
    again = [EPOCHS * IMAGE_COUNT / seconds for seconds in contest.seconds["again"]]
    question = "the same, second run, features on disk"
    race.save(
        "transfer-again", {"question": question, "goal": "at least 50", **base, **race.compare(again, result["theirs"])}
    )
    question = "extraction against the bare model's forward pass"
    ones = [1.0] * len(shares)
    race.save(
        "extraction",
        {"question": question, "goal": "at least 0.9", **base, "unit": "of its rate", **race.compare(shares, ones)},
    )
