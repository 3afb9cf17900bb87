"""What the tests of several modules in dlkit/runtime share."""

import os
import subprocess
import sys


def run_code(code, **environment):
    """Runs Python code in a new process, with further environment variables, and returns the finished process."""
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, **environment}, check=False
    )
