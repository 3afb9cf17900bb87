"""Image data sets: scikit-learn's digits, MNIST, CIFAR-10, and their stand-ins."""

import gzip
from dataclasses import replace

import numpy as np
from sklearn import datasets

from dlkit.data import download, locations, synthetic
from dlkit.data.dataset import DataError, Dataset, hold_out
from dlkit.data.download import Download

DIGITS = [str(digit) for digit in range(10)]
CIFAR10_CLASSES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
# The file and the archive with the checksums with which keras.datasets verifies them.
MNIST = Download(
    "mnist.npz",
    "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1",
    (
        "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz",
        "https://s3.amazonaws.com/img-datasets/mnist.npz",
    ),
)
CIFAR10 = Download(
    "cifar-10-batches-py-target_archive",
    "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
    ("https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",),
)
MNIST_MD5 = {  # of the files on the publisher's page
    "train-images-idx3-ubyte.gz": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "train-labels-idx1-ubyte.gz": "d53e105ee54ea40749a09fcbcd1e9432",
    "t10k-images-idx3-ubyte.gz": "9fb629c4189551a2d022fa330f9573f3",
    "t10k-labels-idx1-ubyte.gz": "ec29112dd5afa0611ce80d1b7f02629c",
}


def read_digits():
    """scikit-learn's 8 x 8 digits: 1,347 for training and 450 held out."""
    bunch = datasets.load_digits()
    images = np.round(bunch.images * (255 / 16)).astype("uint8")
    description = "Handwritten digits of 13 people (Alpaydin and Kaynak 1998), gray levels 0-16 scaled to 0-255."
    return Dataset("digits", *hold_out(images, bunch.target, 450), DIGITS, True, "scikit-learn", description)


def read_digits28():
    """The stand-in for MNIST: scikit-learn's digits, enlarged to 28 x 28 pixels and shifted."""
    digits = read_digits()
    splits = synthetic.digits28(*digits.train, 8_000), synthetic.digits28(*digits.test, 2_000)
    description = "Stand-in for MNIST: scikit-learn's 8 x 8 digits enlarged and moved; no digit is in both splits."
    return Dataset("digits28", *splits, DIGITS, False, "scikit-learn", description)


def read_mnist(path, where):
    """MNIST from Keras's mnist.npz or the published files; from the test files alone where no others are found."""
    description = "Handwritten digits (LeCun, Cortes and Burges 1998)."
    if path.suffix == ".npz":
        download.verify(path, MNIST.sha256)
        with np.load(path) as arrays:
            splits = _splits_of(arrays)
    elif (path.parent / "train-images-idx3-ubyte.gz").exists():
        splits = _read_idx_files(path.parent, "train"), _read_idx_files(path.parent, "t10k")
    else:
        splits = hold_out(*_read_idx_files(path.parent, "t10k"), 0.2)
        description += " Only the 10,000 of the original test set were found; a fifth of them is held out here."
    return Dataset("mnist", *splits, DIGITS, True, where, description)


def _splits_of(arrays):
    """((images, labels), (images, labels)) from an npz file, whose arrays have the names that Keras uses."""
    return tuple((arrays[f"x_{split}"], arrays[f"y_{split}"]) for split in ("train", "test"))


def _read_idx_files(folder, split):
    """(images, labels) from two of MNIST's published files."""
    arrays = []
    for kind, header, shape in (("images-idx3", 16, (-1, 28, 28)), ("labels-idx1", 8, (-1,))):
        path = folder / f"{split}-{kind}-ubyte.gz"
        download.verify(path, MNIST_MD5[path.name])
        arrays.append(np.frombuffer(gzip.decompress(path.read_bytes()), np.uint8, offset=header).reshape(shape))
    return arrays


def read_cifar10(path, where):
    """CIFAR-10 from cifar10.npz, or from the published archive, which Keras unpacks into its cache."""
    description = "Small photographs of ten kinds of things (Krizhevsky 2009)."
    if path.suffix != ".npz":
        download.verify(path, CIFAR10.sha256)
        splits = _load_cifar10_by_keras(path.resolve().as_uri())
        return Dataset("cifar10", *splits, CIFAR10_CLASSES, True, where, description)
    description += f" Plain arrays from {path.name}, which is not a file of the publisher."
    try:
        with np.load(path, allow_pickle=False) as arrays:
            splits, class_names = _splits_of(arrays), arrays["class_names"].tolist()
        for images, _ in splits:
            if images.shape[1:] != (32, 32, 3) or images.dtype != np.uint8 or len(images) == 0:
                received = f"{images.dtype} {images.shape}"
                raise ValueError(f"Expected uint8 images (count, 32, 32, 3). Received: {received}.")
        return Dataset("cifar10", *splits, class_names, True, where, description)
    except (OSError, MemoryError):  # which say themselves what is wrong, and the content is not to blame
        raise
    except Exception as error:  # NumPy and zipfile raise many kinds for a damaged file
        raise DataError(f"{path} could not be read: {str(error).rstrip('.')}. Delete it and fetch it again.") from error


def fetch_cifar10():
    """Lets Keras download and verify CIFAR-10, and saves it as data/cifar10.npz, which loads in a second."""
    target = locations.project_data() / "cifar10.npz"
    if target.exists():
        read_cifar10(target, "data/")
        return target
    with download.new_file(target) as part:
        (x_train, y_train), (x_test, y_test) = _load_cifar10_by_keras(*CIFAR10.urls)
        arrays = {"x_train": x_train, "y_train": y_train, "x_test": x_test, "y_test": y_test}
        np.savez(part, **arrays, class_names=CIFAR10_CLASSES)
    return target


def _load_cifar10_by_keras(*urls):
    """((images, labels), (images, labels)) as Keras reads them, after the archive was put into its cache.

    The batches in the archive are pickles. Keras compares the archive with its checksum and unpacks it anew each time
    before it opens them, so nobody can have changed them.
    """
    import keras

    download.fetch(replace(CIFAR10, urls=urls), locations.keras_datasets())
    keras.config.set_image_data_format("channels_last")  # whatever keras.json says
    return keras.datasets.cifar10.load_data()


def read_shapes10():
    """The stand-in for CIFAR-10: generated images of colored shapes."""
    splits = synthetic.shapes10(12_000, seed=0), synthetic.shapes10(3_000, seed=1)
    description = "Ten kinds of shapes in random colors over cluttered backgrounds, drawn by dlkit: no photographs."
    return Dataset("shapes10", *splits, list(synthetic.SHAPES), False, "dlkit (generated)", description)
