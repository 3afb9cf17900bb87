"""What a process writes to its terminal or notebook: progress, and the log output of TensorFlow."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import time


def is_interactive():
    """Whether a person reads standard output: it goes to a notebook or a terminal."""
    in_notebook = "ipykernel" in sys.modules and type(sys.stdout).__module__.startswith("ipykernel")
    return in_notebook or sys.stdout.isatty()


@contextlib.contextmanager
def suppress_native_stderr():
    """Suppresses what TensorFlow writes to standard error while it starts, and replays it on error.

    Messages such as "oneDNN custom operations are on" or "Could not find cuda drivers" come from C++ and ignore every
    setting of Python, so the file descriptor itself is redirected. When the block raises an exception, everything that
    was written is printed, because it may hold the cause.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.stderr.flush()
    original = os.dup(2)
    with tempfile.TemporaryFile() as captured:
        os.dup2(captured.fileno(), 2)
        try:
            yield
        except BaseException:
            captured.seek(0)
            os.write(original, captured.read())
            raise
        finally:
            os.dup2(original, 2)
            os.close(original)


def progress(items, label, total=None):
    """Iterates over items and shows the progress where a person watches a terminal.

    Redirected output and notebooks stay free of progress lines.

    Args:
        items: Iterable, what to go through.
        label: String, what is being done, such as "reading images".
        total: Integer, the number of items, default `len(items)`.

    Yields:
        The items, in order.
    """
    total = len(items) if total is None else total
    on_terminal, start, shown = sys.stderr.isatty(), time.monotonic(), 0.0
    for done, item in enumerate(items):
        if on_terminal and (now := time.monotonic()) - start > 1 and now - shown > 0.1:
            shown = now
            print(f"\r{label} {done:,}/{total:,}", end="", file=sys.stderr, flush=True)
        yield item
    if shown:
        print(f"\r{label} {total:,}/{total:,}", file=sys.stderr)
