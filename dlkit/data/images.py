"""Image data sets: scikit-learn's digits, MNIST, CIFAR-10, and their stand-ins."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from sklearn import datasets
from sklearn.model_selection import train_test_split

from dlkit.data import folders, readers, synthetic
from dlkit.data.dataset import DataError, Dataset

DIGITS = [str(digit) for digit in range(10)]


def read_digits():
    """scikit-learn's 8 x 8 digits: 1,347 for training and 450 held out."""
    bunch = datasets.load_digits()
    images = np.round(bunch.images * (255 / 16)).astype("uint8")
    description = "Handwritten digits of 13 people (Alpaydin and Kaynak 1998), gray levels 0-16 scaled to 0-255."
    return Dataset("digits", *_hold_out(images, bunch.target, 450), DIGITS, True, "scikit-learn", description)


def read_digits28():
    """The stand-in for MNIST: scikit-learn's digits, enlarged to 28 x 28 pixels and shifted."""
    digits = read_digits()
    train, test = synthetic.digits28(*digits.train, 8_000), synthetic.digits28(*digits.test, 2_000)
    description = "Stand-in for MNIST: scikit-learn's 8 x 8 digits enlarged and moved; no digit is in both splits."
    return Dataset("digits28", train, test, DIGITS, False, "scikit-learn", description)


def read_mnist(path, where):
    """MNIST from mnist.npz or idx files; from the test set alone where no training images are found."""
    description = "Handwritten digits (LeCun, Cortes and Burges 1998)."
    if path.suffix == ".npz":
        x_train, y_train, x_test, y_test = readers.read_npz(path, ["x_train", "y_train", "x_test", "y_test"])
        train, test = (_check_images(*split, (28, 28), path) for split in ((x_train, y_train), (x_test, y_test)))
        return Dataset("mnist", train, test, DIGITS, True, where, description)
    folder = path.parent
    if any(folder.glob("train-images-idx3-ubyte*")):
        train, test = _read_idx_split(folder, "train"), _read_idx_split(folder, "t10k")
        return Dataset("mnist", train, test, DIGITS, True, where, description)
    images, labels = _read_idx_split(folder, "t10k")
    if (rare := np.bincount(labels)[np.unique(labels)].min()) < 2 or len(labels) < 50:
        raise DataError(
            f"{folder} has {len(labels)} test images, and {rare} of one digit: too few to hold a fifth of them out. "
            "Fetch the files again."
        )
    description += " Only the 10,000 of the original test set were found; a fifth of them is held out here."
    return Dataset("mnist", *_hold_out(images, labels, 0.2), DIGITS, True, where, description)


def _read_idx_split(folder, split):
    images, labels = (
        next((p for p in sorted(folder.glob(f"{split}-{kind}-ubyte*")) if p.suffix in (".gz", "")), None)
        for kind in ("images-idx3", "labels-idx1")
    )
    if images is None or labels is None:
        lacking = f"{split}-{'images-idx3' if images is None else 'labels-idx1'}-ubyte.gz"
        raise DataError(f"{folder} lacks {lacking}. Put it next to the others, or remove them all.")
    return _check_images(readers.read_idx(images), readers.read_idx(labels), (28, 28), f"{folder}/{split}-*")


def _hold_out(images, labels, test_size):
    """((images, labels), (images, labels)): splits at random, with the same fractions of the classes in both."""
    splits = train_test_split(images, labels, test_size=test_size, stratify=labels, random_state=0)
    return (splits[0], splits[2]), (splits[1], splits[3])


def _check_images(images, labels, shape, file):
    """The arrays, labels as int64, when they can be images of that shape in ten classes."""
    fit = images.shape[1:] == shape and labels.shape == images.shape[:1] and len(labels)
    if not fit or images.dtype != np.uint8 or labels.dtype.kind not in "iu" or not set(labels) <= set(range(10)):
        values = f" from {labels.min()} to {labels.max()}" if labels.dtype.kind in "iu" and labels.size else ""
        raise DataError(
            f"{file}: expected uint8 images (count, {', '.join(map(str, shape))}) and as many labels from 0 to 9. "
            f"Received: images {images.dtype} {images.shape}, labels {labels.dtype} {labels.shape}{values}. "
            "Delete it and fetch it again."
        )
    return images, labels.astype("int64")


def read_cifar10(path, where):
    """CIFAR-10 from cifar10.npz, its pickled batches, its archive, or class folders."""
    description = "Small photographs of ten kinds of things (Krizhevsky 2009)."
    if path.suffix == ".npz":
        return _cifar10_from_npz(path, where, description)
    if (path / "train").is_dir():
        return replace(folders.image_folder(path), name="cifar10", source=where, description=description)
    train, test, class_names = readers.read_cifar_batches(path)
    return Dataset("cifar10", train, test, class_names, True, where, description)


def _cifar10_from_npz(file, where, description):
    names = ["x_train", "y_train", "x_test", "y_test", "class_names"]
    x_train, y_train, x_test, y_test, class_names = readers.read_npz(file, names)
    train, test = (_check_images(*split, (32, 32, 3), file) for split in ((x_train, y_train), (x_test, y_test)))
    if class_names.shape != (10,) or class_names.dtype.kind != "U" or len(set(class_names)) < 10:
        raise DataError(
            f"{file}: expected class_names, ten different texts in the order of the labels. Received: "
            f"{class_names.dtype} {class_names.shape}. Delete it and fetch it again."
        )
    description += f" Plain arrays from {file.name}, which is not a file of the publisher."
    return Dataset("cifar10", train, test, class_names.tolist(), True, where, description)


def read_shapes10():
    """The stand-in for CIFAR-10: generated images of colored shapes."""
    train, test = synthetic.shapes10(12_000, seed=0), synthetic.shapes10(3_000, seed=1)
    description = "Ten kinds of shapes in random colors over cluttered backgrounds, drawn by dlkit: no photographs."
    return Dataset("shapes10", train, test, list(synthetic.SHAPES), False, "dlkit (generated)", description)
