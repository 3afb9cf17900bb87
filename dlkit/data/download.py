"""Downloads of one file: verified first and renamed then, so that a file of that name is always complete."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import tempfile
import time
import urllib.error
from dataclasses import dataclass
from pathlib import Path

from dlkit import runtime
from dlkit.data.dataset import DataError
from dlkit.runtime import network

TIMEOUT = 10  # seconds without a byte after which the next source is tried
RETRY_DELAYS = (1, 3)  # seconds before a failed request is repeated
STALE_AFTER = 3600  # seconds without a change after which a partial file belongs to a killed download


@dataclass(frozen=True)
class Download:
    """A file that can be downloaded.

    Attributes:
        filename: String, its name on disk.
        sha256: String, its SHA-256 in hexadecimal.
        size: Integer, its size in bytes.
        urls: Tuple of strings, where it is published, best first.
    """

    filename: str
    sha256: str
    size: int
    urls: tuple[str, ...]


def sha256_of(path):
    """Computes the SHA-256 of a file.

    Args:
        path: String or path, the file.

    Returns:
        String in hexadecimal.
    """
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def verify(path, download):
    """Compares a file with its published checksum.

    Args:
        path: String or path, the file.
        download: The `Download` that it should be.

    Raises:
        DataError: If they differ. The message names the file and both checksums.
    """
    found = sha256_of(path)
    if found != download.sha256:
        raise DataError(
            f"{path}: wrong checksum. Expected SHA-256 {download.sha256}, received {found} "
            f"({os.path.getsize(path):,} of {download.size:,} bytes). Delete the file and fetch it again."
        )


def fetch(download, folder):
    """Downloads a file, verifies it, and only then gives it its name, so that a file of that name is complete.

    Args:
        download: The `Download`. Its sources are tried in order. A request that fails for a reason that may pass, such
            as an overloaded server, is repeated.
        folder: String or path, the folder for the file; made when it does not exist.

    Returns:
        Path of the verified file. A file that is already there is verified and not downloaded again.

    Raises:
        DataError: If a file of that name with other content is there, the folder cannot be written to, or no source
            delivers the file. The message says what each source answered.
    """
    folder = Path(folder)
    target = folder / download.filename
    if target.exists():
        verify(target, download)
        return target
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()  # finds problems of the folder before a source is asked
        _remove_stale_parts(folder, download)
    except OSError as error:
        raise DataError(
            f"{folder} cannot be written to: {error}. Make it writable, or put {download.filename} into the folder "
            "that DLKIT_DATA names."
        ) from error
    failures, steps = [], []
    for url in download.urls:
        for pause in (*RETRY_DELAYS, None):
            try:
                return _fetch_from(url, download, target)
            except (ValueError, OSError, http.client.HTTPException) as error:  # urllib's errors are OSErrors
                reason = "wrong content" if isinstance(error, DataError) else network.describe_error(error)
                step = network.suggest_fix(error, url) or "try again later"
                if pause is None or not _is_transient(error):
                    break
                time.sleep(pause)
        failures.append(f"  {url}: {reason}")
        steps.append(step)
    steps = [*dict.fromkeys(steps), f"or download it by hand into {folder} or the folder that DLKIT_DATA names"]
    raise DataError("\n".join([f"{download.filename} could not be fetched:", *failures, *(f"→ {s}" for s in steps)]))


def _fetch_from(url, download, target):
    """One attempt, in a file of another name next to the target; a failed attempt leaves nothing behind."""
    handle, partial = tempfile.mkstemp(prefix=f".{download.filename}.", suffix=".part", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            _copy(url, file, download)
        verify(partial, download)
        os.chmod(partial, 0o644)  # mkstemp creates files that others cannot read
        os.replace(partial, target)
        return target
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(partial)


def _copy(url, file, download):
    with network.open_url(url, timeout=TIMEOUT) as response:
        blocks = range(0, download.size, 1 << 20)
        for _ in runtime.progress(blocks, f"{download.filename}, MB"):
            file.write(response.read(1 << 20))
        if response.read(1):
            raise DataError(f"{url} sends more than the {download.size:,} bytes expected.")
    if file.tell() < download.size:
        raise ConnectionError(f"it broke off after {file.tell():,} of {download.size:,} bytes")


def _is_transient(error):
    """Whether another attempt may succeed: an overloaded server, a broken connection; not a missing network."""
    if isinstance(error, urllib.error.HTTPError):
        return error.code == 429 or error.code >= 500
    return isinstance(error, (ConnectionError, http.client.IncompleteRead))


def _remove_stale_parts(folder, download):
    """Removes the partial files of killed downloads, except recent ones, which another process may be writing."""
    for partial in folder.glob(f".{download.filename}.*.part"):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - partial.stat().st_mtime > STALE_AFTER:
                partial.unlink()
