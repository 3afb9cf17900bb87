"""Runs a command whose Jupyter kernels start in a moment: python -m tools.fork_kernels pytest -c tests/nbval.ini …

A kernel spends its first seconds importing TensorFlow. Here one process, the server, imports it once, and each kernel
is a fork of that process. The command finds a kernel called "python3", as every notebook asks for, in a temporary
folder on `JUPYTER_PATH`. Its process is a small client: it asks the server for a fork, passes interrupts on, and ends
as the fork ends. When the client dies, in whatever way, the server kills its fork.

Forking is safe here because the server computes nothing: TensorFlow starts its threads with the first operation. Where
forks are not usual (macOS, Windows) the kernels are ordinary ones.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


PRELOADED = ("keras", "matplotlib.pyplot", "sklearn.linear_model", "sklearn.model_selection", "ipykernel.kernelapp")


def main(command):
    """Runs `command` with the server beside it. Returns the command's exit status."""
    with kernels() as environment:
        return subprocess.run(command, env=environment, check=False).returncode


@contextlib.contextmanager
def kernels(preloaded=PRELOADED):
    """Runs the server, with modules imported, and gives the environment in which its kernels are found."""
    with tempfile.TemporaryDirectory(prefix="kernels-") as folder:
        places = [folder, *filter(None, [os.environ.get("JUPYTER_PATH")])]
        environment = {**os.environ, "JUPYTER_PATH": os.pathsep.join(places)}
        if sys.platform != "linux":
            install_kernel(folder, [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"])
            yield environment
            return
        address = os.path.join(folder, "socket")
        install_kernel(folder, [sys.executable, "-S", __file__, "--client", address, "{connection_file}"])
        server = subprocess.Popen(
            [sys.executable, "-m", "tools.fork_kernels", "--serve", address, *preloaded], cwd=ROOT
        )
        try:
            yield environment
        finally:
            server.terminate()
            server.wait()


def install_kernel(folder, argv):
    """Writes the description of the kernel "python3" below `folder`."""
    spec = Path(folder) / "kernels" / "python3"
    spec.mkdir(parents=True)
    text = json.dumps({"argv": argv, "display_name": "Python 3", "language": "python"})
    (spec / "kernel.json").write_text(text, encoding="utf-8")


# --- the client: a kernel's process as Jupyter sees it


def client(address, connection_file):
    """Asks for a fork and waits for its end. Returns its exit status."""
    with socket.socket(socket.AF_UNIX) as line:
        while True:  # the server may still be importing TensorFlow; Jupyter gives up on a kernel after a minute
            try:
                line.connect(address)
                break
            except (FileNotFoundError, ConnectionRefusedError):
                time.sleep(0.05)
        signal.signal(signal.SIGINT, lambda *_: line.sendall(b"I"))
        request = {"connection_file": connection_file, "cwd": os.getcwd(), "environment": dict(os.environ)}
        line.sendall(json.dumps(request).encode() + b"\n")
        return int(line.makefile().read() or 1)


# --- the server


def serve(address, *modules):
    """Imports modules, then forks a kernel for each client until it is terminated."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the command
    with socket.socket(socket.AF_UNIX) as door:
        preload(modules)
        door.bind(address)
        door.listen()
        forks = {}  # {connection to a client: process id of its kernel}
        try:
            while True:
                ready, _, _ = select.select([door, *forks], [], [], 0.1)
                for line in ready:
                    if line is door:
                        line, _ = door.accept()
                        forks[line] = start_kernel(line, [door, *forks])
                    else:  # an interrupt, or the end of a client
                        os.kill(forks[line], signal.SIGINT if line.recv(1) else signal.SIGKILL)
                report_ended(forks)
        finally:
            for process in forks.values():
                os.kill(process, signal.SIGKILL)


def preload(modules):
    """Imports, without computing anything, what takes the time."""
    os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"
    from dlkit.runtime import suppress_native_stderr

    with suppress_native_stderr():
        for module in modules:
            importlib.import_module(module)


def start_kernel(line, inherited):
    """Forks a kernel for the client at the other end of `line`. Returns its process id."""
    request = json.loads(line.makefile().readline())
    if process := os.fork():
        return process
    status = 1
    try:
        for connection in [line, *inherited]:
            connection.close()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.setsid()
        nothing = os.open(os.devnull, os.O_RDWR)
        for stream in range(3):
            os.dup2(nothing, stream)
        os.chdir(request["cwd"])
        os.environ.clear()
        os.environ.update(request["environment"])
        sys.path[0] = ""  # as in a kernel of its own: the current folder
        from ipykernel.kernelapp import launch_new_instance

        launch_new_instance(["-f", request["connection_file"]])
        status = 0
    except SystemExit as end:
        status = end.code or 0
    finally:
        os._exit(status)


def report_ended(forks):
    """Sends the exit status of each kernel that ended to its client."""
    for line, process in list(forks.items()):
        ended, status = os.waitpid(process, os.WNOHANG)
        if ended:
            with contextlib.suppress(BrokenPipeError), line:  # the client may be gone
                line.sendall(str(abs(os.waitstatus_to_exitcode(status))).encode())
            del forks[line]


if __name__ == "__main__":
    role, *arguments = sys.argv[1:]
    if role == "--serve":
        serve(*arguments)
    sys.exit(client(*arguments) if role == "--client" else main([role, *arguments]))
