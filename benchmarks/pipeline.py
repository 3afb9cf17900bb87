"""Augmented batches of 224 pixels: `data.pipeline` against Keras as old tutorials and new guides use it, and at best.

The first is the deprecated `ImageDataGenerator`. The second is that of Keras's guides, which augment after the resizing
and decode the files in every epoch. The third is the best that plain `tf.data` offers with the same Keras layers:
cache, augment, resize, the order that `data.pipeline` has. All four read the same folder, from scratch in every round,
and deliver batches of the same size.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import keras
import tensorflow as tf
from PIL import Image
from tensorflow.keras.preprocessing.image import ImageDataGenerator

from benchmarks import harness
from dlkit import data

TARGETS = {"pipeline": "at least 8", "pipeline-same-order": "at least 0.9"}
IMAGE_SIZE = (224, 224)  # what networks trained on ImageNet expect
BATCH_SIZE = 32
IMAGE_COUNT = 1_000
EPOCHS = {32: 10, 224: 3}  # of ours and of the best order in a round, for files of this many pixels


def augmentation_layers():
    """The layers of Keras's guides to image classification and to transfer learning, which all sides use."""
    return [keras.layers.RandomFlip("horizontal"), keras.layers.RandomRotation(0.1)]


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


def our_batches(folder):
    """Builds our dataset of a folder that `write_folder` wrote."""
    options = {"training": True, "augment": augmentation_layers(), "image_size": IMAGE_SIZE}
    return data.pipeline(*data.image_folder(folder).train, batch_size=BATCH_SIZE, **options)


def legacy_batches(folder):
    """Builds one epoch of the deprecated `ImageDataGenerator`, with the same changes as `augmentation_layers`."""
    generator = ImageDataGenerator(horizontal_flip=True, rotation_range=36)  # degrees: 0.1 of a full turn
    options = {"target_size": IMAGE_SIZE, "batch_size": BATCH_SIZE, "interpolation": "bilinear"}
    batches = generator.flow_from_directory(folder / "train", **options)
    return (batches[k] for k in range(len(batches)))


def guide_batches(folder):
    """Builds the dataset of Keras's guides: resize while reading, then augment."""
    augment = keras.Sequential(augmentation_layers())
    options = {"image_size": IMAGE_SIZE, "batch_size": BATCH_SIZE, "verbose": False}
    batches = keras.utils.image_dataset_from_directory(folder / "train", **options)
    augmented = batches.map(lambda x, y: (augment(x, training=True), y), num_parallel_calls=tf.data.AUTOTUNE)
    return augmented.prefetch(tf.data.AUTOTUNE)


def plain_batches(folder, side):
    """Builds a dataset with plain `tf.data` in the best order: cache, shuffle, augment, resize."""
    augment = keras.Sequential(augmentation_layers())
    options = {"image_size": (side, side), "batch_size": None, "verbose": False}
    images = keras.utils.image_dataset_from_directory(folder / "train", **options)
    batches = images.map(lambda x, y: (tf.cast(x, tf.uint8), y)).cache().shuffle(IMAGE_COUNT).batch(BATCH_SIZE)
    return batches.map(
        lambda x, y: (tf.image.resize(augment(x, training=True), IMAGE_SIZE), y), num_parallel_calls=tf.data.AUTOTUNE
    ).prefetch(tf.data.AUTOTUNE)


def rate(make_batches, *args, epochs):
    """Images per second, with the time for making the dataset and reading the files included.

    Args:
        make_batches: Function that returns an iterable of batches (images, labels).
        *args: Its arguments.
        epochs: Integer, the number of epochs.
    """
    start = time.perf_counter()
    batches = make_batches(*args)
    count = sum(len(labels) for _ in range(epochs) for _, labels in batches)
    return count / (time.perf_counter() - start)


def measure(folder, side, rounds):
    """Measures the four sides alternately, so that a busy moment of the machine slows all of them.

    Args:
        folder: Path of a folder that `write_folder` wrote.
        side: Integer, height and width of the images in the files.
        rounds: Integer, how often each side is measured.

    Returns:
        Dictionary of lists of images per second: "ours", "legacy", "guides", "plain".
    """
    sides = {
        "ours": lambda: rate(our_batches, folder, epochs=EPOCHS[side]),
        "legacy": lambda: rate(legacy_batches, folder, epochs=1),  # decodes and augments one image after the other
        "guides": lambda: rate(guide_batches, folder, epochs=1),  # decodes the files in every epoch
        "plain": lambda: rate(plain_batches, folder, side, epochs=EPOCHS[side]),
    }
    for run_side in sides.values():  # warm-up: imports and first traces
        run_side()
    rates = {name: [] for name in sides}
    for number in range(1, rounds + 1):
        for name, run_side in sides.items():
            rates[name].append(run_side())
        print(f"round {number} of {rounds}: " + ", ".join(f"{name} {found[-1]:,.0f}" for name, found in rates.items()))
    return rates


def run(rounds=5):
    """Runs the benchmark on files of 32 pixels, which are enlarged, and of 224 pixels, and saves the results.

    Args:
        rounds: Integer, how often each side is measured, default 5.
    """
    dataset = data.load("cifar10")
    baselines = {
        "legacy": ("-legacy", "the deprecated ImageDataGenerator with the same changes after the resizing"),
        "guides": ("", "Keras's guides: the same layers after the resizing"),
        "plain": ("-same-order", "plain tf.data with the same layers before the resizing"),
    }
    for name, side in (("pipeline", 32), ("pipeline-large-files", 224)):
        with tempfile.TemporaryDirectory() as path:
            write_folder(Path(path), dataset, side)
            print(f"{name}: JPEG files of {side} pixels")
            rates = measure(Path(path), side, rounds)
        for baseline, (suffix, words) in baselines.items():
            harness.save_result(
                name + suffix,
                {
                    "description": f"augmented batches at 224 px from files of {side} px, against {words}",
                    "target": TARGETS.get(name + suffix, "none: for completeness"),
                    "unit": "images/s",
                    "conditions": harness.conditions(
                        data=f"{IMAGE_COUNT:,} images of {dataset.name}", batch_size=BATCH_SIZE
                    ),
                    **harness.compare(rates["ours"], rates[baseline]),
                },
            )
