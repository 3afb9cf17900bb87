"""Folders of image files as people have them: listed by class, decoded to RGB, with every unreadable file named."""

from __future__ import annotations

import contextlib
import os
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from dlkit import runtime
from dlkit.data.dataset import DataError

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm")


def list_image_folder(folder):
    """Lists the images in `folder/<class>/`, at any depth, in the same order on every machine.

    Suffixes may be in upper case. Hidden files and folders, `__MACOSX`, and files without the suffix of an image are
    left out. Class names may hold spaces and any letters. A name that macOS and Linux encode differently is one class.

    Args:
        folder: String or path, the folder that holds a folder for each class.

    Returns:
        (files, labels, class_names): a list of paths, an int64 array of shape (count,), and the sorted names of the
        class folders.

    Raises:
        DataError: If there are no class folders, or one of them holds no image.
    """
    folder = Path(folder)
    folders = {}  # the name é may be one code point or two
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if entry.is_dir() and not _is_hidden(entry.name):
            folders.setdefault(unicodedata.normalize("NFC", entry.name), []).append(Path(entry.path))
    if not folders:
        raise DataError(f"{folder} holds no class folders. Expected {folder}/<class>/<image>.")
    files, labels, empty = [], [], []
    for label, name in enumerate(sorted(folders)):
        found = sorted(file for root in folders[name] for file in root.rglob("*") if _is_image(file, root))
        files += found
        labels += [label] * len(found)
        if not found:
            empty.append(name)
    if empty:
        raise DataError(
            f"{folder}: no image in class folder {', '.join(empty)}. "
            f"Put images there ({', '.join(IMAGE_SUFFIXES)}) or remove the folder."
        )
    return files, np.array(labels, "int64"), sorted(folders)


def _is_hidden(name):
    return name.startswith(".") or name == "__MACOSX"


def _is_image(file, root):
    hidden = any(_is_hidden(part) for part in file.relative_to(root).parts)
    return file.suffix.lower() in IMAGE_SUFFIXES and not hidden and not file.is_dir()


def read_images(files, *, image_size=None, on_error="raise"):
    """Decodes images to RGB, in two threads, and shows the progress if it takes long.

    Grayscale, palette, alpha (on white), 16-bit and CMYK images become 8-bit RGB, images that the camera marked as
    rotated become upright, and of an animation the first frame is read.

    Args:
        files: List of paths.
        image_size: Tuple (height, width) to resize to, whatever the proportions. None, the default, expects that all
            images have the same size.
        on_error: String, "raise" (the default), or "skip" to leave unreadable files out and print them.

    Returns:
        (images, indices): a uint8 array of shape (count, height, width, 3), and an int64 array of shape (count,) that
        says which of the files they are.

    Raises:
        DataError: If files cannot be decoded as images (all of them are named), if the sizes differ, or if no image is
            left.
        ValueError: If `on_error` has another value.
    """
    if on_error not in ("raise", "skip"):
        raise ValueError(f'Expected on_error "raise" or "skip". Received: {on_error!r}.')

    def decode(file):
        try:
            return _decode(file, image_size)
        except Exception as error:  # a damaged image can make a decoder raise almost anything
            return f"  {file}: {error}"

    with ThreadPoolExecutor(2) as pool:
        # One task for 500 files, since a task for each file would cost more than the decoding.
        chunks = [files[start : start + 500] for start in range(0, len(files), 500)]
        decoded = pool.map(lambda chunk: [decode(file) for file in chunk], chunks)
        results = [
            result for chunk in runtime.progress(decoded, "reading images, in 500s:", len(chunks)) for result in chunk
        ]
    broken = [result for result in results if isinstance(result, str)]
    indices = np.array([k for k, result in enumerate(results) if not isinstance(result, str)], "int64")
    if broken and (on_error == "raise" or len(indices) == 0):
        raise DataError(
            f"{len(broken)} of {len(files)} files could not be decoded as images. Repair or remove them, "
            'or leave them out with on_error="skip" (on the command line: --skip-broken):\n' + "\n".join(sorted(broken))
        )
    if broken:
        print(
            f"{len(broken)} of {len(files)} files could not be decoded as images and were skipped:",
            *sorted(broken),
            sep="\n",
        )
    images = [results[k] for k in indices]
    if len(sizes := {image.shape[:2] for image in images}) > 1:
        raise DataError(
            f"Expected images of one size. Received {len(sizes)} sizes, such as {sorted(sizes)[:3]} (height, width). "
            "Pass image_size=(height, width) to resize them (on the command line: --image-size N)."
        )
    return np.stack(images), indices


def sizes(files):
    """Reads the sizes of image files without decoding them.

    Args:
        files: List of paths. Files that cannot be read as images are left out.

    Returns:
        Set of (height, width), as stored in the files: before the rotation that a camera noted is applied.
    """
    found = set()
    for file in files:
        with contextlib.suppress(Exception), Image.open(file) as image:
            found.add(image.size[::-1])
    return found


def _decode(file, image_size):
    with Image.open(file) as image:
        if image_size is not None:
            # A JPEG of 12 megapixels need not be decoded at its full size.
            image.draft(None, (2 * image_size[1], 2 * image_size[0]))
        image = ImageOps.exif_transpose(image)
        if image.mode == "F":
            raise ValueError("its pixels are floating-point numbers without a known range; save it with 8 bits")
        if image.mode.startswith("I"):  # 16 bits, in one of Pillow's modes for them
            image = Image.fromarray((np.asarray(image) >> 8).clip(0, 255).astype("uint8"))
        if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA"))
        image = image.convert("RGB")
        if image_size is not None and image.size != tuple(image_size)[::-1]:
            image = image.resize(tuple(image_size)[::-1], Image.Resampling.BILINEAR)
        return np.asarray(image)
