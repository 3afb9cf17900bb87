"""Where data comes from: found on disk in any of its usual forms, or downloaded.

The search goes through `DLKIT_DATA`, the project's `data/` folder and Keras's cache, in this order.
"""

from __future__ import annotations

import os
from pathlib import Path

from dlkit import runtime
from dlkit.data.download import Download, fetch
from dlkit.data.readers import DataError
from dlkit.runtime.network import offline
from dlkit.runtime.shell import project_folder

# Checksums of the images: the ones Keras 3 verifies its own downloads of these files with (keras.datasets).
DOWNLOADS = {
    "cifar10": Download(
        "cifar-10-python.tar.gz",
        "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
        170_498_071,
        ("https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",),
    ),
    "mnist": Download(
        "mnist.npz",
        "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1",
        11_490_434,
        (
            "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz",
            "https://s3.amazonaws.com/img-datasets/mnist.npz",
        ),
    ),
    # The checksum was computed from a copy of 1,115,394 bytes.
    "prose": Download(
        "tinyshakespeare.txt",
        "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
        1_115_394,
        (
            "https://storage.googleapis.com/download.tensorflow.org/data/shakespeare.txt",
            "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",
        ),
    ),
}

# The forms in which each data set may lie in a search folder, best form first.
FORMS = {
    "mnist": (
        *(f"{folder}t10k-images-idx3-ubyte{end}" for folder in ("mnist/", "MNIST/raw/", "") for end in ("", ".gz")),
        "mnist.npz",
        "mnist/mnist.npz",
    ),
    "cifar10": (
        "cifar10.npz",  # read in a second, the others in several
        "cifar-10-batches-py",
        "cifar10/cifar-10-batches-py",
        "cifar-10-python.tar.gz",
        "cifar10",
        "cifar-10-batches-py-target/cifar-10-batches-py",  # Keras 3's cache
    ),
    "reviews": ("rt-polarity/rt-polarity.pos", "rt-polaritydata/rt-polarity.pos", "rt-polarity.pos"),
    "prose": ("tinyshakespeare.txt", "tinyshakespeare/tinyshakespeare.txt", "tinyshakespeare/input.txt"),
}


def project_data():
    """The folder that downloads go to: `data/` of the project, or the current folder's where dlkit is installed."""
    return (project_folder() or Path.cwd()) / "data"


def search_folders():
    """Folders that may hold data, as (label, path): DLKIT_DATA, the project's data/, Keras's cache; existing ones only.

    Raises:
        DataError: when DLKIT_DATA names a folder that does not exist, since that is a slip and not a wish.
    """
    named = os.environ.get("DLKIT_DATA")
    if named and not Path(named).is_dir():
        raise DataError(f"DLKIT_DATA is {named}, which is not a folder. Correct the variable or unset it.")
    places = [("DLKIT_DATA", Path(named) if named else None), ("data/", project_data())]
    places.append(("Keras's cache", _keras_home() / "datasets"))
    return [(label, path) for label, path in places if path is not None and path.is_dir()]


def _keras_home():
    return Path(os.environ.get("KERAS_HOME", Path.home() / ".keras"))


def find(patterns):
    """Finds the first of several relative paths in the search folders.

    Args:
        patterns: relative paths, best form first, such as ("cifar-10-batches-py", "cifar-10-python.tar.gz").

    Returns:
        (label, path), such as ("DLKIT_DATA", Path("…/cifar-10-batches-py")), or None.
    """
    for label, folder in search_folders():
        for pattern in patterns:
            if (folder / pattern).exists():
                return label, folder / pattern
    return None


def find_weights(file):
    """Finds pretrained weights on disk: in `weights/` of the search folders, or where Keras itself puts them.

    Args:
        file: string, the file's name as Keras has it.

    Returns:
        (label, path), or None.
    """
    cached = _keras_home() / "models" / file
    return find([f"weights/{file}"]) or (("Keras's cache", cached) if cached.exists() else None)


def find_or_fetch(name):
    """(label, path) of a data set on disk, downloaded where that is allowed and works; else None, with the reason."""
    if found := find(FORMS[name]):
        return found
    if offline() or name not in DOWNLOADS:
        return None
    try:
        return "download", fetch(DOWNLOADS[name], project_data())
    except DataError as error:
        print(error)
        return None


def unobtainable(name, forms):
    """The error for `load(name, real=True)` when there is no way to the real data; `forms` says what to look for."""
    return DataError(
        f"The real {name} was not found and could not be downloaded. With a network run "
        f"`{runtime.command('data', 'fetch', name)}`, or set DLKIT_DATA to a folder that holds {forms}."
    )


def notice(name, what):
    """Says that a stand-in is used."""
    print(f"No {name} found and none downloaded: using a stand-in, {what}.")
