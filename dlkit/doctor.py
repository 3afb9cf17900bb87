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
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from urllib.parse import urlsplit

from dlkit import runtime
from dlkit.runtime import keras_json, network, shell

SIGNS = {"ok": "✓", "note": "–", "problem": "✗"}
OLDEST, NEWEST = (3, 11, 5), (3, 13)  # Python, as in pyproject.toml
# Package: the module that it is imported as.
PACKAGES = {
    "numpy": "numpy",
    "pillow": "PIL",
    "scikit-learn": "sklearn",
    "scipy": "scipy",
    "tensorflow": "tensorflow",
    "keras": "keras",
    "keras-hub": "keras_hub",
    "keras-tuner": "keras_tuner",
    "tokenizers": "tokenizers",
    "matplotlib": "matplotlib",
    "psutil": "psutil",
    "tensorboard": "tensorboard",
    "jupyterlab": "jupyterlab",
}
NEEDED = ("numpy", "pillow", "scikit-learn", "tensorflow", "keras")  # by nearly every module of dlkit
FOR_LESSONS = ("scipy", "keras-hub", "keras-tuner", "tokenizers", "tensorboard", "jupyterlab")
NEED_KERAS = ("tensorflow", "keras", "keras-hub", "keras-tuner")  # TensorFlow imports Keras
WEIGHTS = {"MobileNet": "mobilenet", "ResNet50": "resnet50"}
URL = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz"  # requested to test the network
TIMEOUT = 5  # seconds


def main():
    """Prints one row for each subject that is examined.

    Returns:
        Integer, the exit status: 0 without a problem, 1 with at least one.
    """
    problems = 0
    for status, subject, text in report():
        print(f"{SIGNS[status]} {subject:16} {text}", flush=True)
        problems += status == "problem"
    return 1 if problems else 0


def report():
    """Examines Python, disk, memory, settings, packages, device, data, weights and network, one after the other.

    Yields:
        Tuples (status, subject, text) of strings. The status is "ok", "note" (it works and could be better) or
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
    if (folder := shell.project_folder()) is None:
        return
    python = folder / ".venv" / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    if python.exists() and Path(sys.executable or "").absolute().parent != python.absolute().parent:
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
        error = _import_error(PACKAGES[name])
    if error is None:
        return "ok", name, found
    settings = _keras_settings()
    if name in NEED_KERAS and settings[0] == "problem":
        fix = f"see {settings[1]} above"
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
    if backend := keras_json.other_backend():
        text = f"it is {backend}, the lessons need tensorflow → {shell.unset_variable_command('KERAS_BACKEND')}"
        return "problem", "KERAS_BACKEND", text
    if problem := keras_json.find_problem():
        path = keras_json.settings_path()
        return problem[0], "keras.json", f"{path} {problem[1]} → {shell.delete_file_command(path)}"
    return "ok", "keras.json", "TensorFlow, channels last, float32"


def _device():
    with runtime.suppress_native_stderr():
        device, precision = runtime.configure_device()
    gpu, cores = device.startswith("GPU"), f"{os.cpu_count()} cores"
    if gpu:
        yield "ok", "device", f"{device}, {cores}"
    elif sys.platform == "linux":
        command = shell.pip_install_command("tensorflow[and-cuda]")
        yield "note", "device", f"{device}, {cores}: nothing to do, except with an NVIDIA GPU → {command}"
    else:
        advice = "; in WSL 2 it has" if sys.platform == "win32" else ""
        yield "note", "device", f"{device}, {cores}: nothing to do, TensorFlow here has no GPU support{advice}"
    slow = "float32: 16-bit arithmetic would not be faster on this hardware, nothing to do"
    fast = precision != "float32"
    yield ("ok", "mixed precision", precision) if fast else ("note", "mixed precision", slow)


def _memory():
    free = _free_memory()
    if free is None:
        return "note", "memory", f"cannot be examined without psutil → {_install_command('psutil')}"
    if free >= 3:
        return "ok", "memory", f"{free:.1f} GiB free"
    return "problem", "memory", f"{free:.1f} GiB free, CIFAR-10 needs 3 → close other programs or notebooks"


def _free_memory():
    """Memory that is available to programs in GiB, or None where it cannot be determined."""
    if _import_error("psutil") is None:
        import psutil

        return psutil.virtual_memory().available / 2**30
    if not (meminfo := Path("/proc/meminfo")).exists():  # not Linux
        return None
    lines = meminfo.read_text().splitlines()
    return next((int(line.split()[1]) / 2**20 for line in lines if line.startswith("MemAvailable:")), None)


def _disk():
    folder = shell.project_folder() or Path.cwd()
    free = shutil.disk_usage(folder).free / 2**30
    if free >= 1:
        return "ok", "disk", f"{free:.0f} GiB free"
    return "problem", "disk", f"{free:.1f} GiB free, the data needs 1 → make room on the disk of {folder}"


def _data():
    """Rows about data sets and ImageNet weights. They import dlkit's own modules, which need the packages above."""
    from dlkit import data, transfer
    from dlkit.data import loading, locations
    from dlkit.data.registry import REGISTRY

    fetchable = loading.fetchable()
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
            command = f" → {runtime.dlkit_command('data', 'fetch', name)}" if name in fetchable else ""
            yield "note", name, f"not found{used}{command}"
    for label, name in WEIGHTS.items():
        backbone = transfer.BACKBONES[name]
        if location := locations.find_weights(backbone.file):
            yield "ok", label, f"ImageNet weights found, {location[0]}: {location[1].name}"
            continue
        options = "".join(f", {key}={value!r}" for key, value in backbone.options.items())
        command = shell.python_command(
            "-c", f"import keras; keras.applications.{backbone.application}(include_top=False{options})"
        )
        yield "note", label, f"ImageNet weights not found, a stand-in will be trained ({backbone.file}) → {command}"


def _network():
    if network.is_offline():
        return "note", "network", f"not tried, DLKIT_OFFLINE is set → {shell.unset_variable_command('DLKIT_OFFLINE')}"
    host, proxy = urlsplit(URL).hostname, network.proxy_for(URL)
    route = f"{host} through the proxy {proxy}" if proxy else host
    try:
        network.open_url(URL, timeout=TIMEOUT, method="HEAD").close()
    except (OSError, http.client.HTTPException, ValueError) as error:  # urllib's errors are OSErrors
        command = shell.set_variable_command("DLKIT_OFFLINE", 1)
        text = f"{route} does not answer ({network.describe_error(error)}); the lessons work without it"
        fix = network.suggest_fix(error, URL)
        return "note", "network", f"{text}, faster after `{command}` → {fix}" if fix else f"{text} → {command}"
    return "ok", "network", f"{route} answers"
