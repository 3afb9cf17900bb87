"""Image files as people have them: decoded to RGB, at once or when needed, with every unreadable file named."""

from __future__ import annotations

import errno
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps
from tqdm import tqdm

from dlkit.data.dataset import DataError
from dlkit.validation import check_integer

MAX_IN_MEMORY = 2_000_000_000  # bytes of decoded images; more of them stay on the disk
NO_ROOM = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)  # too many open files, no memory
CHUNK = 8  # files that one task decodes, since a task for each would cost more than decoding a small file


class LazyImages:
    """Images that are decoded from their files each time they are indexed, for those that do not fit into memory.

    `images[start:stop]` and `images[indices]` return uint8 arrays of shape (count, height, width, 3), `images[index]`
    one image. Go through them in parts of some hundred.

    Args:
        files: List of paths.
        image_size: Tuple (height, width) that each image is resized to.

    Attributes:
        shape: Tuple (count, height, width, 3).
        dtype: NumPy's uint8.
        ndim: Integer, 4.
    """

    def __init__(self, files, image_size):
        self._files = np.array([Path(file) for file in files], object)
        self.shape = (len(files), *image_size, 3)
        self.dtype = np.dtype("uint8")
        self.ndim = 4

    def __len__(self):
        return len(self._files)

    def __getitem__(self, index):
        files = self._files[index]
        if isinstance(files, Path):
            return self[[index]][0]
        images = np.empty((len(files), *self.shape[1:]), "uint8")
        for file, result in zip(files, _decode_all(files, self.shape[1:3], images), strict=True):
            if isinstance(result, str):
                raise DataError(f"{file} could be decoded when the folder was read, but not any more: {result}.")
        return images

    def __array__(self, dtype=None, copy=None):
        raise TypeError(f"Expected images in memory. Received: {self}. Take a part of them: `images[start:stop]`.")

    def __repr__(self):
        return f"LazyImages of shape {self.shape}, decoded from disk as needed"

    def take(self, indices, axis=0):
        """Selects images without decoding them.

        Args:
            indices: Integer array of shape (count,).
            axis: Integer, 0, so that the same call selects from an array.

        Returns:
            `LazyImages` of shape (count, height, width, 3).
        """
        return LazyImages(self._files.take(indices, axis), self.shape[1:3])


def check_image_size(image_size):
    """Returns a size that images are resized to: (height, width), or None. Raises a ValueError if it is neither."""
    if image_size is None:
        return None
    if np.shape(image_size) != (2,):
        raise ValueError(f"Expected image_size to be (height, width) or None. Received: {image_size!r}.")
    return tuple(check_integer("each side in image_size", side) for side in image_size)


def read_images(files, *, image_size=None, on_error="raise", in_memory=True):
    """Decodes images to RGB, in as many threads as there are processors, and shows the progress if it takes long.

    Grayscale, palette, alpha (on white), 16-bit and CMYK images become 8-bit RGB, images that the camera marked as
    rotated become upright, and of an animation the first frame is read.

    Args:
        files: List of paths.
        image_size: Tuple (height, width) to resize to, whatever the proportions. None, the default, expects that all
            images have the same size.
        on_error: String, "raise" (the default), or "skip" to leave unreadable files out and print them.
        in_memory: Boolean, default True. False decodes each file once, to see whether it is readable, and again when
            its image is needed. None chooses by `MAX_IN_MEMORY`.

    Returns:
        (images, indices): a uint8 array or `LazyImages` of shape (count, height, width, 3), and an int64 array of shape
        (count,) that says which of the files they are.

    Raises:
        DataError: If files cannot be decoded as images (all of them are named), if the sizes differ, if 16-bit images
            would become almost black, or if no image is left.
        ValueError: If `on_error` or `image_size` has another value.
    """
    if on_error not in ("raise", "skip"):
        raise ValueError(f'Expected on_error "raise" or "skip". Received: {on_error!r}.')
    files, image_size = [Path(file) for file in files], check_image_size(image_size)
    size = image_size
    if size is None:  # that of the first readable image
        attempts = (_try_to_decode(file, None) for file in files)
        size = next((attempt[0].shape[:2] for attempt in attempts if not isinstance(attempt, str)), (1, 1))
    if in_memory is None:
        in_memory = len(files) * size[0] * size[1] * 3 <= MAX_IN_MEMORY
    images = np.empty((len(files), *size, 3), "uint8") if in_memory else None
    with tqdm(desc="reading images", total=len(files), delay=1, disable=None) as progress:
        results = _decode_all(files, image_size, images, progress.update)
    indices = np.array([k for k, result in enumerate(results) if not isinstance(result, str)], "int64")
    _report_broken(files, results, on_error if len(indices) else "raise")
    if len(sizes := {results[k][0] for k in indices}) > 1:
        raise DataError(
            f"Expected images of one size. Received {len(sizes)} sizes, such as {sorted(sizes)[:3]} (height, width). "
            "Pass image_size=(height, width) to resize them (on the command line: --image-size N)."
        )
    _check_brightness(files, results)
    if not in_memory:
        return LazyImages([files[k] for k in indices], size), indices
    return (images if len(indices) == len(files) else images[indices]), indices


def _decode_all(files, image_size, images=None, advance=lambda count: None):
    """For each file ((height, width), brightest 16-bit value or None), or a string that says why it is unreadable.

    The pixels go into the rows of the array `images`, if there is one, as far as they have its size.
    """

    def decode(start):
        results = [_try_to_decode(file, image_size) for file in files[start : start + CHUNK]]
        for k, result in enumerate(results):
            if not isinstance(result, str):
                pixels, peak = result
                if images is not None and pixels.shape == images.shape[1:]:
                    images[start + k] = pixels
                results[k] = (pixels.shape[:2], peak)
        return results

    found = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for results in pool.map(decode, range(0, len(files), CHUNK)):
            found += results
            advance(len(results))
    return found


def _try_to_decode(file, image_size):
    try:
        return _decode(file, image_size)
    except Exception as error:  # a damaged image can make a decoder raise almost anything
        if isinstance(error, MemoryError) or getattr(error, "errno", None) in NO_ROOM:
            raise  # says nothing about the file
        return str(error) or type(error).__name__


def _decode(file, image_size):
    """A uint8 array of shape (height, width, 3), and the brightest value of a file with 16 bits, or None."""
    peak = None
    with Image.open(file) as image:
        is_deep = ";16" in str(image.tile)  # Pillow reads only the upper 8 bits of 16-bit colors
        if image_size is not None:
            # A JPEG of 12 megapixels need not be decoded at its full size.
            image.draft(None, (2 * image_size[1], 2 * image_size[0]))
        image = ImageOps.exif_transpose(image)
        if image.mode == "F":
            raise ValueError("its pixels are floating-point numbers without a known range; save it with 8 bits")
        if image.mode.startswith("I"):  # 16 bits, in one of Pillow's modes for them
            pixels = np.asarray(image)
            low, peak = int(pixels.min()), int(pixels.max())
            if low < 0 or peak > 65_535:
                raise ValueError(f"its pixels go from {low} to {peak}, not from 0 to 65535; save it with 8 bits")
            image = Image.fromarray((pixels >> 8).astype("uint8"))
        elif is_deep:
            peak = 257 * max(high for _, high in image.convert("RGB").getextrema())
        if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA"))
        image = image.convert("RGB")
        if image_size is not None and image.size != image_size[::-1]:
            image = image.resize(image_size[::-1], Image.Resampling.BILINEAR)
        return np.asarray(image), peak


def _report_broken(files, results, on_error):
    found = zip(files, results, strict=True)
    broken = sorted(f"  {printable(file)}: {result}" for file, result in found if isinstance(result, str))
    message = f"{len(broken)} of {len(files)} files could not be decoded as images"
    if broken and on_error == "raise":
        raise DataError(
            f"{message}. Repair or remove them, "
            'or leave them out with on_error="skip" (on the command line: --skip-broken):\n' + "\n".join(broken)
        )
    if broken:
        print(f"{message} and were skipped:", *broken, sep="\n")


def printable(path):
    """A path as text that can be printed, even if its name is not text in UTF-8."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _check_brightness(files, results):
    """Raises a DataError if the 16-bit images of a folder use so little of the range that 8 bits leave them black."""
    peaks = {}
    for file, result in zip(files, results, strict=True):
        if not isinstance(result, str) and result[1] is not None:
            peaks.setdefault(file.parent, []).append(result[1])
    for folder, values in peaks.items():
        if max(values) < 2**14:  # 8 to 14 bits stored as 16
            raise DataError(
                f"{printable(folder)}: {len(values)} files with 16 bits have no pixel above {max(values)} of 65535, so "
                "with 8 bits they would be black or almost black. Divide their pixels by a number that fits all of "
                "your images, training and test, so that the brightest become 255, and save them with 8 bits."
            )
