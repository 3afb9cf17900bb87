"""What a process writes to its terminal: replayed errors of native code, and progress."""

import os
import subprocess
import sys

from dlkit import runtime


def run(code, **environment):
    """Runs Python code in a new process."""
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, **environment}, check=False
    )


def test_suppress_native_stderr_replays_it_on_error():
    code = """
import os
from dlkit import runtime
with runtime.suppress_native_stderr():
    os.write(2, b"the reason\\n")
    raise ImportError("no such library")
"""
    done = run(code)
    assert done.returncode == 1
    assert "the reason" in done.stderr
    assert "no such library" in done.stderr


def test_progress_prints_nothing_without_a_terminal(capsys):
    assert list(runtime.progress([1, 2, 3], "counting")) == [1, 2, 3]
    assert capsys.readouterr() == ("", "")
