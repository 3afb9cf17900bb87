"""What works on this machine and what to do about what does not: `python -m dlkit doctor`."""

from __future__ import annotations

import os
import shutil
import socket
import sys
from importlib.metadata import PackageNotFoundError, version
from urllib.parse import urlsplit

from dlkit import data, runtime
from dlkit.data import sources


def report():
    """Examines Python, packages, device, memory, disk, data and network.

    Returns:
        List of (state, subject, text): state is "ok", "note" (works, could be better) or "fault"; the text of the
        latter two ends with the command or step that mends it.
    """
    rows = [_python()]
    rows += [_package(name) for name in ("tensorflow", "keras", "numpy", "matplotlib", "scikit-learn", "jupyterlab")]
    rows += _device() if all(state == "ok" for state, *_ in rows[1:3]) else []
    rows += [_memory(), _disk()]
    rows += [_data(name) for name in data.NAMES]
    return [*rows, _network()]


def _python():
    found = sys.version_info[:2]
    text = ".".join(map(str, sys.version_info[:3]))
    if (3, 10) <= found <= (3, 13):
        return "ok", "Python", text
    return "fault", "Python", f"{text}, TensorFlow needs 3.10 to 3.13 → make lab PYTHON=python3.12"


def _package(name):
    try:
        return "ok", name, version(name)
    except PackageNotFoundError:
        return "fault", name, "not installed → python -m pip install -e . -c constraints.txt"


def _device():
    with runtime.quiet_start():
        device, precision = runtime.find_device()
    gpu = device.startswith("GPU")
    hint = "" if gpu else '; with an NVIDIA GPU → python -m pip install "tensorflow[and-cuda]"'
    slow = "float32: no 16-bit arithmetic that would pay here, nothing to do"
    return [
        ("ok" if gpu else "note", "device", f"{device}, {os.cpu_count()} cores{hint}"),
        ("note", "mixed precision", slow) if precision == "float32" else ("ok", "mixed precision", precision),
    ]


def _memory():
    import psutil

    free = psutil.virtual_memory().available / 2**30
    if free >= 3:
        return "ok", "memory", f"{free:.1f} GiB free"
    return "fault", "memory", f"{free:.1f} GiB free, CIFAR-10 needs 3 → close other programs or notebooks"


def _disk():
    free = shutil.disk_usage(sources.project_data().parent).free / 2**30
    if free >= 1:
        return "ok", "disk", f"{free:.0f} GiB free"
    return "fault", "disk", f"{free:.1f} GiB free, the data needs 1 → make room, or set DLKIT_DATA to a larger disk"


def _data(name):
    try:
        place = data.locate(name)
    except data.DataError as error:
        return "fault", name, f"{error} → unset DLKIT_DATA"
    if place:
        return "ok", name, f"found, {place}"
    return "note", name, f"not found, a stand-in will be used → python -m dlkit data fetch {name}"


def _network():
    if sources.offline():
        return "note", "network", "not tried, DLKIT_OFFLINE is set → unset DLKIT_OFFLINE"
    host = urlsplit(sources.DOWNLOADS["mnist"].urls[0]).hostname
    try:
        socket.create_connection((host, 443), timeout=3).close()
    except OSError as error:
        return "note", "network", f"{host} does not answer ({error}); all notebooks work → export DLKIT_OFFLINE=1"
    return "ok", "network", f"{host} answers"
