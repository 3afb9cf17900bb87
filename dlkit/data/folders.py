"""Folders of your own images, `train/<class>/*` and `test/<class>/*`, with every file accounted for."""

from __future__ import annotations

import contextlib
import hashlib
import os
import unicodedata
from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image

from dlkit.data import image_files
from dlkit.data.dataset import DataError, Dataset
from dlkit.validation import check_integer

IMAGE_SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp"),
    *(".gif", ".webp", ".avif", ".tif", ".tiff", ".ppm"),
)


def image_folder(path, *, image_size=None, on_error="raise", in_memory=None):
    """Loads your own images from `path/train/<class>/*` and `path/test/<class>/*`.

    Grayscale, transparent, palette, 16-bit, CMYK and rotated images all become upright 8-bit RGB. Subfolders of a class
    are read too, and links are followed; hidden files are not read. Test images that are copies of training images are
    counted in a line of output.

    Args:
        path: String or path, the folder that holds `train` and `test`.
        image_size: Tuple (height, width) to resize to, or None, the default. It is needed when the images differ in
            size.
        on_error: String, what to do about files that cannot be decoded as images. "raise", the default, names them all
            in an error; "skip" leaves them out, prints them, and the summary of the data set counts them.
        in_memory: Boolean, whether the decoded images are kept in memory. None, the default, keeps up to two gigabytes;
            a larger folder is decoded while it is used.

    Returns:
        A `Dataset` whose images are uint8 RGB, in random order within each split (the same order every time): arrays,
        or `LazyImages` where they do not stay in memory. Its description counts the files that were left out.

    Raises:
        DataError: If the folder or one of its splits is missing, the two splits differ in classes, there is only one
            class, a class has no readable image or a name that is no text, files cannot be decoded as images (all of
            them are named), 16-bit images would become almost black, or the images differ in size and `image_size` is
            None.
        ValueError: If `image_size` or `on_error` has another value.
    """
    path, image_size = Path(path), image_files.check_image_size(image_size)
    files, labels, classes, left_out = zip(*_list_splits(path), strict=True)
    orders = [np.random.default_rng(0).permutation(len(split)) for split in files]
    shuffled = [split[k] for split, order in zip(files, orders, strict=True) for k in order]
    options = {"image_size": image_size, "on_error": on_error, "in_memory": in_memory}
    images, indices = image_files.read_images(shuffled, **options)
    labels = np.concatenate([split[order] for split, order in zip(labels, orders, strict=True)])[indices]
    cut = np.searchsorted(indices, len(files[0]))  # the first that came from test
    for split, found in (("train", labels[:cut]), ("test", labels[cut:])):
        if empty := sorted(set(range(len(classes[0]))) - set(found)):
            names = ", ".join(classes[0][k] for k in empty)
            raise DataError(
                f"{path / split}: none of the images of class {names} is readable. Put readable ones there."
            )
    _report_copies([shuffled[k] for k in indices[:cut]], [shuffled[k] for k in indices[cut:]])
    if isinstance(images, image_files.LazyImages):
        halves = images.take(np.arange(cut)), images.take(np.arange(cut, len(images)))  # decodes nothing
    else:
        halves = images[:cut], images[cut:]
    description = _describe(len(shuffled) - len(indices), left_out[0] + left_out[1])
    splits = (halves[0], labels[:cut]), (halves[1], labels[cut:])
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
        DataError: If the folder or one of its splits is missing, their classes differ, or a class is empty.
        ValueError: If `count` is not a positive integer.
    """
    count = check_integer("count", count)
    files, sizes = [file for split in _list_splits(Path(path)) for file in split[0]], set()
    for file in files[:: max(len(files) // count, 1)]:
        with contextlib.suppress(Exception), Image.open(file) as image:
            sizes.add(image.size[::-1])
    return sizes


def list_image_folder(folder):
    """Lists the images in `folder/<class>/`, at any depth, in the same order on every machine.

    Suffixes may be in upper case. Hidden files and folders and `__MACOSX` are passed over. Class names may hold spaces
    and any letters. A name that macOS and Linux encode differently is one class.

    Args:
        folder: String or path, the folder that holds a folder for each class.

    Returns:
        (files, labels, class_names, left_out): a list of paths, an int64 array of shape (count,), the sorted names of
        the class folders, and a `Counter` of the files that are no images: by suffix, or "outside the class folders".

    Raises:
        DataError: If there are no class folders, one of them holds no image, or the name of one is no text.
    """
    folder, folders, left_out = Path(folder), {}, Counter()
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if not _is_hidden(entry.name) and entry.is_dir():
            name = unicodedata.normalize("NFC", entry.name)  # the name é may be one code point or two
            if image_files.printable(name) != name:
                raise DataError(
                    f"{folder}: expected class folders whose names are text in UTF-8. "
                    f"Received: {image_files.printable(name)}. Rename this folder."
                )
            folders.setdefault(name, []).append(Path(entry.path))
        elif not _is_hidden(entry.name):
            left_out["outside the class folders"] += 1
    if not folders:
        raise DataError(f"{folder} holds no class folders. Expected {folder}/<class>/<image>.")
    images = {}
    for name in sorted(folders):
        found = sorted(file for root in folders[name] for file in _walk(root))
        images[name] = [file for file in found if file.suffix.lower() in IMAGE_SUFFIXES]
        left_out.update(file.suffix.lower() or "without a suffix" for file in set(found) - set(images[name]))
    if empty := [name for name in images if not images[name]]:
        raise DataError(
            f"{folder}: no image in class folder {', '.join(empty)}. "
            f"Put images there ({', '.join(IMAGE_SUFFIXES)}) or remove the folder."
        )
    labels = np.repeat(np.arange(len(images), dtype="int64"), [len(found) for found in images.values()])
    return [file for found in images.values() for file in found], labels, list(images), left_out


def _is_hidden(name):
    return name.startswith(".") or name == "__MACOSX"


def _walk(root):
    """Yields the files below a folder that are not hidden. Links are followed, each folder is visited once."""

    def stop(error):
        raise error

    visited = set()
    for folder, names, files in os.walk(root, followlinks=True, onerror=stop):
        is_new = os.path.realpath(folder) not in visited
        visited.add(os.path.realpath(folder))
        names[:] = sorted(name for name in names if is_new and not _is_hidden(name))
        yield from (Path(folder, name) for name in files if is_new and not _is_hidden(name))


def _list_splits(path):
    """[(files, labels, class_names, left_out)] of the folders `train` and `test`, which have the same classes."""
    splits = ("train", "test")
    if missing := [split for split in splits if not (path / split).is_dir()]:
        raise DataError(
            f"{path} {'lacks ' + ' and '.join(missing) if path.is_dir() else 'does not exist'}. "
            f"Expected class folders: {path}/train/<class>/<image> and {path}/test/<class>/<image>."
        )
    listed = [list_image_folder(path / split) for split in splits]
    (files, _, train_names, _), (_, _, test_names, _) = listed
    if unmatched := sorted(set(train_names) ^ set(test_names)):
        raise DataError(f"{path}: classes must be the same in train and test. In one only: {', '.join(unmatched)}.")
    if len(train_names) == 1:
        folder, name = path / "train", train_names[0]
        inner = sorted({parts[1] for file in files if len(parts := file.relative_to(folder).parts) > 2})
        advice = "Make a folder for each class."
        if inner:
            advice = f"If {folder / name} holds the class folders ({', '.join(inner)}), move them to {folder}."
        raise DataError(f"{folder}: expected two or more class folders. Received one: {name}. {advice}")
    return listed


def _report_copies(train_files, test_files):
    """Prints how many test files have the same content as a training file."""
    lengths = {file.stat().st_size for file in train_files} & {file.stat().st_size for file in test_files}

    def digests(files):  # only of those that may be equal to another
        return [hashlib.sha256(file.read_bytes()).digest() for file in files if file.stat().st_size in lengths]

    known = set(digests(train_files))
    if copies := sum(digest in known for digest in digests(test_files)):
        print(
            f"{copies} of {len(test_files)} test images are copies of training images. Remove them from one of the "
            "two, or the test accuracy will be better than the model."
        )


def _describe(skipped, left_out):
    description = "Your own images"
    if skipped:
        description += f"; unreadable files that were skipped: {skipped}"
    if left_out:
        counts = ", ".join(f"{count} {kind}" for kind, count in left_out.most_common())
        description += f"; other files that were left out: {counts}"
    return description + "."
