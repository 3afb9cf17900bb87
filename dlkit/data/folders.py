"""Folders of your own images, `train/<class>/*` and `test/<class>/*`, with every file accounted for."""

import contextlib
import hashlib
import os
import unicodedata
from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image

from dlkit.data.dataset import DataError, Dataset
from dlkit.data.image_files import LazyImages, printable, read_images

IMAGE_SUFFIXES = [".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".gif", ".webp", ".avif", ".tif", ".tiff", ".ppm"]


def image_folder(path, *, image_size=None, on_error="raise", in_memory=None):
    """Loads your own images from `path/train/<class>/*` and `path/test/<class>/*`.

    Grayscale, transparent, palette, 16-bit, CMYK and rotated images all become upright 8-bit RGB. Subfolders of a class
    are read too, and links are followed; hidden files are not read. Test images that are copies of training images are
    counted in a line of output.

    Args:
        path: String or path, the folder that holds `train` and `test`.
        image_size: Tuple (height, width) to resize to. None, the default, expects images of one size.
        on_error: String, what to do about files that cannot be decoded as images: "raise", the default, names them all
            in an error; "skip" leaves them out and prints them.
        in_memory: Boolean, whether the decoded images are kept in memory. None, the default, keeps up to two gigabytes;
            a larger folder is decoded while it is used.

    Returns:
        A `Dataset` whose images are uint8 RGB, in random order within each split (the same order every time): arrays,
        or `LazyImages` where they do not stay in memory. Its description counts the files that were left out.

    Raises:
        DataError: If a folder is missing, there are not the same two or more classes in both splits, a class has no
            readable image or a name that is no text, files cannot be decoded as images (all of them are named), 16-bit
            images would become almost black, or the images differ in size.
        ValueError: If `image_size` or `on_error` has another value.
    """
    path, examples = Path(path), []
    splits, class_names, left_out = _list_splits(path)
    for split in splits:
        examples += [split[k] for k in np.random.default_rng(0).permutation(len(split))]
    files, labels = zip(*examples, strict=True)
    images, indices = read_images(files, image_size=image_size, on_error=on_error, in_memory=in_memory)
    files, labels = [files[k] for k in indices], np.array(labels)[indices]
    cut = np.searchsorted(indices, len(splits[0]))  # the first that came from test
    for split, found in (("train", labels[:cut]), ("test", labels[cut:])):
        _check_classes(path / split, class_names, np.bincount(found, minlength=len(class_names)))
    _report_copies(files[:cut], files[cut:])
    if isinstance(images, LazyImages):
        train, test = images.take(np.arange(cut)), images.take(np.arange(cut, len(images)))  # decodes nothing
    else:
        train, test = images[:cut], images[cut:]
    description = _describe(len(examples) - len(indices), left_out)
    halves = (train, labels[:cut]), (test, labels[cut:])
    return Dataset(path.name, *halves, class_names, True, "class folders", description)


def image_sizes(path):
    """The sizes of the images in a folder, read from some 200 of the files without decoding them.

    Args:
        path: String or path, the folder that holds `train` and `test`, as for `image_folder`.

    Returns:
        Set of (height, width), as stored in the files: before the rotation that a camera noted is applied.

    Raises:
        DataError: If there are no such class folders.
    """
    (train, test), _, _ = _list_splits(Path(path))
    examples, sizes = train + test, set()
    for file, _ in examples[:: max(len(examples) // 200, 1)]:
        with contextlib.suppress(Exception), Image.open(file) as image:
            sizes.add(image.size[::-1])
    return sizes


def _list_splits(path):
    """[train, test], each a list of (file, label); the class names, which both have; and a `Counter` of other files."""
    folders = [path / "train", path / "test"]
    if missing := [folder.name for folder in folders if not folder.is_dir()]:
        raise DataError(
            f"{path} {'lacks ' + ' and '.join(missing) if path.is_dir() else 'does not exist'}. "
            f"Expected class folders: {path}/train/<class>/<image> and {path}/test/<class>/<image>."
        )
    (train, left_out), (test, others) = map(list_classes, folders)
    if unmatched := sorted(set(train) ^ set(test)):
        raise DataError(f"{path}: classes must be the same in train and test. In one only: {', '.join(unmatched)}.")
    if len(train) < 2:
        names = ", ".join(train) or "none"
        paths = [file.relative_to(folders[0]).parts for files in train.values() for file in files]
        inner = ", ".join(sorted({parts[1] for parts in paths if len(parts) > 2}))
        advice = f"If {names} holds the class folders ({inner}), move them up." if inner else "Make one for each class."
        raise DataError(f"{folders[0]}: expected two or more class folders. Received: {names}. {advice}")
    splits = [
        [(file, label) for label, files in enumerate(images.values()) for file in files] for images in (train, test)
    ]
    return splits, list(train), left_out + others


def list_classes(folder):
    """The images below each class folder, {name: sorted paths}, in order, and a `Counter` of the other files."""
    images, left_out = {}, Counter()
    for entry in sorted(folder.iterdir()):
        if _is_hidden(entry.name):
            continue
        if not entry.is_dir():
            left_out["outside the class folders"] += 1
            continue
        name = unicodedata.normalize("NFC", entry.name)  # the name é may be one code point or two
        if printable(name) != name:
            raise DataError(f"Expected class folders with names in UTF-8. Received: {printable(entry)}. Rename it.")
        files = images.setdefault(name, [])
        for file in _walk(entry, set()):
            if file.suffix.lower() in IMAGE_SUFFIXES:
                files.append(file)
            else:
                left_out[file.suffix.lower() or "without a suffix"] += 1
    images = {name: sorted(images[name]) for name in sorted(images)}
    _check_classes(folder, images, map(len, images.values()))
    return images, left_out


def _check_classes(folder, class_names, counts):
    """Raises a DataError if there are no images of a class."""
    if empty := [name for name, count in zip(class_names, counts, strict=True) if not count]:
        raise DataError(
            f"{folder}: no readable image in class folder {', '.join(empty)}. "
            f"Put images there ({', '.join(IMAGE_SUFFIXES)}) or remove the folder."
        )


def _is_hidden(name):
    return name.startswith(".") or name == "__MACOSX"


def _walk(folder, visited):
    """Yields the files below a folder that are not hidden. Links are followed, each folder is visited once."""
    if (real := os.path.realpath(folder)) in visited:
        return
    visited.add(real)
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if entry.is_dir() and not _is_hidden(entry.name):
            yield from _walk(entry.path, visited)
        elif not _is_hidden(entry.name):
            yield Path(entry.path)


def _report_copies(train_files, test_files):
    """Prints how many test files have the same content as a training file."""
    sizes = {file.stat().st_size for file in test_files}  # only files of equal size can be equal
    known = {hashlib.sha256(file.read_bytes()).digest() for file in train_files if file.stat().st_size in sizes}
    if known and (copies := sum(hashlib.sha256(file.read_bytes()).digest() in known for file in test_files)):
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
