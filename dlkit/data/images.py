"""Image data sets: scikit-learn's digits, MNIST, CIFAR-10, their stand-ins, and folders of your own images."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from dlkit.data import image_files, readers, sources, synthetic
from dlkit.data.dataset import Dataset
from dlkit.data.readers import DataError


def image_folder(path, *, image_size=None, on_error="raise"):
    """Loads your own images from `path/train/<class>/*` and `path/test/<class>/*`.

    Greyscale, transparent, palette, 16-bit, CMYK and turned images all become upright 8-bit RGB; sub-folders of a class
    are read too, hidden files are not.

    Args:
        path: the folder that holds `train` and `test`.
        image_size: (height, width) to resize to; needed when the images differ in size.
        on_error: what to do about files that are no readable images: "raise" names them all, "skip" leaves them out,
            prints them, and the card says how many.

    Returns:
        A `Dataset` whose images are uint8 RGB, in random order within each split (the same order every time).

    Raises:
        DataError: when the folder or one of its parts is missing, the two parts differ in classes, a class is empty,
            or files are no images (all are named).
        ValueError: for another `on_error`.
    """
    path = Path(path)
    files, labels, classes = zip(*_list_splits(path), strict=True)
    if classes[0] != classes[1]:
        odd = sorted(set(classes[0]) ^ set(classes[1]))
        raise DataError(f"{path}: classes must be the same in train and test. In one only: {', '.join(odd)}.")
    orders = [np.random.default_rng(0).permutation(len(part)) for part in files]
    shuffled = [part[k] for part, order in zip(files, orders, strict=True) for k in order]
    images, kept = image_files.read_images(shuffled, image_size=image_size, on_error=on_error)
    labels = np.concatenate([part[order] for part, order in zip(labels, orders, strict=True)])[kept]
    cut = np.searchsorted(kept, len(files[0]))  # the first that came from test
    for part, found in (("train", labels[:cut]), ("test", labels[cut:])):
        if empty := sorted(set(range(len(classes[0]))) - set(found)):
            names = ", ".join(classes[0][k] for k in empty)
            raise DataError(f"{path / part}: none of the images of class {names} is readable. Put readable ones there.")
    skipped = len(shuffled) - len(kept)
    about = "Your own images" + (f"; unreadable files that were skipped: {skipped}." if skipped else ".")
    parts = (images[:cut], labels[:cut]), (images[cut:], labels[cut:])
    return Dataset(path.name, *parts, classes[0], True, "class folders", about)


def image_sizes(path, *, count=200):
    """The sizes of the images in a folder, read from a sample of the files without decoding them.

    Args:
        path: String or path, the folder that holds `train` and `test`.
        count: Integer, how many files to look at, evenly spread over all, default 200.

    Returns:
        Set of (height, width), as stored in the files: before the rotation that a camera noted is applied. Files that
        cannot be read as images are left out.
    """
    files = [file for split in _list_splits(Path(path)) for file in split[0]]
    return image_files.sizes(files[:: max(len(files) // count, 1)])


def _list_splits(path):
    """[(files, labels, class_names)] of the folders `train` and `test`."""
    splits = ("train", "test")
    if missing := [split for split in splits if not (path / split).is_dir()]:
        raise DataError(
            f"{path} {'lacks ' + ' and '.join(missing) if path.is_dir() else 'does not exist'}. "
            f"Expected class folders: {path}/train/<class>/<image> and {path}/test/<class>/<image>."
        )
    return [image_files.list_image_folder(path / split) for split in splits]


def load_digits(real):
    """scikit-learn's 8 x 8 digits, 1,347 for training and 450 held out; always there."""
    from sklearn import datasets
    from sklearn.model_selection import train_test_split

    bunch = datasets.load_digits()
    images = np.round(bunch.images * (255 / 16)).astype("uint8")
    parts = train_test_split(images, bunch.target, test_size=450, stratify=bunch.target, random_state=0)
    return Dataset(
        "digits",
        (parts[0], parts[2]),
        (parts[1], parts[3]),
        [str(digit) for digit in range(10)],
        True,
        "scikit-learn",
        "Handwritten digits of 13 people (Alpaydin and Kaynak 1998), grey levels 0-16 scaled to 0-255.",
    )


_MNIST_ABOUT = "Handwritten digits (LeCun, Cortes and Burges 1998)."


def load_mnist(real):
    """MNIST from idx files or mnist.npz; from the test set alone where nothing else is found."""
    found = sources.find_or_fetch("mnist")
    if found and found[1].suffix != ".npz":
        return _mnist_from_idx(found[1].parent, found[0])
    if found:
        x_train, y_train, x_test, y_test = readers.read_npz(found[1], ["x_train", "y_train", "x_test", "y_test"])
        parts = (_checked(*part, (28, 28), found[1]) for part in ((x_train, y_train), (x_test, y_test)))
        return _digits_dataset(*parts, True, found[0], _MNIST_ABOUT)
    if real:
        raise sources.unobtainable(
            "mnist", "mnist.npz, or the idx files train-images-idx3-ubyte.gz and its three companions"
        )
    sources.notice("mnist", "scikit-learn's digits, enlarged to 28 x 28 and moved about")
    digits = load_digits(real)
    train, test = synthetic.mnist_like(*digits.train, 8_000), synthetic.mnist_like(*digits.test, 2_000)
    about = "Stand-in for MNIST: scikit-learn's 8 x 8 digits enlarged and moved about; no digit is in both parts."
    return _digits_dataset(train, test, False, "scikit-learn", about)


def _mnist_from_idx(folder, label):
    from sklearn.model_selection import train_test_split

    def read(part):
        images, labels = (
            next((p for p in sorted(folder.glob(f"{part}-{kind}-ubyte*")) if p.suffix in (".gz", "")), None)
            for kind in ("images-idx3", "labels-idx1")
        )
        if images is None or labels is None:
            lacking = f"{part}-{'images-idx3' if images is None else 'labels-idx1'}-ubyte.gz"
            raise DataError(f"{folder} lacks {lacking}. Put it beside the others, or take them all away.")
        return _checked(readers.read_idx(images), readers.read_idx(labels), (28, 28), f"{folder}/{part}-*")

    if any(folder.glob("train-images-idx3-ubyte*")):
        return _digits_dataset(read("train"), read("t10k"), True, label, _MNIST_ABOUT)
    images, labels = read("t10k")
    if (rare := np.bincount(labels)[np.unique(labels)].min()) < 2 or len(labels) < 50:
        raise DataError(
            f"{folder} has {len(labels)} test images, and {rare} of one digit: too few to hold a fifth of them out. "
            "Fetch the files again."
        )
    parts = train_test_split(images, labels, test_size=0.2, stratify=labels, random_state=0)
    about = _MNIST_ABOUT + " Only the 10,000 of the original test set were found; a fifth of them is held out here."
    return _digits_dataset((parts[0], parts[2]), (parts[1], parts[3]), True, label, about)


def _checked(images, labels, shape, file):
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


def _digits_dataset(train, test, is_real, source, about):
    return Dataset("mnist", train, test, [str(digit) for digit in range(10)], is_real, source, about)


def load_cifar10(real):
    """CIFAR-10 from cifar10.npz, its pickled batches, its archive, class folders, or Keras's cache."""
    about = "Small photographs of ten kinds of things (Krizhevsky 2009)."
    found = sources.find_or_fetch("cifar10")
    if found and found[1].suffix == ".npz":
        return _cifar10_from_npz(found[1], found[0], about)
    if found and (found[1] / "train").is_dir():
        return replace(image_folder(found[1]), name="cifar10", source=found[0], description=about)
    if found:
        train, test, class_names = readers.read_cifar_batches(found[1])
        return Dataset("cifar10", train, test, class_names, True, found[0], about)
    if real:
        raise sources.unobtainable(
            "cifar10", "cifar10.npz, cifar-10-python.tar.gz, cifar-10-batches-py/, or cifar10/{train,test}/<class>/"
        )
    sources.notice("cifar10", "shapes10, drawn by this program")
    return replace(load_shapes10(real), name="cifar10")


def _cifar10_from_npz(file, label, about):
    names = ["x_train", "y_train", "x_test", "y_test", "class_names"]
    x_train, y_train, x_test, y_test, class_names = readers.read_npz(file, names)
    train, test = (_checked(*part, (32, 32, 3), file) for part in ((x_train, y_train), (x_test, y_test)))
    if class_names.shape != (10,) or class_names.dtype.kind != "U" or len(set(class_names)) < 10:
        raise DataError(
            f"{file}: expected class_names, ten different texts in the order of the labels. Received: "
            f"{class_names.dtype} {class_names.shape}. Delete it and fetch it again."
        )
    about += f" Plain arrays from {file.name}, which is not a file of the publisher."
    return Dataset("cifar10", train, test, class_names.tolist(), True, label, about)


def load_shapes10(real):
    """The coloured stand-in by its own name; generated even where real images are at hand."""
    train, test = synthetic.shapes10(12_000, seed=0), synthetic.shapes10(3_000, seed=1)
    about = "Ten kinds of shapes in free colours over cluttered grounds, drawn by dlkit: no photographs."
    return Dataset("shapes10", train, test, list(synthetic.SHAPES), False, "dlkit (generated)", about)
