"""`dlkit doctor`: examines this machine and, for every problem it finds, prints the command that fixes it.

It imports the standard library only, and the packages one by one as it examines them, so that it can say which of them
is missing or broken. Each row is printed as soon as it is known.
"""

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
NEEDED = ("numpy", "pillow", "tqdm", "scipy", "scikit-learn", "psutil", "tensorflow", "keras")  # by the rows below them
FOR_LESSONS = ("keras-hub", "keras-tuner", "tokenizers", "tensorboard", "jupyterlab", "ipywidgets")
PACKAGES = (*NEEDED, "matplotlib", *FOR_LESSONS)
MODULES = {"pillow": "PIL", "scikit-learn": "sklearn"}  # that are imported under another name
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
    settings = _keras_settings()
    yield settings
    broken = [settings[1]] if settings[0] == "problem" else []  # what may be the cause of what follows
    for name in PACKAGES:
        row = _package(name, broken)
        yield row
        broken += [name] if row[0] == "problem" else []
    if set(NEEDED).isdisjoint(broken):
        yield _memory()
        yield _device()
        yield from _data()
    else:
        fix = "follow the rows above, then run the doctor again"
        yield "note", "device, data", f"these and the memory are not examined until the packages work → {fix}"
    yield _network()


def _python():
    text = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:3] >= OLDEST and sys.version_info[:2] <= NEWEST:
        yield "ok", "Python", f"{text}, {sys.executable}"
    else:
        oldest, newest = (".".join(map(str, version)) for version in (OLDEST, NEWEST))
        fix = "install one from python.org and follow README.md again"
        yield "problem", "Python", f"{text}, dlkit needs {oldest} to {newest} → {fix}"
    folder = shell.project_folder()
    environment = folder and folder / ".venv"
    if environment and environment.is_dir() and environment.resolve() != Path(sys.prefix).resolve():
        python = environment / ("Scripts" if sys.platform == "win32" else "bin") / "python"
        command = shell.join_command(str(python), "-m", "dlkit", "doctor")
        yield "note", "environment", f"this Python is not the one in the project's .venv → {command}"


def _package(name, broken):
    """A row about a package; `broken` lists what is known to be missing or broken."""
    in_project = shell.project_folder() is not None
    install = shell.pip_install_command() if in_project else shell.pip_install_command(name)
    try:
        found = version(name)
    except PackageNotFoundError:
        if name in FOR_LESSONS and not in_project:
            return "note", name, f"not installed, and only the lessons need it → {install}"
        return "problem", name, f"not installed → {install}"
    with runtime.suppress_native_stderr():
        error = _import_error(MODULES.get(name, name.replace("-", "_")))
    if error is None:
        return "ok", name, found
    cause = " ".join(str(error).split())[-200:] or type(error).__name__  # NumPy's long text names it at the end
    if broken:
        fix = f"fix {broken[0]} first"
    elif isinstance(error, ModuleNotFoundError):
        fix = install
    else:
        fix = shell.pip_install_command("--force-reinstall", "--no-deps", name)
    return "problem", name, f"{found} is installed, but its import fails ({cause}) → {fix}"


def _import_error(module):
    """The exception that importing a module raises, or None."""
    try:
        importlib.import_module(module)
    except Exception as error:  # a broken package can raise anything
        return error
    return None


def _keras_settings():
    """KERAS_BACKEND and keras.json, which change Keras in every program of this user."""
    if (backend := os.environ.get("KERAS_BACKEND") or "tensorflow") != "tensorflow":
        text = f"it is {backend}, the lessons need tensorflow → {shell.unset_variable_command('KERAS_BACKEND')}"
        return "problem", "KERAS_BACKEND", text
    if problem := keras_json.find_problem():
        path = str(keras_json.keras_home() / "keras.json")
        delete = shell.join_command("rm" if shell.kind() == "sh" else "del", path)
        return problem[0], "keras.json", f"{path} {problem[1]} → {delete}"
    return "ok", "keras.json", "TensorFlow, channels last, float32"


def _device():
    with runtime.suppress_native_stderr():
        device, precision = runtime.configure_device()
    found = f"{device}, {os.cpu_count()} cores, {precision}"
    if device.startswith("GPU"):
        return "ok", "device", found
    command = shell.pip_install_command("tensorflow[and-cuda]")
    return "note", "device", f"{found}: nothing to do, except with an NVIDIA GPU on Linux or in WSL 2 → {command}"


def _memory():
    import psutil

    return _room("memory", psutil.virtual_memory().available, 3, "close other programs or notebooks")


def _disk():
    folder = shell.project_folder() or Path.cwd()
    return _room("disk", shutil.disk_usage(folder).free, 1, f"make room on the disk of {folder}")


def _room(subject, free, needed, fix):
    text = f"{free / 2**30:.1f} GiB free"
    if free >= needed * 2**30:
        return "ok", subject, text
    return "problem", subject, f"{text}, the lessons need {needed} → {fix}"


def _data():
    """Rows about data sets and ImageNet weights. They import dlkit's own modules, which need the packages above."""
    from dlkit import data, transfer
    from dlkit.data import locations
    from dlkit.data.registry import REGISTRY

    if (folder := os.environ.get("DLKIT_DATA")) and not Path(folder).is_dir():
        text = f"{folder} is no folder, and data and weights are not examined"
        yield "problem", "DLKIT_DATA", f"{text} → {shell.unset_variable_command('DLKIT_DATA')}"
        return
    for name in data.NAMES:
        if location := data.locate(name):
            yield "ok", name, f"found, {location}"
        else:
            instead = [other for other in REGISTRY[name].fallback if data.locate(other)]
            used = f"; {instead[0]} will be used instead" if instead else ""
            yield "note", name, f"not found{used} → {runtime.dlkit_command('data', 'fetch', name)}"
    for backbone in map(transfer.BACKBONES.get, BACKBONES):
        name = backbone.application
        if location := locations.find_weights(backbone.file):
            yield "ok", name, f"ImageNet weights found, {location[0]}: {location[1].name}"
        else:
            options = "".join(f", {key}={value!r}" for key, value in backbone.options.items())
            command = shell.python_command("-c", f"import keras; keras.applications.{name}(include_top=False{options})")
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
        text = f"{route} does not answer ({network.describe_error(error)})"
        fix = network.suggest_fix(error, URL) or "try again later"
        return "note", "network", f"{text}; the lessons work without it, faster with DLKIT_OFFLINE=1 → {fix}"
    return "ok", "network", f"{route} answers"
