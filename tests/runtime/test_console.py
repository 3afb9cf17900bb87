"""What a process writes to its terminal: replayed errors of native code."""

from tests.runtime.helpers import run_code


def test_suppress_native_stderr_replays_it_on_error():
    code = """
import os
from dlkit import runtime
with runtime.suppress_native_stderr():
    os.write(2, b"the reason\\n")
    raise ImportError("no such library")
"""
    done = run_code(code)
    assert done.returncode == 1
    assert "the reason" in done.stderr
    assert "no such library" in done.stderr
