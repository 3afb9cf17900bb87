"""Where the images of a folder are: splits and classes as people lay them out, with every file accounted for."""

import functools
import glob
import os
import unicodedata
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image
from tqdm import tqdm

from dlkit.data.dataset import DataError
from dlkit.data.image_files import HEIF_SUFFIXES, READS_HEIF, printable
from dlkit.data.labels_csv import read_labels

IMAGE_SUFFIXES = [".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".gif", ".webp", ".avif", ".tif", ".tiff", ".ppm"]
IMAGE_SUFFIXES += [".jp2", *HEIF_SUFFIXES]
SPLITS = {"train": "train", "training": "train", "test": "test", "testing": "test"}
SPLITS |= dict.fromkeys(("val", "valid", "validation"), "validation")
EMPTY = "\0"  # stands for the content of an empty folder, which may be that of a class


@dataclass
class Layout:
    """What `scan` found in a folder: each file below it is in `splits`, in `left_out`, or it is the table."""

    path: Path  # the folder that holds the splits, the class folders, or the table
    table: Path | None = None  # labels.csv
    splits: dict = field(default_factory=dict)  # {"train", "validation" or "test": {class name: sorted files}}
    folders: dict = field(default_factory=dict)  # {split: its folder}, where it has one
    left_out: dict = field(default_factory=lambda: defaultdict(list))  # {reason: files}
    notes: list = field(default_factory=list)  # sentences that the owner of the folder should read

    def files(self):
        """The files of all splits."""
        return [file for classes in self.splits.values() for files in classes.values() for file in files]


def scan(path):
    """Finds the splits and classes in a folder, as `image_folder` describes them, and returns a `Layout`.

    Images are not decoded. The layout lacks a test split if the folder has neither that nor a validation split. Raises
    a DataError if the folder does not exist, a name is not valid text, or the splits or labels cannot be made out.
    """
    path = Path(path)
    if not path.is_dir():
        state = "is a file, not a folder" if path.exists() else "does not exist"
        raise DataError(
            f"{path} {state}. Expected class folders: {path}/<class>/<image>, or train, val and test with them."
        )
    reasons = dict(tqdm(_walk(path), "files", delay=1, disable=None))
    layout = Layout(_descend(path, reasons))
    if layout.path != path:
        layout.notes.append(f"{layout.path} is used, the only folder in {layout.path.parent}.")
    layout.table = next((file for file in reasons if file.parent == layout.path and _is_table(file)), None)
    (_take_table if layout.table else _take_folders)(layout, reasons)
    layout.left_out.pop(EMPTY, None)
    if "validation" in layout.splits and "test" not in layout.splits:
        layout.splits["test"] = layout.splits.pop("validation")
        layout.folders["test"] = layout.folders.pop("validation", layout.path)
        layout.notes.append(f"{layout.path} has no test split: its validation split is used for testing.")
    if similar := name_similar({name for classes in layout.splits.values() for name in classes}):
        layout.notes.append(similar)
    return layout


def _descend(path, reasons):
    """The first folder that holds more than one folder; a single class folder is not entered."""
    files = [(file, reason) for file, reason in reasons.items() if reason != "hidden"]
    while True:
        inside = [(parts, reason) for file, reason in files if (parts := _parts_below(path, file))]
        folders = {parts[0] for parts, _ in inside if len(parts) > 1}
        has_table = any(len(parts) == 1 and _is_table(Path(*parts)) for parts, _ in inside)
        depth = min((len(parts) for parts, reason in inside if not reason), default=0)
        if has_table or len(folders) != 1 or depth < 3 or SPLITS.get(min(folders).lower(), "train") != "train":
            return path
        path = path.joinpath(*folders)


def _parts_below(path, file):
    """The names of the folders between a folder and a file, and that of the file; () for a file elsewhere."""
    depth = len(path.parts)
    return file.parts[depth:] if file.parts[:depth] == path.parts else ()


def _take_folders(layout, reasons):
    """Takes the images in class folders, which are in the folders of the splits, if there are such folders."""
    inside = {file: _parts_below(layout.path, file) for file in reasons}
    folders = {parts[0] for parts in inside.values() if len(parts) > 1 and not _is_hidden(parts[0])}
    splits = {name: SPLITS[name.lower()] for name in sorted(folders) if name.lower() in SPLITS}
    if not any(len(parts) > 2 and parts[0] in splits for parts in inside.values()) and folders != set(splits):
        splits = {}  # train is a vehicle here
    others = {parts[0] for file, parts in inside.items() if len(parts) > 1 and not reasons[file]} - set(splits)
    is_unclear = "train" not in splits.values() or len(set(splits.values())) < len(splits)
    if splits and (is_unclear or (len(splits) == 1 and others)):
        raise DataError(
            f"{layout.path}: expected train, one or both of val and test, or none of them. Received: "
            f"{', '.join([*splits, *sorted(others)])}. Rename or merge these folders."
        )
    layout.folders = {split: layout.path / name for name, split in splits.items()}
    found, depth = {split: {} for split in (splits.values() or ["train"])}, 2 if splits else 1
    for file, reason in reasons.items():
        parts = inside[file]
        is_placed = len(parts) > depth and not any(map(_is_hidden, parts[:depth])) and parts[0] in (splits or folders)
        if is_placed:
            name = unicodedata.normalize("NFC", parts[depth - 1])  # the name é may be one code point or two
            if printable(name) != name:
                raise DataError(
                    f"Expected class folders with names in UTF-8. Received: {printable(file.parent)}. Rename it."
                )
            files = found[splits[parts[0]] if splits else "train"].setdefault(name, [])
        if is_placed and not reason:
            files.append(file)
        else:
            reason = reason if is_placed or reason in ("hidden", EMPTY) else "outside the class folders"
            layout.left_out[reason].append(file)
    for split in sorted(found, key=["train", "validation", "test"].index):
        layout.splits[split] = {name: sorted(found[split][name]) for name in sorted(found[split])}


def _take_table(layout, reasons):
    """Takes the files that labels.csv names. Those that do not exist are taken too: they are reported as unreadable.

    A file may also be named without its folder or its suffix where that is clear.
    """
    named = defaultdict(list)
    for file in reasons:
        for name in {file.name, file.stem}:
            named[name].append(file)
    labels = {}
    for file, answer in read_labels(layout.table).items():
        found = [file] if file in reasons else named[file.name]
        labels[found[0] if len(found) == 1 else file] = answer
    for file, reason in reasons.items():
        if file != layout.table and file not in labels:
            layout.left_out[reason or "not in labels.csv"].append(file)
    for file, (name, split) in sorted(labels.items(), key=lambda item: item[1][0]):
        reason = reasons.get(file) if name else "without a label in labels.csv"
        if split.lower() not in SPLITS:
            raise DataError(f"{layout.table}: expected the split train, val or test for {file}. Received: {split}.")
        if reason:
            layout.left_out[reason].append(file)
        else:
            layout.splits.setdefault(SPLITS[split.lower()], {}).setdefault(name, []).append(file)
    if "train" not in layout.splits:
        raise DataError(f"{layout.table}: expected training images. Received: none. Add rows for them.")


def _is_table(file):
    return file.name.lower() == "labels.csv"


def _is_hidden(name):
    return name.startswith(".") or name == "__MACOSX"


def _walk(folder, hidden=False, above=()):
    """Yields (file, why it is left out, or None) below a folder. Links are followed, but not to a folder above them."""
    if (real := os.path.realpath(folder)) in above:
        return
    entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    for entry in entries:
        is_hidden = hidden or _is_hidden(entry.name)
        if entry.is_dir():
            yield from _walk(entry.path, is_hidden, (*above, real))
        elif is_hidden:
            yield Path(entry.path), "hidden"
        elif not entry.is_file() and os.path.exists(entry.path):
            yield Path(entry.path), "special files"  # reading from a pipe would wait forever
        else:
            yield Path(entry.path), find_reason(Path(entry.path))
    if not entries and not hidden:
        yield Path(folder, EMPTY), EMPTY


def find_images(paths):
    """The image files that paths name: files, folders, or patterns such as *.jpg, which not every shell replaces.

    Args:
        paths: List of strings or paths. Of a folder, all images in it and below are taken.

    Returns:
        List of paths, each of them once.

    Raises:
        ValueError: If a path or pattern fits no file, or a folder holds no image.
    """
    files = []
    for path in map(str, paths):
        matches = [path] if Path(path).exists() else sorted(glob.glob(path, recursive=True))
        if not matches:
            raise ValueError(f"Expected image files. Received: {path}, which fits no file here.")
        found = [file for match in matches for file in (_images_in(match) if Path(match).is_dir() else [Path(match)])]
        if not found:
            raise ValueError(f"Expected images in the folder {path}. Received: none.")
        files += found
    return list(dict.fromkeys(files))


def _images_in(folder):
    return sorted(file for file, reason in _walk(folder) if not reason)


def find_reason(file):
    """Why a file is left out, or None if it is taken: by its suffix, or else by its content."""
    suffix = file.suffix.lower()
    if suffix in HEIF_SUFFIXES and not READS_HEIF:
        return f"{suffix} (to read them: pip install pillow-heif)"
    if suffix in IMAGE_SUFFIXES:
        return None
    try:
        with Image.open(file, formats=_formats()):
            return None
    except Exception:  # whatever Pillow raises, it could not decode this as an image
        return suffix or "without a suffix"


@functools.cache
def _formats():
    """Pillow's names of the formats that the suffixes stand for, as far as it reads them."""
    formats = Image.registered_extensions()
    return [formats[suffix] for suffix in IMAGE_SUFFIXES if suffix in formats]


def name_similar(names):
    """A sentence about class names that differ only in case or blanks at their ends, or ""."""
    groups = defaultdict(list)
    for name in sorted(names):
        groups[name.strip().casefold()].append(f'"{name}"')
    pairs = [" and ".join(group) for group in groups.values() if len(group) > 1]
    return f"Classes that differ only in case or blanks: {'; '.join(pairs)}. Rename them." if pairs else ""
