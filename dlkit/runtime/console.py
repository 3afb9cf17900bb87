"""What a process writes to its terminal or notebook, and what of the log output of TensorFlow is kept from it."""

import contextlib
import os
import sys
import tempfile


def is_interactive():
    """Whether a person reads standard output: it goes to a notebook or a terminal."""
    return type(sys.stdout).__module__.startswith("ipykernel") or sys.stdout.isatty()


@contextlib.contextmanager
def suppress_native_stderr():
    """Suppresses what TensorFlow writes to standard error while it starts, and replays it on error.

    Messages such as "Could not find cuda drivers" come from C++ and ignore every setting of Python, so the file
    descriptor itself is redirected. When the block raises an exception, what was written may hold the cause.
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
