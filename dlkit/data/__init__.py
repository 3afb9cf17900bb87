"""Data sets by name, real where they can be had and an honest stand-in where not; folders of your own images."""

from __future__ import annotations

from dlkit.data import images, sources, text
from dlkit.data.augmentation import random_affine, random_crop_and_flip, random_cutout
from dlkit.data.dataset import Dataset
from dlkit.data.glossary import glossary
from dlkit.data.images import image_folder, image_sizes
from dlkit.data.pipeline import pipeline
from dlkit.data.readers import DataError

__all__ = [
    "NAMES",
    "DataError",
    "Dataset",
    "glossary",
    "image_folder",
    "image_sizes",
    "load",
    "locate",
    "pipeline",
    "random_affine",
    "random_crop_and_flip",
    "random_cutout",
]

_LOADERS = {
    "digits": images.load_digits,
    "mnist": images.load_mnist,
    "cifar10": images.load_cifar10,
    "shapes10": images.load_shapes10,
    "reviews": text.load_reviews,
    "prose": text.load_prose,
    "sunspots": text.load_sunspots,
}
NAMES = tuple(_LOADERS)


def load(name, *, real=False):
    """Loads a data set by name: found on disk, else downloaded, else a stand-in that says so.

    Args:
        name: one of `NAMES`: "digits", "mnist", "cifar10", "shapes10" (images), "reviews", "prose" (texts), "sunspots".
        real: True never falls back to a stand-in.

    Returns:
        A `Dataset`. Images are uint8, 0 to 255; texts are Python strings, in arrays of dtype object.

    Raises:
        DataError: when the data found is damaged; or, with `real=True`, when it cannot be had: says how to get it.
        ValueError: for an unknown name.

    Example:
        >>> load("digits").train[0].shape
        (1347, 8, 8)
    """
    if name not in _LOADERS:
        raise ValueError(f'Expected the name of a data set: {", ".join(_LOADERS)}. Received: "{name}".')
    return _LOADERS[name](real)


def locate(name):
    """Says where a data set would be loaded from, without reading or downloading it.

    Args:
        name: one of `NAMES`.

    Returns:
        A text such as "DLKIT_DATA: cifar10", or None when it is not on this machine.
    """
    always = {"digits": "scikit-learn", "shapes10": "generated", "sunspots": "dlkit: sunspots.csv"}
    if name in always:
        return always[name]
    found = sources.find(sources.FORMS[name])
    if name == "reviews" and not found and text.imdb_is_cached():
        return "Keras's cache: imdb.npz"
    return found and f"{found[0]}: {found[1].name}"
