"""Where data and pretrained weights may lie on this machine.

The search goes through the folder that `DLKIT_DATA` names, the project's `data/` and Keras's cache, in this order.
"""

import os
from pathlib import Path

from dlkit.data.dataset import DataError
from dlkit.runtime.keras_json import keras_home
from dlkit.runtime.shell import project_folder


def project_data():
    """The folder for downloads: `data/` of the project, or of the current folder where only dlkit is installed."""
    return (project_folder() or Path.cwd()) / "data"


def keras_datasets():
    """The folder for data in Keras's cache."""
    return keras_home() / "datasets"


def search_folders():
    """The folders that may hold data and exist, as pairs such as ("DLKIT_DATA", Path("/media/class/data")).

    Raises a `DataError` if DLKIT_DATA points to something that is not a folder, since that is a mistake.
    """
    named = os.environ.get("DLKIT_DATA")
    if named and not Path(named).is_dir():
        raise DataError(f"DLKIT_DATA is {named}, which is not a folder. Correct the variable or unset it.")
    folders = [("DLKIT_DATA", Path(named))] if named else []
    folders += [("data/", project_data()), ("Keras's cache", keras_datasets())]
    return [(where, path) for where, path in folders if path.is_dir()]


def find(paths):
    """Finds the first of several relative paths in the search folders: (where, path), or None."""
    found = ((where, folder / path) for where, folder in search_folders() for path in paths)
    return next((pair for pair in found if pair[1].exists()), None)


def find_weights(file):
    """Finds pretrained weights by the name that Keras gives the file, also where Keras puts them: (where, path)."""
    cached = keras_home() / "models" / file
    return find([f"weights/{file}"]) or (("Keras's cache", cached) if cached.exists() else None)
