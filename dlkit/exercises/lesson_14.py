"""Checkers of lesson 14."""

from __future__ import annotations

import contextlib
import functools
import os
import sys
import tempfile
from pathlib import Path

import numpy as np

from dlkit.exercises.helpers import check_number, checker


@checker("14.trained_parameters")
def trained_parameters(answer):
    """Depthwise and pointwise weights of MobileNet's last block, and the head; batch normalisation stays frozen."""
    depthwise, pointwise, head = 3 * 3 * 256, 256 * 256, 256 * 10 + 10
    right = depthwise + pointwise + head
    hints = {
        right + 4 * 256: "batch normalisation stays frozen unless you ask for it",
        right + 8 * 256: "batch normalisation stays frozen; its mean and variance are never trained anyway",
        depthwise + pointwise: "`unfreeze` trains to the end of the model: the head too",
        right - 10: "the head has biases",
        right + 512: "neither convolution has biases: the normalisation after it has its own",
        3 * 3 * 256 * 256 + pointwise + head: "depthwise: one 3 × 3 kernel for each channel, nothing is mixed",
        head: "that is the head alone",
    }
    otherwise = "3·3 weights for each of 256 channels, then 1·1 from 256 to 256, then the head"
    return check_number(answer, "trained_parameters", right, hints, otherwise)


@checker("14.two_folders")
def two_folders(measured):
    """The student's own photographs: checked for an honest test set and the right interval."""
    wanted = {"test_labels", "predicted", "interval"}
    if not isinstance(measured, dict) or set(measured) != wanted:
        return 'give {"test_labels": [...], "predicted": [...], "interval": (low, high)}'
    labels, predicted = (np.asarray(measured[name]) for name in ("test_labels", "predicted"))
    if labels.shape != predicted.shape or labels.ndim != 1:
        return "test_labels and predicted are two lists of the same length: one entry for each test image"
    if len(labels) < 10:
        return f"{len(labels)} test images say almost nothing; take at least ten"
    counts = np.unique(labels, return_counts=True)[1]
    if len(counts) < 2:
        return "the test images are all of one class"
    from dlkit.evaluate import wilson_interval

    right = np.mean(labels == predicted)
    low, high = wilson_interval(right, len(labels))
    if not np.allclose(measured["interval"], (low, high), atol=0.005):
        return f"{round(right * len(labels))} of {len(labels)} right has another interval; use wilson_interval"
    if low <= counts.max() / len(labels):
        return f"the interval begins at {low:.2f}: always saying the larger class does as well; more images, or better"
    return None


@checker("14.remembered")
def remembered(student):
    """Computes once, reads afterwards, and never leaves half a file under the right name."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "kept" / "features.npy"
        path.parent.mkdir()
        return _wrong_results(student, path) or _half_a_file(student, path)


def _wrong_results(student, path):
    inputs, asked = np.arange(12.0).reshape(6, 2), []

    def compute(values):
        asked.append(len(values))
        return values[:, :1] * 2

    first = student(compute, inputs, path)
    if first is None:
        return "your function returns nothing; is the `return` missing?"
    if np.shape(first) != (6, 1) or not np.allclose(first, inputs[:, :1] * 2):
        return "the first call should return compute(inputs)"
    if not path.exists():
        return f"nothing was kept at `path`; found {[found.name for found in path.parent.iterdir()]}"
    if not np.array_equal(np.load(path), first):
        return "the array at `path` is another one than compute(inputs)"
    times = len(asked)
    second = student(compute, inputs, path)
    if len(asked) > times:
        return "the second call computed again; look first whether the file is there"
    if not np.allclose(second, first):
        return "the second call returned other numbers than the first"
    np.save(path, first + 1)
    if not np.allclose(student(compute, inputs, path), first + 1):
        return "what stands at `path` is to be read; this comes from somewhere else"
    return None


def _half_a_file(student, path):
    """What the power may leave at `path` when it fails while the result is written, and what comes after that."""
    inputs = np.arange(5000.0)  # larger than the buffer of a file, so that a part of it may be on the disk
    with _watched(path, inputs) as seen:
        path.unlink(missing_ok=True)
        student(lambda values: values, inputs, path)
    if any(step != "complete" for step in seen):
        return "stopped while it writes, it leaves half a file under the right name: write beside, then os.replace"
    with _watched(path, inputs, stop=True) as seen, contextlib.suppress(_PowerFailure):
        path.unlink(missing_ok=True)
        student(lambda values: values, inputs, path)
    try:
        student(lambda values: values, inputs, path)
    except OSError:
        path.unlink(missing_ok=True)
    if not path.exists() or not np.array_equal(np.load(path), inputs):
        return "stopped just before the file got its name, the next call fails on what was left beside `path`"
    return None


class _PowerFailure(BaseException):
    """Stops the student's function; BaseException, so that no `except Exception` of theirs catches it."""


_watch = None  # the function that hears of opened and renamed files; None nearly always


def _hear(event, arguments):
    if _watch is not None and event in ("open", "os.rename", "os.link", "os.symlink"):
        _watch(event, *arguments)


@functools.cache
def _listen():
    """Hears of every file before it is opened or renamed, whatever function does it. An audit hook stays for ever."""
    sys.addaudithook(_hear)


@contextlib.contextmanager
def _watched(path, expected, *, stop=False):
    """Lists what happens to a file in the block.

    "written": it is opened for writing under its own name. "complete", "incomplete": another file is about to get its
    name, and holds the expected array or not. With `stop` the power fails at that moment.
    """
    global _watch
    _listen()
    seen, target = [], os.path.realpath(path)

    def same(name):
        return not isinstance(name, int) and os.path.realpath(os.fsdecode(name)) == target

    def watch(event, first, second, *others):
        global _watch
        if event == "open":
            if same(first) and others[0] & (os.O_WRONLY | os.O_RDWR):
                seen.append("written")
        elif same(second):
            _watch = None  # reading the other file is not the student's doing
            seen.append("complete" if _holds(first, expected) else "incomplete")
            _watch = watch
            if stop:
                raise _PowerFailure

    _watch = watch
    try:
        yield seen
    finally:
        _watch = None


def _holds(name, expected):
    """True for a NumPy file with the complete expected array."""
    try:
        return np.array_equal(np.load(name), expected)
    except (OSError, ValueError, EOFError):
        return False
