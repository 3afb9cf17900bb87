"""One file from the network, checked and put in place: either it is there and right, or nothing looks like it."""

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
from dlkit.data.readers import DataError
from dlkit.runtime import network

TIMEOUT = 10  # seconds without a byte before a source is given up
PAUSES = (1, 3)  # seconds before an overloaded source is asked again
STALE = 3600  # seconds after which a part that nobody has written to belongs to a killed download


@dataclass(frozen=True)
class Download:
    """One file that can be fetched: its name on disk, its SHA-256, its size in bytes, and where it is published."""

    filename: str
    sha256: str
    size: int
    urls: tuple[str, ...]


def sha256_of(path):
    """SHA-256 of a file, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def verify(path, download):
    """Compares a file with its published checksum.

    Raises:
        DataError: naming the file and both checksums.
    """
    found = sha256_of(path)
    if found != download.sha256:
        raise DataError(
            f"{path}: wrong checksum. Expected SHA-256 {download.sha256}, received {found} "
            f"({os.path.getsize(path):,} of {download.size:,} bytes). Delete the file and fetch it again."
        )


def fetch(download, folder):
    """Downloads a file, checks it, and only then gives it its name: what has that name is complete.

    Args:
        download: what to fetch; its sources are tried in order. One that is overloaded or breaks off is asked again.
        folder: where to put it; made when missing.

    Returns:
        Path of the verified file. One that is there and right already is kept.

    Raises:
        DataError: when a file of that name is there but wrong, when the folder cannot be written to, or when no source
            delivers; says what each answered.
    """
    folder = Path(folder)
    target = folder / download.filename
    if target.exists():
        verify(target, download)
        return target
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()  # a problem of the folder is not one of the source
        _sweep(folder, download)
    except OSError as error:
        raise DataError(
            f"{folder} cannot be written to: {error}. Make it writable, or put {download.filename} into the folder "
            "that DLKIT_DATA names."
        ) from error
    failures, steps = [], []
    for url in download.urls:
        for pause in (*PAUSES, None):
            try:
                return _fetch_from(url, download, target)
            except (ValueError, OSError, http.client.HTTPException) as error:  # urllib's errors are OSErrors
                reason = "wrong content" if isinstance(error, DataError) else network.reason(error)
                step = network.advice(error, url) or "try again later"
                if pause is None or not _may_pass(error):
                    break
                time.sleep(pause)
        failures.append(f"  {url}: {reason}")
        steps.append(step)
    steps = [*dict.fromkeys(steps), f"or download it by hand into {folder} or the folder that DLKIT_DATA names"]
    raise DataError("\n".join([f"{download.filename} could not be fetched:", *failures, *(f"→ {s}" for s in steps)]))


def _fetch_from(url, download, target):
    """One attempt, in a file of another name beside the target; nothing is left of an attempt that fails."""
    handle, part = tempfile.mkstemp(prefix=f".{download.filename}.", suffix=".part", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            _copy(url, file, download)
        verify(part, download)
        os.chmod(part, 0o644)  # mkstemp makes files that others cannot read
        os.replace(part, target)
        return target
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(part)


def _copy(url, file, download):
    with network.open_url(url, timeout=TIMEOUT) as answer:
        blocks = range(0, download.size, 1 << 20)
        for _ in runtime.progress(blocks, f"{download.filename}, MB"):
            file.write(answer.read(1 << 20))
        if answer.read(1):
            raise DataError(f"{url} sends more than the {download.size:,} bytes expected.")
    if file.tell() < download.size:
        raise ConnectionError(f"it broke off after {file.tell():,} of {download.size:,} bytes")


def _may_pass(error):
    """Whether asking again may help: an overloaded server, a broken connection. No network at all is not among them."""
    if isinstance(error, urllib.error.HTTPError):
        return error.code == 429 or error.code >= 500
    return isinstance(error, (ConnectionError, http.client.IncompleteRead))


def _sweep(folder, download):
    """Removes what killed downloads have left; another process may be writing to a part that is not old."""
    for part in folder.glob(f".{download.filename}.*.part"):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - part.stat().st_mtime > STALE:
                part.unlink()
