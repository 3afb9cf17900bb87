"""Augmented batches of 224 pixels: `data.pipeline` against the generator that most transfer-learning tutorials use.

The opponent is `ImageDataGenerator.flow_from_directory` with the settings these tutorials print. Ours reads the same
folder, draws from the same ranges (tests/test_pipeline.py shows that the changes are equal), and hands on batches of
the same size. Ours has to read its folder and start anew in every turn; the opponent is met in full swing.
"""

from __future__ import annotations

import contextlib
import io
import tempfile
import time
from pathlib import Path

from PIL import Image

from benchmarks import race
from dlkit import data

IMAGE_SIZE = (224, 224)  # what networks trained on ImageNet want
BATCH_SIZE = 32
IMAGE_COUNT = 2_000
EPOCHS = 3  # of ours in a turn, reading included
LEGACY_BATCHES = 10  # of theirs in a turn: some seconds


def write_folder(folder, dataset, side):
    """Writes the first training images as JPEG class folders, and a few test images: `image_folder` wants both."""
    for part, (images, labels), count in (("train", dataset.train, IMAGE_COUNT), ("test", dataset.test, 200)):
        for k, (image, label) in enumerate(zip(images[:count], labels[:count], strict=True)):
            home = folder / part / dataset.class_names[label]
            home.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC).save(
                home / f"{k:05d}.jpg", quality=90
            )


def our_rate(folder):
    """Images a second over some epochs, from the closed folder on."""
    start = time.perf_counter()
    images, labels = data.image_folder(folder).train
    train_ds = data.pipeline(
        images, labels, batch_size=BATCH_SIZE, training=True, augment=data.random_affine, image_size=IMAGE_SIZE
    )
    count = sum(len(batch_labels) for _ in range(EPOCHS) for _, batch_labels in train_ds)
    return count / (time.perf_counter() - start)


def make_legacy(folder):
    """The generator as tutorials have it, and a function that measures its images a second."""
    from tensorflow.keras.preprocessing.image import ImageDataGenerator

    generator = ImageDataGenerator(
        rescale=1 / 255,
        rotation_range=20,
        width_shift_range=0.2,
        height_shift_range=0.2,
        shear_range=0.2,
        zoom_range=0.2,
        horizontal_flip=True,
    )
    with contextlib.redirect_stdout(io.StringIO()):  # "Found 2000 images …"
        batches = generator.flow_from_directory(folder / "train", IMAGE_SIZE, batch_size=BATCH_SIZE)
    next(batches)

    def rate():
        start = time.perf_counter()
        count = sum(len(next(batches)[1]) for _ in range(LEGACY_BATCHES))
        return count / (time.perf_counter() - start)

    return rate


def run(rounds=5):
    """Runs both races and saves them: files of 32 pixels, which are enlarged, and files of 224 pixels."""
    photos = data.load("cifar10")
    questions = {
        "pipeline": (32, "at least 15, floor 10"),
        "pipeline-large-files": (224, "none: for completeness"),
    }
    for name, (side, goal) in questions.items():
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            write_folder(folder, photos, side)
            our_rate(folder)  # once for nothing: imports, first traces
            print(f"{name}: JPEG files of {side} pixels")
            result = race.take_turns(lambda folder=folder: our_rate(folder), make_legacy(folder), rounds=rounds)
        told = race.conditions(data=f"{IMAGE_COUNT:,} images of {photos.name}", batch_size=BATCH_SIZE)
        question = f"augmented batches at 224 px from files of {side} px, against the legacy ImageDataGenerator"
        race.save(name, {"question": question, "goal": goal, "unit": "images/s", "conditions": told, **result})
