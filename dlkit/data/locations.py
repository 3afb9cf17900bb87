"""Where data and pretrained weights may lie on this machine.

The search goes through the folder that `DLKIT_DATA` names, the project's `data/` and Keras's cache, in this order.
"""

from __future__ import annotations

import os
from pathlib import Path

from dlkit.data.dataset import DataError
from dlkit.runtime.shell import project_folder


def project_data():
    """The folder for downloads: `data/` of the project, or of the current folder where only dlkit is installed."""
    return (project_folder() or Path.cwd()) / "data"


def keras_datasets():
    """The folder for data in Keras's cache."""
    return _keras_home() / "datasets"


def _keras_home():
    return Path(os.environ.get("KERAS_HOME", Path.home() / ".keras"))


def search_folders():
    """Lists the folders that may hold data.

    Returns:
        List of (where, path), such as ("DLKIT_DATA", Path("/media/class/data")), of the folders that exist.

    Raises:
        DataError: If DLKIT_DATA points to something that is not a folder, since that is a mistake.
    """
    named = os.environ.get("DLKIT_DATA")
    if named and not Path(named).is_dir():
        raise DataError(f"DLKIT_DATA is {named}, which is not a folder. Correct the variable or unset it.")
    folders = [("DLKIT_DATA", Path(named))] if named else []
    folders += [("data/", project_data()), ("Keras's cache", keras_datasets())]
    return [(where, path) for where, path in folders if path.is_dir()]


def find(paths):
    """Finds the first of several relative paths in the search folders.

    Args:
        paths: Sequence of strings, relative paths, best first, such as ("cifar-10-batches-py", "cifar10").

    Returns:
        (where, path), such as ("DLKIT_DATA", Path("…/cifar-10-batches-py")), or None.

    Raises:
        DataError: If DLKIT_DATA points to something that is not a folder.
    """
    for where, folder in search_folders():
        for path in paths:
            if (folder / path).exists():
                return where, folder / path
    return None


def find_in_keras_cache(files):
    """Finds a data set that Keras downloaded into its own cache.

    Args:
        files: Sequence of strings, the names of its files.

    Returns:
        (where, path) of the first file, or None if one of them is missing.

    Raises:
        DataError: If DLKIT_DATA points to something that is not a folder.
    """
    cache = dict(search_folders()).get("Keras's cache")
    if cache is None or not all((cache / file).exists() for file in files):
        return None
    return "Keras's cache", cache / files[0]


def find_weights(file):
    """Finds pretrained weights: in `weights/` of the search folders, or where Keras itself puts them.

    Args:
        file: String, the name that Keras gives the file.

    Returns:
        (where, path), or None.

    Raises:
        DataError: If DLKIT_DATA points to something that is not a folder.
    """
    cached = _keras_home() / "models" / file
    return find([f"weights/{file}"]) or (("Keras's cache", cached) if cached.exists() else None)
