"""Folders of your own images: `train/<class>/*` and `test/<class>/*`."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dlkit.data import image_files
from dlkit.data.dataset import DataError, Dataset


def image_folder(path, *, image_size=None, on_error="raise"):
    """Loads your own images from `path/train/<class>/*` and `path/test/<class>/*`.

    Grayscale, transparent, palette, 16-bit, CMYK and rotated images all become upright 8-bit RGB. Subfolders of a class
    are read too; hidden files are not.

    Args:
        path: String or path, the folder that holds `train` and `test`.
        image_size: Tuple (height, width) to resize to, or None, the default. It is needed when the images differ in
            size.
        on_error: String, what to do about files that cannot be decoded as images. "raise", the default, names them all
            in an error; "skip" leaves them out, prints them, and the summary of the data set counts them.

    Returns:
        A `Dataset` whose images are uint8 RGB, in random order within each split (the same order every time).

    Raises:
        DataError: If the folder or one of its splits is missing, the two splits differ in classes, a class has no
            readable image, files cannot be decoded as images (all of them are named), or the images differ in size and
            `image_size` is None.
        ValueError: If `on_error` has another value.
    """
    path = Path(path)
    files, labels, classes = zip(*_list_splits(path), strict=True)
    if classes[0] != classes[1]:
        unmatched = sorted(set(classes[0]) ^ set(classes[1]))
        raise DataError(f"{path}: classes must be the same in train and test. In one only: {', '.join(unmatched)}.")
    orders = [np.random.default_rng(0).permutation(len(split)) for split in files]
    shuffled = [split[k] for split, order in zip(files, orders, strict=True) for k in order]
    images, indices = image_files.read_images(shuffled, image_size=image_size, on_error=on_error)
    labels = np.concatenate([split[order] for split, order in zip(labels, orders, strict=True)])[indices]
    cut = np.searchsorted(indices, len(files[0]))  # the first that came from test
    for split, found in (("train", labels[:cut]), ("test", labels[cut:])):
        if empty := sorted(set(range(len(classes[0]))) - set(found)):
            names = ", ".join(classes[0][k] for k in empty)
            raise DataError(
                f"{path / split}: none of the images of class {names} is readable. Put readable ones there."
            )
    skipped = len(shuffled) - len(indices)
    description = "Your own images" + (f"; unreadable files that were skipped: {skipped}." if skipped else ".")
    splits = (images[:cut], labels[:cut]), (images[cut:], labels[cut:])
    return Dataset(path.name, *splits, classes[0], True, "class folders", description)


def image_sizes(path, *, count=200):
    """The sizes of the images in a folder, read from a sample of the files without decoding them.

    Args:
        path: String or path, the folder that holds `train` and `test`.
        count: Integer, how many files to look at, evenly spread over all, default 200.

    Returns:
        Set of (height, width), as stored in the files: before the rotation that a camera noted is applied. Files that
        cannot be decoded as images are left out.

    Raises:
        DataError: If the folder or one of its splits is missing, or a class is empty.
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
