"""Augmented batches of 224 pixels: `data.pipeline` against the generator that most transfer-learning tutorials use.

The baseline is `ImageDataGenerator.flow_from_directory` with the settings that these tutorials print. Ours reads the
same folder, draws from the same ranges (tests/data shows that the transformations are equal), and delivers batches of
the same size. Ours has to read its folder and start from scratch in every round, while the baseline is already warm.
"""

from __future__ import annotations

import contextlib
import io
import tempfile
import time
from pathlib import Path

from PIL import Image
from tensorflow.keras.preprocessing.image import ImageDataGenerator

from benchmarks import harness
from dlkit import data

IMAGE_SIZE = (224, 224)  # what networks trained on ImageNet expect
BATCH_SIZE = 32
IMAGE_COUNT = 2_000
EPOCHS = 3  # of ours in a round, reading included
BASELINE_BATCHES = 10  # of the baseline in a round: some seconds


def write_folder(folder, dataset, side):
    """Writes the first training images as JPEG class folders, and a few test images, which `image_folder` expects.

    Args:
        folder: Path of the folder.
        dataset: A `data.Dataset` of images.
        side: Integer, height and width of the images in the files.
    """
    for split, (images, labels), count in (("train", dataset.train, IMAGE_COUNT), ("test", dataset.test, 200)):
        for k, (image, label) in enumerate(zip(images[:count], labels[:count], strict=True)):
            class_folder = folder / split / dataset.class_names[label]
            class_folder.mkdir(parents=True, exist_ok=True)
            resized = Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC)
            resized.save(class_folder / f"{k:05d}.jpg", quality=90)


def our_rate(folder):
    """Images per second over some epochs, with the time for reading the folder included.

    Args:
        folder: Path of a folder that `write_folder` wrote.
    """
    start = time.perf_counter()
    images, labels = data.image_folder(folder).train
    train_ds = data.pipeline(
        images, labels, batch_size=BATCH_SIZE, training=True, augment=data.random_affine, image_size=IMAGE_SIZE
    )
    count = sum(len(batch_labels) for _ in range(EPOCHS) for _, batch_labels in train_ds)
    return count / (time.perf_counter() - start)


def make_baseline(folder):
    """Builds the generator as tutorials do.

    Args:
        folder: Path of a folder that `write_folder` wrote.

    Returns:
        Function without arguments that measures the generator's images per second.
    """
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
        count = sum(len(next(batches)[1]) for _ in range(BASELINE_BATCHES))
        return count / (time.perf_counter() - start)

    return rate


def run(rounds=5):
    """Runs both benchmarks and saves their results: files of 32 pixels, which are enlarged, and files of 224 pixels.

    Args:
        rounds: Integer, how often each side is measured, default 5.
    """
    dataset = data.load("cifar10")
    variants = {
        "pipeline": (32, "at least 15 (minimum 10)"),
        "pipeline-large-files": (224, "none: for completeness"),
    }
    for name, (side, target) in variants.items():
        with tempfile.TemporaryDirectory() as path:
            folder = Path(path)
            write_folder(folder, dataset, side)
            our_rate(folder)  # warm-up: imports and first traces
            print(f"{name}: JPEG files of {side} pixels")
            result = harness.interleave(lambda folder=folder: our_rate(folder), make_baseline(folder), rounds=rounds)
        files = f"augmented batches at 224 px from files of {side} px"
        harness.save_result(
            name,
            {
                "description": f"{files}, against the legacy ImageDataGenerator",
                "target": target,
                "unit": "images/s",
                "conditions": harness.conditions(
                    data=f"{IMAGE_COUNT:,} images of {dataset.name}", batch_size=BATCH_SIZE
                ),
                **result,
            },
        )
