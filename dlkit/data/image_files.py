"""Image files as people have them: decoded to RGB, at once or when needed, with every unreadable file named."""

import contextlib
import errno
import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps
from tqdm import tqdm

from dlkit.data.dataset import DataError
from dlkit.validation import check_integer

try:
    import pillow_heif  # the extra heif: the format of iPhones
except ImportError:
    READS_HEIF = False
else:
    pillow_heif.register_heif_opener()
    READS_HEIF = True

MAX_IN_MEMORY = 2_000_000_000  # bytes of decoded images; more of them stay on the disk
HEIF_SUFFIXES = [".heic", ".heif"]
RESIZE = {  # functions (image, (width, height)) -> image
    "crop": partial(ImageOps.fit, method=Image.Resampling.BILINEAR),
    "pad": partial(ImageOps.pad, method=Image.Resampling.BILINEAR, color="black"),
    "stretch": partial(Image.Image.resize, resample=Image.Resampling.BILINEAR),
}
NO_ROOM = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)  # too many open files, no memory


class LazyImages:
    """Images that are decoded from their files each time they are indexed, for those that do not fit into memory.

    `images[start:stop]` and `images[indices]` return uint8 arrays of shape (count, height, width, 3), `images[index]`
    one image. Go through them in parts of some hundred. `shape`, `dtype` and `ndim` are those of the complete array.

    Args:
        files: List of paths.
        image_size: Tuple (height, width) that each image is resized to.
        resize: String, as for `read_images`.
    """

    def __init__(self, files, image_size, resize="crop"):
        self._files, self._resize = np.array(files, object), resize
        self.shape = (len(files), *image_size, 3)
        self.dtype = np.dtype("uint8")
        self.ndim = 4

    def __len__(self):
        return len(self._files)

    def __getitem__(self, index):
        files = self._files[index]
        if not isinstance(files, np.ndarray):
            return self[[index]][0]
        images = np.empty((len(files), *self.shape[1:]), "uint8")
        _, _, broken = _decode_all(files, self.shape[1:3], self._resize, images, hide_progress=True)
        for k, reason in broken.items():
            raise DataError(f"{files[k]} could be decoded when the folder was read, but not any more: {reason}.")
        return images

    def __array__(self, dtype=None, copy=None):
        raise TypeError(
            f"Expected images in memory. Received: LazyImages of shape {self.shape}, which are decoded from disk as "
            "needed. Take a part of them: `images[start:stop]`."
        )

    def take(self, indices, axis=0):
        """Selects images by an integer array without decoding them; `axis` is 0, as in the same call for an array."""
        return LazyImages(self._files.take(indices, axis), self.shape[1:3], self._resize)


def check_image_size(image_size):
    """Returns (height, width) or None. Raises a ValueError if it is neither."""
    if image_size is None:
        return None
    if np.shape(image_size) != (2,):
        raise ValueError(f"Expected image_size to be (height, width) or None. Received: {image_size!r}.")
    return tuple(check_integer("each side in image_size", side) for side in image_size)


def read_images(files, *, image_size=None, resize="crop", on_error="raise", in_memory=True):
    """Decodes images to RGB, in as many threads as there are processors, and shows the progress if it takes long.

    Grayscale, palette, alpha (on white), 16-bit and CMYK images become 8-bit RGB, images that the camera marked as
    rotated are turned the right way up, and of an animation the first frame is read.

    Args:
        files: List of paths.
        image_size: Tuple (height, width) to resize to. None, the default, expects images of one size.
        resize: String: "crop" (the default) fills the size and cuts off what is too much at two sides; "pad" fits the
            complete image into it, with black bars; "stretch" changes the aspect ratio.
        on_error: String, "raise" (the default), or "skip" to leave unreadable files out and print them.
        in_memory: Boolean, default True. False decodes each file once, to see whether it is readable, and again when
            its image is needed. None chooses by `MAX_IN_MEMORY`.

    Returns:
        (images, indices): a uint8 array or `LazyImages` of shape (count, height, width, 3), and an int64 array of shape
        (count,) that says which of the files they are.

    Raises:
        DataError: If files cannot be decoded as images (all of them are named), if the sizes differ, if 16-bit images
            would become almost black, or if no image is left.
        ValueError: If `on_error`, `image_size` or `resize` has another value.
    """
    for name, value, values in (("on_error", on_error, ("raise", "skip")), ("resize", resize, tuple(RESIZE))):
        if value not in values:
            raise ValueError(f"Expected {name} to be one of {', '.join(values)}. Received: {value!r}.")
    files, image_size = [Path(file) for file in files], check_image_size(image_size)
    size = image_size or _first_size(files)
    if in_memory is None:
        in_memory = len(files) * size[0] * size[1] * 3 <= MAX_IN_MEMORY
    images = np.empty((len(files), *size, 3), "uint8") if in_memory else None
    sizes, peaks, broken = _decode_all(files, image_size, resize, images)
    indices = np.array(sorted(sizes), "int64")
    _report_broken(files, broken, on_error if sizes else "raise")
    if len(different := set(sizes.values())) > 1:
        raise DataError(
            f"Expected images of one size. Received {len(different)} sizes, such as {sorted(different)[:3]} (height, "
            "width). Pass image_size=(height, width) to resize them (on the command line: --image-size N)."
        )
    _check_brightness(files, peaks)
    if not in_memory:
        return LazyImages([files[k] for k in indices], size, resize), indices
    return (images[indices] if broken else images), indices


def _first_size(files):
    """The (height, width) of the first readable image."""
    for file in files:
        with contextlib.suppress(Exception):  # which comes again when all files are decoded
            return _decode(file, None, None)[0].shape[:2]
    return 1, 1


def _decode_all(files, image_size, resize, images, *, hide_progress=None):
    """Decodes files into the rows of an array, if there is one, as far as they have the size of its images.

    Returns three dictionaries, whose keys are positions in `files`: the sizes (height, width), the brightest values of
    files with 16 bits, and the reasons why the others are unreadable.
    """
    sizes, peaks, broken = {}, {}, {}

    def decode(k):
        try:
            pixels, peak = _decode(files[k], image_size, resize)
        except Exception as error:  # a damaged image can make a decoder raise almost anything
            if isinstance(error, MemoryError) or getattr(error, "errno", None) in NO_ROOM:
                raise  # says nothing about the file
            broken[k] = _describe_content(files[k]) or str(error) or type(error).__name__
            return
        sizes[k] = pixels.shape[:2]
        if peak is not None:
            peaks[k] = peak
        if images is not None and pixels.shape == images.shape[1:]:
            images[k] = pixels

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        # The list collects nothing but None, and raises the first exception.
        list(tqdm(pool.map(decode, range(len(files))), "reading images", len(files), delay=1, disable=hide_progress))
    return sizes, peaks, broken


def _decode(file, image_size, resize):
    """A uint8 array of shape (height, width, 3), and the brightest value of a file with 16 bits, or None."""
    peak = None
    with Image.open(file) as image:
        is_deep = ";16" in str(image.tile)  # Pillow reads only the upper 8 bits of 16-bit colors
        if image_size is not None:
            # A JPEG of 12 megapixels need not be decoded at its full size.
            image.draft(None, (2 * max(image_size), 2 * max(image_size)))
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
            image = RESIZE[resize](image, image_size[::-1])
        return np.asarray(image), peak


def _describe_content(file):
    """What a file is if it is not an image, or None where that is not obvious."""
    if not file.exists():
        return "its link leads nowhere" if file.is_symlink() else "it does not exist"
    if not file.is_file():
        return "it is a folder" if file.is_dir() else "it is not a regular file"
    try:
        with open(file, "rb") as opened:
            start = opened.read(1000)
    except OSError:
        return None
    if not start:
        return "it is empty"
    if start[4:8] == b"ftyp" and not READS_HEIF and start[8:12] in (b"heic", b"heix", b"mif1"):
        return "it is a .heic file under another name; to read it: pip install pillow-heif"
    if b"<html" in start.lower():
        return "it is a web page"
    is_text = all(byte > 31 or byte in b"\t\r\n\f" for byte in start)
    return "it is a text" if is_text else None


def _report_broken(files, broken, on_error):
    if not broken:
        return
    message = f"{len(broken)} of {len(files)} files could not be decoded as images"
    lines = sorted(f"  {printable(files[k])}: {reason}" for k, reason in broken.items())
    if on_error == "skip":
        print(f"{message} and were skipped:", *lines, sep="\n")
        return
    advice = 'Repair or remove them, or leave them out with on_error="skip" (on the command line: --skip-broken):'
    raise DataError("\n".join([f"{message}. {advice}", *lines]))


def printable(path):
    """A path as text that can be printed, even if its name is not text in UTF-8."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _check_brightness(files, peaks):
    """Raises a DataError if the 16-bit images of a folder use so little of the range that 8 bits leave them black."""
    for folder in {files[k].parent for k in peaks}:
        values = [peak for k, peak in peaks.items() if files[k].parent == folder]
        if max(values) < 2**14:  # 8 to 14 bits stored as 16
            raise DataError(
                f"{printable(folder)}: {len(values)} files with 16 bits have no pixel above {max(values)} of 65535, so "
                "with 8 bits they would be black or almost black. Divide their pixels by a number that fits all of "
                "your images, training and test, so that the brightest become 255, and save them with 8 bits."
            )
