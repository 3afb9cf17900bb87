"""Folders of image files, as people's own photos come: listed by class, decoded to RGB, the unreadable all named."""

from __future__ import annotations

import contextlib
import os
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from dlkit import runtime
from dlkit.data.readers import DataError

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm")


def list_image_folder(folder):
    """Lists the images in `folder/<class>/`, at any depth, in the same order on every machine.

    Suffixes may be in upper case. Hidden files and folders, `__MACOSX`, and files without an image's suffix are left
    out. Class names may hold spaces and any letters; one that macOS and Linux spell with other bytes is one class.

    Args:
        folder: the folder that holds a folder for each class.

    Returns:
        files (list of Path), labels (int64 array), class_names (sorted names of the sub-folders).

    Raises:
        DataError: when there are no class folders, or one of them holds no image.
    """
    folder = Path(folder)
    places = {}  # é may be one code point or two
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if entry.is_dir() and not _is_hidden(entry.name):
            places.setdefault(unicodedata.normalize("NFC", entry.name), []).append(Path(entry.path))
    if not places:
        raise DataError(f"{folder} holds no class folders. Expected {folder}/<class>/<image>.")
    files, labels, empty = [], [], []
    for label, name in enumerate(sorted(places)):
        found = sorted(file for place in places[name] for file in place.rglob("*") if _is_image(file, place))
        files += found
        labels += [label] * len(found)
        if not found:
            empty.append(name)
    if empty:
        raise DataError(
            f"{folder}: no image in class folder {', '.join(empty)}. "
            f"Put images there ({', '.join(IMAGE_SUFFIXES)}) or remove the folder."
        )
    return files, np.array(labels, "int64"), sorted(places)


def _is_hidden(name):
    return name.startswith(".") or name == "__MACOSX"


def _is_image(file, place):
    hidden = any(_is_hidden(part) for part in file.relative_to(place).parts)
    return file.suffix.lower() in IMAGE_SUFFIXES and not hidden and not file.is_dir()


def read_images(files, *, image_size=None, on_error="raise"):
    """Decodes images to RGB, two threads at a time, with progress when it takes long.

    Greyscale, palette, alpha (on white), 16-bit and CMYK images become RGB of 8 bits, the camera's rotation is undone,
    and of an animation the first picture counts.

    Args:
        files: list of paths.
        image_size: (height, width) to resize to, whatever the proportions; None expects all images to have one size.
        on_error: "raise", or "skip" to leave unreadable files out and say how many.

    Returns:
        images (uint8 array of shape (count, height, width, 3)) and kept (int64 array: which of the files they are).

    Raises:
        DataError: naming every file that is no image; or the sizes found when they differ; or when no image is left.
        ValueError: for another `on_error`.
    """
    if on_error not in ("raise", "skip"):
        raise ValueError(f'Expected on_error "raise" or "skip". Received: {on_error!r}.')

    def decode(file):
        try:
            return _decode(file, image_size)
        except Exception as error:  # a damaged image can make a decoder raise almost anything
            return f"  {file}: {error}"

    with ThreadPoolExecutor(2) as pool:  # a task for 500 files, since one for each costs more than the decoding
        pieces = [files[start : start + 500] for start in range(0, len(files), 500)]
        decoded = pool.map(lambda piece: [decode(file) for file in piece], pieces)
        results = [
            result for part in runtime.progress(decoded, "reading images, in 500s:", len(pieces)) for result in part
        ]
    broken = [result for result in results if isinstance(result, str)]
    kept = np.array([k for k, result in enumerate(results) if not isinstance(result, str)], "int64")
    if broken and (on_error == "raise" or len(kept) == 0):
        raise DataError(
            f"{len(broken)} of {len(files)} files are no readable images. Repair or remove them, "
            'or leave them out with on_error="skip" (on the command line: --skip-broken):\n' + "\n".join(sorted(broken))
        )
    if broken:
        print(
            f"{len(broken)} of {len(files)} files are no readable images and were skipped:", *sorted(broken), sep="\n"
        )
    images = [results[k] for k in kept]
    if len(sizes := {image.shape[:2] for image in images}) > 1:
        raise DataError(
            f"Expected images of one size. Received {len(sizes)} sizes, such as {sorted(sizes)[:3]} (height, width). "
            "Pass image_size=(height, width) to resize them (on the command line: --image-size N)."
        )
    return np.stack(images), kept


def sizes(files):
    """The sizes that image files have, without decoding them; those that are no images are left out.

    Returns:
        Set of (height, width), as stored: before the camera's rotation is undone.
    """
    found = set()
    for file in files:
        with contextlib.suppress(Exception), Image.open(file) as image:
            found.add(image.size[::-1])
    return found


def _decode(file, image_size):
    with Image.open(file) as image:
        if image_size is not None:
            image.draft(
                None, (2 * image_size[1], 2 * image_size[0])
            )  # a JPEG of 12 megapixels need not be decoded whole
        image = ImageOps.exif_transpose(image)
        if image.mode == "F":
            raise ValueError("its pixels are floating-point numbers without a known range; save it with 8 bits")
        if image.mode.startswith("I"):  # 16 bits, in one of the ways that Pillow holds them
            image = Image.fromarray((np.asarray(image) >> 8).clip(0, 255).astype("uint8"))
        if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA"))
        image = image.convert("RGB")
        if image_size is not None and image.size != tuple(image_size)[::-1]:
            image = image.resize(tuple(image_size)[::-1], Image.Resampling.BILINEAR)
        return np.asarray(image)
