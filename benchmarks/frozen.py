"""A head on a frozen backbone: features computed once, against every epoch through the backbone.

The opponent is the usual way: ResNet50 with `trainable = False` and a head of 512 units in one model, `fit` for ten
epochs. Ours is `transfer.cached_features`, then `fit` for the head alone. Same backbone, same images, same head from
the same weights, same order of batches, same number of epochs. The features are kept with 16 bits, so the losses do not
end the same to the last digit: RESULTS.md has both. With features, a training step is so short that starting it would
take longer than the step: ours lets TensorFlow do several at a call (`steps_per_execution`). The backbone's weights are
random: the time is the same.
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

IMAGE_COUNT = 1_000  # of the training images: a folder of one's own
IMAGE_SIZE = 224  # what ResNet50 was made for
EPOCHS = 10
BATCH_SIZE = 32
STEPS_AT_A_CALL = 8  # ours only


class Contest:
    """Both ways to train the head, timed, on the same images."""

    def __init__(self, folder, *, image_count=IMAGE_COUNT, backbone="resnet50", weights=None):
        import keras

        from dlkit import transfer

        self.photos, self.folder = data.load("cifar10"), Path(folder)
        self.images, self.labels = (part[:image_count] for part in self.photos.train)
        shape = self.images.shape[1:]
        self.backbone = transfer.build_backbone(backbone, shape, image_size=IMAGE_SIZE, weights=weights)
        transfer.freeze(self.backbone)
        keras.utils.set_random_seed(0)
        self.start = self.new_head().get_weights()
        self.seconds, self.losses = {"again": []}, {"ours": [], "theirs": []}

    def new_head(self):
        from dlkit import transfer

        shape, classes = self.backbone.output_shape[1:], len(self.photos.class_names)
        return transfer.build_head(shape, classes, hidden=(512,), dropout=0)

    def train(self, side, model, head, inputs, **options):
        """Ten epochs of `model`, whose trained part is `head`; `options` are for `compile`."""
        import keras

        head.set_weights(self.start)
        keras.utils.set_random_seed(0)  # both shuffle alike
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.Adam(1e-3), loss, metrics=["accuracy"], **options)
        history = model.fit(inputs, self.labels, batch_size=BATCH_SIZE, epochs=EPOCHS, verbose=0)
        self.losses[side].append(history.history["loss"][-1])

    def theirs(self):
        """Image passes a second when every epoch goes through the backbone."""
        import keras

        begin = time.perf_counter()
        head = self.new_head()
        whole = keras.Model(self.backbone.input, head(self.backbone.output))
        self.train("theirs", whole, head, self.images)
        return EPOCHS * len(self.labels) / (time.perf_counter() - begin)

    def ours(self):
        """The same with features computed once; the second run, with the file there, is timed too."""
        shutil.rmtree(self.folder / "run", ignore_errors=True)
        seconds = [self.our_seconds() for _ in range(2)]
        self.seconds["again"].append(seconds[1])
        return EPOCHS * len(self.labels) / seconds[0]

    def our_seconds(self):
        import keras

        from dlkit import transfer

        begin = time.perf_counter()
        backbone = keras.Model(self.backbone.input, self.backbone.output)  # a new one, so that tracing counts here too
        features = transfer.cached_features(backbone, self.images, self.folder / "run")
        head = self.new_head()
        self.train("ours", head, head, np.asarray(features, "float32"), steps_per_execution=STEPS_AT_A_CALL)
        return time.perf_counter() - begin


def extraction(backbone, images, folder, batch_size=128):
    """Extraction's images a second as a share of the bare model's forward rate."""
    from dlkit import transfer

    shutil.rmtree(folder, ignore_errors=True)
    begin = time.perf_counter()
    for start in range(0, len(images), batch_size):
        backbone.predict_on_batch(images[start : start + batch_size])
    bare = time.perf_counter() - begin
    begin = time.perf_counter()
    transfer.cached_features(backbone, images, folder, batch_size=batch_size)
    return bare / (time.perf_counter() - begin)


def run(rounds=3):
    """Runs the race and saves three rows: the first run, the second run, and extraction against the bare model."""
    from dlkit import transfer

    with tempfile.TemporaryDirectory() as folder:
        contest = Contest(folder)
        small = transfer.build_backbone("mobilenet", (32, 32, 3), image_size=96, weights=None)
        images = contest.photos.train[0][:5_000]
        extraction(small, images[:256], Path(folder, "rate"))  # once for nothing: traces
        shares = [extraction(small, images, Path(folder, "rate")) for _ in range(5)]
        result = race.take_turns(contest.ours, contest.theirs, rounds=rounds)
    told = race.conditions(
        data=f"{IMAGE_COUNT:,} images of {contest.photos.name}",
        backbone=f"ResNet50 with random weights at {IMAGE_SIZE} px, head of 512 units, {EPOCHS} epochs",
        final_loss={side: f"{statistics.median(values):.4f}" for side, values in contest.losses.items()},
    )
    base = {"unit": "image passes/s", "conditions": told}
    question = "ten epochs of a head on a frozen ResNet50 with random weights, against every epoch through it"
    race.save("frozen", {"question": question, "goal": "at least 9, floor 8", **base, **result})
    again = [EPOCHS * IMAGE_COUNT / seconds for seconds in contest.seconds["again"]]
    question = "the same, second run, with the features on disk"
    race.save(
        "frozen-again", {"question": question, "goal": "at least 100", **base, **race.compare(again, result["theirs"])}
    )
    told = race.conditions(
        data="5,000 images of the same", backbone="MobileNet 0.25 at 96 px: the fastest, so the hardest"
    )
    question, ones = "extracting features, against the forward pass of the bare model", [1.0] * len(shares)
    race.save(
        "extraction",
        {"question": question, "goal": "at least 0.9", "unit": "of its rate", "conditions": told}
        | race.compare(shares, ones),
    )
