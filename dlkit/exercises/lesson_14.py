"""Checkers of lesson 14."""

from __future__ import annotations

import contextlib
import functools
import os
import sys
import tempfile
from pathlib import Path

import numpy as np

from dlkit.evaluate import wilson_interval
from dlkit.exercises.helpers import check_keys, check_number, check_returned, checker


@checker("14.trained_parameters")
def trained_parameters(answer):
    """Checks the number of weights of MobileNet's last block and of the head; batch normalization stays frozen."""
    depthwise, pointwise, head = 3 * 3 * 256, 256 * 256, 256 * 10 + 10
    expected = depthwise + pointwise + head
    hints = {
        expected + 4 * 256: "batch normalization stays frozen unless you ask for it",
        expected + 8 * 256: "batch normalization stays frozen; its mean and variance are never trained anyway",
        depthwise + pointwise: "`unfreeze` trains to the end of the model: the head too",
        expected - 10: "the head has biases",
        expected + 512: "neither convolution has biases: the normalization after it has its own",
        3 * 3 * 256 * 256 + pointwise + head: "depthwise: one 3 × 3 kernel for each channel, nothing is mixed",
        head: "that is the head alone",
    }
    default_hint = "add 3·3 weights for each of 256 channels, then 1·1 from 256 to 256, then the head"
    return check_number(answer, "trained_parameters", expected, hints, default_hint)


@checker("14.two_folders")
def two_folders(measured):
    """Checks the experiment: enough test images of two classes, the correct interval, better than the larger class."""
    if hint := check_keys(measured, {"test_labels": "[...]", "predicted": "[...]", "interval": "(low, high)"}):
        return hint
    labels, predicted = (np.asarray(measured[name]) for name in ("test_labels", "predicted"))
    if labels.shape != predicted.shape or labels.ndim != 1:
        return "test_labels and predicted are two lists of the same length: one entry for each test image"
    if len(labels) < 10:
        return f"only {len(labels)} test images say almost nothing; take at least ten"
    counts = np.unique(labels, return_counts=True)[1]
    if len(counts) < 2:
        return "the test images are all of one class"
    accuracy = np.mean(labels == predicted)
    low, high = wilson_interval(accuracy, len(labels))
    if not np.allclose(measured["interval"], (low, high), atol=0.005):
        correct = round(accuracy * len(labels))
        return f"that is not the interval of {correct} correct out of {len(labels)}; use wilson_interval"
    if low <= counts.max() / len(labels):
        return f"the interval begins at {low:.2f}: always predicting the larger class may do as well; use more images"
    return None


@checker("14.load_or_compute")
def load_or_compute(student):
    """Checks that it computes once, reads the file afterwards, and never leaves an incomplete file at the path."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cache" / "features.npy"
        path.parent.mkdir()
        return _wrong_results(student, path) or _incomplete_file(student, path)


def _wrong_results(student, path):
    inputs, calls = np.arange(12.0).reshape(6, 2), []

    def compute(values):
        calls.append(len(values))
        return values[:, :1] * 2

    first = student(compute, inputs, path)
    if hint := check_returned(first):
        return hint
    if np.shape(first) != (6, 1) or not np.allclose(first, inputs[:, :1] * 2):
        return "the first call should return compute(inputs)"
    if not path.exists():
        return f"nothing was saved at `path`; found {[found.name for found in path.parent.iterdir()]}"
    if not np.array_equal(np.load(path), first):
        return "the array at `path` differs from compute(inputs)"
    num_calls = len(calls)
    second = student(compute, inputs, path)
    if len(calls) > num_calls:
        return "the second call computed again; first check whether the file exists"
    if not np.allclose(second, first):
        return "the second call returned other values than the first"
    np.save(path, first + 1)
    if not np.allclose(student(compute, inputs, path), first + 1):
        return "a later call must read the file at `path`; this result comes from somewhere else"
    return None


def _incomplete_file(student, path):
    """What a power failure during writing leaves at `path`, and whether the next call works."""
    inputs = np.arange(5000.0)  # larger than a file's buffer, so that the beginning of it may be on the disk
    with _watched(path, inputs) as seen:
        path.unlink(missing_ok=True)
        student(lambda values: values, inputs, path)
    if any(step != "complete" for step in seen):
        return "an interruption leaves an incomplete file at `path`: write another file first, then os.replace it"
    with _watched(path, inputs, stop=True) as seen, contextlib.suppress(_PowerFailure):
        path.unlink(missing_ok=True)
        student(lambda values: values, inputs, path)
    try:
        student(lambda values: values, inputs, path)
    except OSError:
        path.unlink(missing_ok=True)
    if not path.exists() or not np.array_equal(np.load(path), inputs):
        return "after an interruption just before the renaming, the next call fails on the file left next to `path`"
    return None


class _PowerFailure(BaseException):
    """Stops the student's function; BaseException, so that no `except Exception` of theirs catches it."""


_watch = None  # called when a file is opened or renamed; None nearly always


def _audit(event, arguments):
    if _watch is not None and event in ("open", "os.rename", "os.link", "os.symlink"):
        _watch(event, *arguments)


@functools.cache
def _install_audit_hook():
    """Python calls `_audit` before any function opens or renames a file. An audit hook cannot be removed."""
    sys.addaudithook(_audit)


@contextlib.contextmanager
def _watched(path, expected, *, stop=False):
    """Lists what happens to a file within the block.

    "written": it is opened for writing under its own name. "complete", "incomplete": another file is about to be
    renamed to it, and holds the expected array or not. With `stop` the power fails at that moment.
    """
    global _watch
    _install_audit_hook()
    seen, target = [], os.path.realpath(path)

    def same(name):
        return not isinstance(name, int) and os.path.realpath(os.fsdecode(name)) == target

    def watch(event, first, second, *others):
        global _watch
        if event == "open":
            if same(first) and others[0] & (os.O_WRONLY | os.O_RDWR):
                seen.append("written")
        elif same(second):
            _watch = None  # the checker, not the student, reads the other file here
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
