"""`dlkit doctor`: examines this machine and, for every problem it finds, prints the command that fixes it.

It imports the standard library only, and the packages one by one as it examines them, so that it can say which of them
is missing or broken. Each row is printed as soon as it is known.
"""

from __future__ import annotations

import http.client
import importlib
import os
import shutil
import sys
import urllib.request
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from urllib.parse import urlsplit

from dlkit import runtime
from dlkit.runtime import keras_json, network, shell

SIGNS = {"ok": "✓", "note": "–", "problem": "✗"}
OLDEST, NEWEST = (3, 11, 5), (3, 13)  # Python, as in pyproject.toml
NEEDED = ("numpy", "pillow", "tqdm", "scipy", "scikit-learn", "tensorflow", "keras")  # by nearly every module of dlkit
FOR_LESSONS = ("keras-hub", "keras-tuner", "tokenizers", "tensorboard", "jupyterlab")
PACKAGES = (*NEEDED, "matplotlib", "psutil", *FOR_LESSONS)
MODULES = {"pillow": "PIL", "scikit-learn": "sklearn"}  # that are imported under another name
NEED_KERAS = ("tensorflow", "keras", "keras-hub", "keras-tuner")  # TensorFlow imports Keras
BACKBONES = ("mobilenet", "resnet50")
URL = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz"  # requested to test the network
TIMEOUT = 5  # seconds


def main():
    """Prints one row for each subject that is examined. Returns the exit status, 1 when there is a problem, else 0."""
    problems = 0
    for status, subject, text in report():
        print(f"{SIGNS[status]} {subject:16} {text}", flush=True)
        problems += status == "problem"
    return 1 if problems else 0


def report():
    """Examines Python, disk, memory, settings, packages, device, data, weights and network, one after the other.

    Yields tuples (status, subject, text) of strings. The status is "ok", "note" (it works and could be better) or
    "problem". The text of the latter two holds "→" and the command or step that fixes it, or "nothing to do".
    """
    yield from _python()
    yield _disk()
    yield _memory()
    yield _keras_settings()
    broken = []
    for name in PACKAGES:
        row = _package(name, broken)
        broken += [name] if row[0] == "problem" else []
        yield row
    if not set(NEEDED) & set(broken):
        yield from _device()
        yield from _data()
    else:
        fix = "follow the rows above, then run the doctor again"
        yield "note", "device, data", f"these and the weights are not examined until the packages work → {fix}"
    yield _network()


def _python():
    text = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:3] >= OLDEST and sys.version_info[:2] <= NEWEST:
        yield "ok", "Python", f"{text}, {sys.executable}"
    else:
        command = "py -3.12 -m venv .venv" if sys.platform == "win32" else "make lab PYTHON=python3.12"
        oldest, newest = (".".join(map(str, version)) for version in (OLDEST, NEWEST))
        yield "problem", "Python", f"{text}, dlkit needs {oldest} to {newest} → {command}"
    folder = shell.project_folder()
    python = folder and folder / ".venv" / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    if python and python.exists() and Path(sys.executable or "").absolute().parent != python.absolute().parent:
        command = shell.join_command(str(python), "-m", "dlkit", "doctor")
        yield "note", "environment", f"this Python is not the one in the project's .venv → {command}"


def _package(name, broken):
    """A row about a package; `broken` lists those that are known to be missing or broken."""
    try:
        found = version(name)
    except PackageNotFoundError:
        if name in FOR_LESSONS and shell.project_folder() is None:
            return "note", name, f"not installed, and only the lessons need it → {_install_command(name)}"
        return "problem", name, f"not installed → {_install_command(name)}"
    with runtime.suppress_native_stderr():
        error = _import_error(MODULES.get(name, name.replace("-", "_")))
    if error is None:
        return "ok", name, found
    status, subject, _ = _keras_settings()
    if name in NEED_KERAS and status == "problem":
        fix = f"see {subject} above"
    elif first := next((other for other in broken if other in NEEDED), None):
        fix = f"fix {first} first"
    elif isinstance(error, ModuleNotFoundError):
        fix = _install_command(name)
    else:
        fix = shell.pip_install_command("--force-reinstall", "--no-deps", name)
    return "problem", name, f"{found} is installed, but its import fails ({_summarize(error)}) → {fix}"


def _install_command(name):
    return shell.pip_install_command() if shell.project_folder() else shell.pip_install_command(name)


def _import_error(module):
    """The exception that importing a module raises, or None."""
    try:
        importlib.import_module(module)
    except Exception as error:  # a broken package can raise anything, and what it raises is reported
        return error
    return None


def _summarize(error):
    """An exception in one line. NumPy's exception explains for thirty lines and names the cause in the last one."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    text = next((line for line in lines if line.startswith("Original error was:")), lines[0])
    return text if len(text) <= 200 else text[:199] + "…"


def _keras_settings():
    """KERAS_BACKEND and keras.json, which change Keras in every program of this user."""
    if (backend := os.environ.get("KERAS_BACKEND") or "tensorflow") != "tensorflow":
        text = f"it is {backend}, the lessons need tensorflow → {shell.unset_variable_command('KERAS_BACKEND')}"
        return "problem", "KERAS_BACKEND", text
    if problem := keras_json.find_problem():
        path = keras_json.keras_home() / "keras.json"
        return problem[0], "keras.json", f"{path} {problem[1]} → {shell.delete_file_command(path)}"
    return "ok", "keras.json", "TensorFlow, channels last, float32"


def _device():
    with runtime.suppress_native_stderr():
        device, precision = runtime.configure_device()
    found = f"{device}, {os.cpu_count()} cores"
    if device.startswith("GPU"):
        yield "ok", "device", found
    elif sys.platform == "linux":
        command = shell.pip_install_command("tensorflow[and-cuda]")
        yield "note", "device", f"{found}: nothing to do, except with an NVIDIA GPU → {command}"
    else:
        yield "note", "device", f"{found}: nothing to do, TensorFlow has no GPU support here (on Windows: in WSL 2)"
    if precision == "float32":
        yield "note", "mixed precision", "16-bit arithmetic would not be faster on this hardware, nothing to do"
    else:
        yield "ok", "mixed precision", precision


def _memory():
    if _import_error("psutil"):
        return "note", "memory", f"cannot be examined without psutil → {_install_command('psutil')}"
    import psutil

    free = psutil.virtual_memory().available / 2**30
    if free >= 3:
        return "ok", "memory", f"{free:.1f} GiB free"
    return "problem", "memory", f"{free:.1f} GiB free, CIFAR-10 needs 3 → close other programs or notebooks"


def _disk():
    folder = shell.project_folder() or Path.cwd()
    free = shutil.disk_usage(folder).free / 2**30
    if free >= 1:
        return "ok", "disk", f"{free:.0f} GiB free"
    return "problem", "disk", f"{free:.1f} GiB free, the data needs 1 → make room on the disk of {folder}"


def _data():
    """Rows about data sets and ImageNet weights. They import dlkit's own modules, which need the packages above."""
    from dlkit import data, transfer
    from dlkit.data import locations
    from dlkit.data.registry import REGISTRY

    try:
        locations.search_folders()
    except data.DataError as error:
        command = shell.unset_variable_command("DLKIT_DATA")
        yield "problem", "DLKIT_DATA", f"{error} Data and weights are not examined → {command}"
        return
    for name in data.NAMES:
        if location := data.locate(name):
            yield "ok", name, f"found, {location}"
        else:
            instead = next((other for other in REGISTRY[name].fallback if data.locate(other)), None)
            used = f"; {instead} will be used instead" if instead else ""
            yield "note", name, f"not found{used} → {runtime.dlkit_command('data', 'fetch', name)}"
    for backbone in map(transfer.BACKBONES.get, BACKBONES):
        name = backbone.application
        if location := locations.find_weights(backbone.file):
            yield "ok", name, f"ImageNet weights found, {location[0]}: {location[1].name}"
            continue
        options = "".join(f", {key}={value!r}" for key, value in backbone.options.items())
        code = f"import keras; keras.applications.{name}(include_top=False{options})"
        command = shell.python_command("-c", code)
        yield "note", name, f"ImageNet weights not found, a stand-in will be trained ({backbone.file}) → {command}"


def _network():
    if network.is_offline():
        return "note", "network", f"not tried, DLKIT_OFFLINE is set → {shell.unset_variable_command('DLKIT_OFFLINE')}"
    host, proxy = urlsplit(URL).hostname, network.proxy_for(URL)
    route = f"{host} through the proxy {proxy}" if proxy else host
    try:  # not urlopen, which remembers the proxy and the certificates of its first call
        request = urllib.request.Request(URL, method="HEAD")
        urllib.request.build_opener().open(request, timeout=TIMEOUT).close()
    except (OSError, http.client.HTTPException, ValueError) as error:  # urllib's errors are OSErrors
        command = shell.set_variable_command("DLKIT_OFFLINE", 1)
        text = f"{route} does not answer ({network.describe_error(error)}); the lessons work without it"
        fix = network.suggest_fix(error, URL)
        return "note", "network", f"{text}, faster after `{command}` → {fix}" if fix else f"{text} → {command}"
    return "ok", "network", f"{route} answers"
