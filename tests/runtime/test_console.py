"""What a process writes to its terminal: replayed errors of native code, and who reads it."""

import io

import pytest

from dlkit.runtime import console
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


class TerminalStream(io.StringIO):
    def isatty(self):
        return True


class NotebookStream(io.StringIO):
    __module__ = "ipykernel.iostream"


@pytest.mark.parametrize(
    ("stream", "is_interactive"), [(TerminalStream(), True), (NotebookStream(), True), (io.StringIO(), False)]
)
def test_person_reads_a_notebook_and_a_terminal(monkeypatch, stream, is_interactive):
    monkeypatch.setattr(console.sys, "stdout", stream)
    assert console.is_interactive() == is_interactive
