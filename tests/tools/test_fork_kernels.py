"""Forked kernels: they compute like ordinary kernels, react to interrupts, and leave no process behind."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tools import fork_kernels
from tools.notebooks import ROOT

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="kernels are forked on Linux only")

# Starts kernels in the environment that fork_kernels made, and prints their output.
COMMAND = """
import os, signal, subprocess, sys, time
from jupyter_client.manager import start_new_kernel

def ask(client, code):
    lines = []
    client.execute_interactive(code, output_hook=lambda m: lines.append(m["content"].get("text", m["msg_type"])))
    return "".join(line for line in lines if line not in ("status", "execute_input")).strip()

def start():
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return start_new_kernel(kernel_name="python3", cwd=sys.argv[1], **silent)

manager, client = start()
"""


@pytest.fixture
def forked(tmp_path):
    """Function that runs a script with the `manager` and `client` of a forked kernel and returns the printed lines."""

    def run(script, preloaded=("ipykernel.kernelapp",)):
        path = tmp_path / "script.py"
        path.write_text(COMMAND + script)
        with fork_kernels.kernels(preloaded) as environment:
            command = [sys.executable, str(path), str(tmp_path)]
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.splitlines()

    return run


def is_running(process):
    """Whether a process exists and is not a zombie."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_for_end(process):
    for _ in range(100):
        if not is_running(process):
            return
        time.sleep(0.1)
    raise AssertionError(f"process {process} is still running")


def test_forked_kernels_compute_and_share_nothing(forked, tmp_path):
    loaded, folder, plot, other = forked(
        """
print(ask(client, "import sys; print('tensorflow' in sys.modules)"))
print(ask(client, "import os; print(os.getcwd())"))
print(ask(client, "import matplotlib.pyplot as plt; a = 1; _ = plt.plot([1, 2])"))
second, second_client = start()
print(ask(second_client, "import keras; print('a' in dir(), float(keras.ops.sum(keras.ops.ones((2, 3)))))"))
for kernel_manager in (manager, second):
    kernel_manager.shutdown_kernel()
""",
        fork_kernels.PRELOADED,
    )
    assert loaded == "True"
    assert folder == str(tmp_path)
    assert plot == "display_data"
    assert other == "False 6.0"


def test_interrupt_reaches_the_kernel(forked):
    lines = forked(
        """
import threading
threading.Timer(2, manager.interrupt_kernel).start()
print(ask(client, "import time\\ntry:\\n    time.sleep(60)\\nexcept KeyboardInterrupt:\\n    print('interrupted')"))
manager.shutdown_kernel()
"""
    )
    assert lines == ["interrupted"]


def test_kernel_ends_when_its_client_is_killed(forked):
    (process,) = forked(
        """
print(ask(client, "import os; print(os.getpid())"))
os.kill(manager.provisioner.pid, signal.SIGKILL)
time.sleep(1)
"""
    )
    wait_for_end(process)


def test_kernels_end_with_the_command(forked):
    (process,) = forked('print(ask(client, "import os; print(os.getpid())"))\nos._exit(0)')
    wait_for_end(process)


def test_exit_status_of_the_command_is_returned():
    command = [sys.executable, "-m", "tools.fork_kernels", sys.executable, "-c", "import sys; sys.exit(7)"]
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == 7


def test_client_ends_when_its_kernel_dies(forked):
    lines = forked(
        """
client.execute("import os; os._exit(3)")
for _ in range(100):
    if manager.provisioner.process.poll() is not None:
        break
    time.sleep(0.1)
print(manager.provisioner.process.poll())
os._exit(0)
"""
    )
    assert lines == ["3"]
