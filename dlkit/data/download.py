"""Downloads by Keras: verified before they get their names, given up when a server stalls, with advice that fits."""

import contextlib
import errno
import hashlib
import os
import socket
import tempfile
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from dlkit.data.dataset import DataError
from dlkit.runtime import network

TIMEOUT = 10  # seconds without a byte after which a server is given up


@dataclass(frozen=True)
class Download:
    """A file that can be downloaded: its name on disk, its checksum, and its URLs, best first; file:// ones too."""

    filename: str
    sha256: str  # or MD5, where no SHA-256 is published
    urls: tuple[str, ...]


def verify(path, checksum):
    """Compares a file with its published checksum, a SHA-256 or MD5. Raises a `DataError` if they differ."""
    algorithm = "sha256" if len(checksum) == 64 else "md5"
    with open(path, "rb") as file:
        found = hashlib.file_digest(file, algorithm).hexdigest()
    if found != checksum:
        raise DataError(
            f"{path}: wrong checksum. Expected {algorithm.upper()} {checksum}. Received: {found}, from "
            f"{os.path.getsize(path):,} bytes. Delete the file and fetch it again."
        )


@contextlib.contextmanager
def new_file(target):
    """Gives a path next to `target` to write to; the file gets its name when the block ends without an error."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as folder:
            yield Path(folder, target.name)
            os.replace(Path(folder, target.name), target)
    except OSError as error:
        fix = "Make room on the disk" if error.errno == errno.ENOSPC else "Make the folder writable"
        raise DataError(
            f"{target} could not be written: {error}. {fix}, or put the file into the folder that DLKIT_DATA names."
        ) from error


def fetch(download, folder):
    """Downloads a file into a folder, verifies it, and only then gives it its name. Returns its path.

    A file that is already there is only verified. Raises a `DataError` that says what each source answered.
    """
    target = Path(folder) / download.filename
    if target.exists():
        verify(target, download.sha256)
        return target
    answers, steps = [], {}  # a dictionary, to give each advice once
    with new_file(target) as part:
        import keras

        for url in download.urls:
            try:
                with connection():
                    keras.utils.get_file(
                        part.name, url, file_hash=download.sha256, cache_dir=part.parent, cache_subdir=""
                    )
                return target
            except Exception as error:  # Keras raises a bare Exception in the place of what urllib raised
                cause = error.__context__ if isinstance(error.__context__, urllib.error.URLError) else error
                answers.append(f"  {url}: {network.describe_error(cause)}")
                steps[network.suggest_fix(cause, url) or "try again later"] = None
        steps["or download it by hand into data/ or the folder that DLKIT_DATA names"] = None
        lines = [f"{download.filename} could not be fetched:", *answers, *(f"→ {step}" for step in steps)]
        raise DataError("\n".join(lines))


@contextlib.contextmanager
def connection():
    """Context manager for downloads by Keras, which sets no time-out, through the proxy that is set now.

    Without it urllib would go on to use the proxy and the certificates of its first call.
    """
    timeout = socket.getdefaulttimeout()
    socket.setdefaulttimeout(TIMEOUT)
    urllib.request.install_opener(None)
    try:
        yield
    finally:
        socket.setdefaulttimeout(timeout)
