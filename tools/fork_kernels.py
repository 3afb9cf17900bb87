"""Runs a command whose Jupyter kernels start immediately: python -m tools.fork_kernels pytest -c tests/nbval.ini …

A kernel spends its first seconds importing TensorFlow. Here one process, the server, imports it once, and each kernel
is a fork of that process. The command finds a kernel called "python3", which every notebook requests, in a temporary
folder on `JUPYTER_PATH`. The process of this kernel is a small client: it requests a fork from the server, forwards
interrupts, and ends with the exit status of the fork. When the client dies for any reason, the server kills its fork.

Forking is safe here because the server computes nothing: TensorFlow starts its threads with the first operation. Where
forks are not usual (macOS, Windows), ordinary kernels are used.
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
    """Runs a command while the server is running.

    Args:
        command: List of strings, the program and its arguments.

    Returns:
        Integer, the exit status of the command.
    """
    with kernels() as environment:
        return subprocess.run(command, env=environment, check=False).returncode


@contextlib.contextmanager
def kernels(preloaded=PRELOADED):
    """Runs the server while the block is executed.

    Args:
        preloaded: Sequence of strings, the modules that the server imports before it forks kernels.

    Yields:
        Dictionary, the environment variables with which a command finds the kernels.
    """
    with tempfile.TemporaryDirectory(prefix="kernels-") as folder:
        folders = [folder, *filter(None, [os.environ.get("JUPYTER_PATH")])]
        environment = {**os.environ, "JUPYTER_PATH": os.pathsep.join(folders)}
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
    """Writes the specification of the kernel "python3" into a folder that will be on `JUPYTER_PATH`."""
    spec = Path(folder) / "kernels" / "python3"
    spec.mkdir(parents=True)
    text = json.dumps({"argv": argv, "display_name": "Python 3", "language": "python"})
    (spec / "kernel.json").write_text(text, encoding="utf-8")


# --- the client, which Jupyter regards as the kernel's process


def client(address, connection_file):
    """Requests a fork from the server, waits until it ends, and returns its exit status."""
    with socket.socket(socket.AF_UNIX) as connection:
        while True:  # the server may still be importing TensorFlow; Jupyter gives up on a kernel after a minute
            try:
                connection.connect(address)
                break
            except (FileNotFoundError, ConnectionRefusedError):
                time.sleep(0.05)
        signal.signal(signal.SIGINT, lambda *_: connection.sendall(b"I"))
        request = {"connection_file": connection_file, "cwd": os.getcwd(), "environment": dict(os.environ)}
        connection.sendall(json.dumps(request).encode() + b"\n")
        return int(connection.makefile().read() or 1)


# --- the server


def serve(address, *modules):
    """Imports modules, then forks a kernel for each client until this process is terminated."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the command
    with socket.socket(socket.AF_UNIX) as listener:
        preload(modules)
        listener.bind(address)
        listener.listen()
        forks = {}  # {connection to a client: process ID of its kernel}
        try:
            while True:
                ready, _, _ = select.select([listener, *forks], [], [], 0.1)
                for connection in ready:
                    if connection is listener:
                        connection, _ = listener.accept()
                        forks[connection] = start_kernel(connection, [listener, *forks])
                    else:  # an interrupt, or the end of a client
                        os.kill(forks[connection], signal.SIGINT if connection.recv(1) else signal.SIGKILL)
                report_ended(forks)
        finally:
            for process in forks.values():
                os.kill(process, signal.SIGKILL)


def preload(modules):
    """Imports modules without computing anything, so that TensorFlow has no threads yet when kernels are forked."""
    os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"
    from dlkit.runtime import suppress_native_stderr  # not at the top: the client runs without site-packages

    with suppress_native_stderr():
        for module in modules:
            importlib.import_module(module)


def start_kernel(connection, inherited):
    """Forks a kernel for a client.

    Args:
        connection: Socket, connected to the client.
        inherited: List of the other sockets of the server, which the fork has to close.

    Returns:
        Integer, the process ID of the kernel. The fork itself never returns.
    """
    request = json.loads(connection.makefile().readline())
    if process := os.fork():
        return process
    status = 1
    try:
        for other in [connection, *inherited]:
            other.close()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.setsid()
        devnull = os.open(os.devnull, os.O_RDWR)
        for stream in range(3):
            os.dup2(devnull, stream)
        os.chdir(request["cwd"])
        os.environ.clear()
        os.environ.update(request["environment"])
        sys.path[0] = ""  # the current folder, as in an ordinary kernel
        from ipykernel.kernelapp import launch_new_instance

        launch_new_instance(["-f", request["connection_file"]])
        status = 0
    except SystemExit as end:
        status = end.code or 0
    finally:
        os._exit(status)


def report_ended(forks):
    """Sends the exit status of each kernel that has ended to its client."""
    for connection, process in list(forks.items()):
        ended, status = os.waitpid(process, os.WNOHANG)
        if ended:
            with contextlib.suppress(BrokenPipeError), connection:  # the client may have ended
                connection.sendall(str(abs(os.waitstatus_to_exitcode(status))).encode())
            del forks[connection]


if __name__ == "__main__":
    role, *arguments = sys.argv[1:]
    if role == "--serve":
        serve(*arguments)
    sys.exit(client(*arguments) if role == "--client" else main([role, *arguments]))
