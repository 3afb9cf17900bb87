"""The doctor on machines with missing, broken or wrong parts: it names each problem and the command that fixes it."""

import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections import namedtuple
from importlib.metadata import PackageNotFoundError

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from dlkit import doctor, runtime, transfer
from dlkit.cli import main
from dlkit.data.registry import REGISTRY
from dlkit.runtime import shell
from tools.notebooks import ROOT

ON_UNIX = pytest.mark.skipif(sys.platform == "win32", reason="about the commands and folders of Linux and macOS")


def report_by_subject():
    """The rows of the report: {subject: (status, text)}."""
    return {subject: (status, text) for status, subject, text in doctor.report()}


def run(command, **environment):
    return subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, check=False, timeout=300
    )


def parse_rows(output):
    """The rows that a process has printed: {subject: (sign, text)}."""
    return {line[2:18].strip(): (line[0], line[19:]) for line in output.splitlines()}


def assert_every_problem_has_a_fix(output):
    for line in output.splitlines():
        assert line[0] in "✓–✗", line
        assert line.startswith("✓") or re.search(r"→ \S|nothing to do", line), line


# --- the complete report


def test_report_has_a_fix_for_every_problem(no_data_env, capsys):
    assert main(["doctor"]) == 0
    output = capsys.readouterr().out
    assert_every_problem_has_a_fix(output)
    subjects = {"Python", *doctor.PACKAGES, "keras.json", "device", "memory", "disk"}
    assert subjects | {"cifar10", "MobileNet", "ResNet50", "network"} <= set(parse_rows(output))


def test_exit_status_is_1_after_one_problem(no_data_env, monkeypatch, capsys):
    monkeypatch.setattr(doctor.sys, "version_info", (3, 9, 1))
    assert main(["doctor"]) == 1
    assert "✗ Python           3.9.1, dlkit needs 3.11.5 to 3.13 → " in capsys.readouterr().out


@pytest.mark.parametrize("version", ["3.10.13", "3.11.4", "3.11.5", "3.12.1", "3.13.9", "3.14.0"])
def test_python_versions_match_requires_python(version, monkeypatch):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    monkeypatch.setattr(doctor.sys, "version_info", tuple(map(int, version.split("."))))
    status, *_ = next(doctor._python())
    assert (status == "ok") == SpecifierSet(project["requires-python"]).contains(version)


@ON_UNIX
def test_missing_packages_have_the_install_command():
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from dlkit import cli; sys.exit(cli.main(['doctor']))"
    done = run([sys.executable, "-I", "-S", "-c", code], DLKIT_OFFLINE="1")
    assert (done.returncode, done.stderr) == (1, "")
    assert_every_problem_has_a_fix(done.stdout)
    found = parse_rows(done.stdout)
    everything = ["-r", str(ROOT / "requirements.txt"), "-e", str(ROOT)]
    wanted = [sys.executable, "-m", "pip", "install", *everything, "-c", str(ROOT / "constraints.txt")]
    for name in doctor.PACKAGES:
        sign, text = found[name]
        assert sign == "✗"
        assert text.startswith("not installed → ")
        assert shlex.split(text.partition("→ ")[2]) == wanted
    assert "not examined until the packages work" in found["device, data"][1]
    assert "cifar10" not in found
    assert found["network"][1].startswith("not tried, DLKIT_OFFLINE is set")
    assert found["disk"][0] == "✓"


def test_broken_numpy_is_reported_as_the_cause(tmp_path):
    (tmp_path / "numpy").mkdir()
    broken = "raise ImportError('\\nIMPORTANT: PLEASE READ THIS\\n\\nOriginal error was: DLL load failed\\n')"
    (tmp_path / "numpy" / "__init__.py").write_text(broken)
    done = run([sys.executable, "-m", "dlkit", "doctor"], PYTHONPATH=str(tmp_path), DLKIT_OFFLINE="1")
    assert done.returncode == 1
    assert done.stderr == ""
    assert "Traceback" not in done.stdout
    assert_every_problem_has_a_fix(done.stdout)
    found = parse_rows(done.stdout)
    assert re.match(
        r"[\d.]+ is installed, but its import fails \(.* Original error was: DLL load failed\) → ", found["numpy"][1]
    )
    assert "--force-reinstall --no-deps numpy -c " in found["numpy"][1]
    assert found["scikit-learn"][0] == "✗"
    assert found["scikit-learn"][1].endswith("→ fix numpy first")
    assert found["pillow"][0] == found["jupyterlab"][0] == "✓", "they work without NumPy"
    assert "device, data" in found


def test_missing_dependency_is_installed_without_reinstalling(monkeypatch, no_data_env):
    error = ModuleNotFoundError("No module named 'absl'")
    monkeypatch.setattr(doctor, "_import_error", {"tensorflow": error}.get)
    status, text = report_by_subject()["tensorflow"]
    assert status == "problem"
    assert "its import fails (No module named 'absl') → " in text
    assert text.endswith(shell.pip_install_command())


def test_packages_match_pyproject():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    dlkit_packages = {Requirement(line).name for line in project["dependencies"]}
    lesson_packages = {Requirement(line).name for line in project["optional-dependencies"]["lab"]}
    assert set(doctor.PACKAGES) == dlkit_packages | set(doctor.FOR_LESSONS)
    assert set(doctor.FOR_LESSONS) == lesson_packages
    assert set(doctor.NEEDED) <= dlkit_packages


@ON_UNIX
def test_python_outside_the_project_venv_is_a_note(tmp_path, monkeypatch, posix_shell):
    monkeypatch.setattr(shell, "project_folder", lambda: tmp_path)
    assert "environment" not in {subject for _, subject, _ in doctor._python()}, "there is no .venv to compare with"
    own = tmp_path / ".venv" / "bin" / "python"
    own.parent.mkdir(parents=True)
    found = {subject: text for _, subject, text in doctor._python()}
    assert found["environment"].endswith(f"→ {shlex.join([str(own), '-m', 'dlkit', 'doctor'])}")
    monkeypatch.setattr(doctor.sys, "prefix", str(tmp_path / ".venv"))
    assert "environment" not in {subject for _, subject, _ in doctor._python()}


# --- device, memory, disk


def test_gpu_support_is_suggested_on_a_processor(monkeypatch, posix_shell):
    monkeypatch.setattr(runtime, "configure_device", lambda: ("CPU", "float32"))
    status, _, text = doctor._device()
    assert status == "note"
    assert re.search(r"WSL 2 → .* -m pip install 'tensorflow\[and-cuda\]' -c \S*constraints\.txt'?$", text)
    monkeypatch.setattr(runtime, "configure_device", lambda: ("GPU: A100", "mixed_bfloat16"))
    status, _, text = doctor._device()
    assert (status, text) == ("ok", f"GPU: A100, {os.cpu_count()} cores, mixed_bfloat16")


def test_low_memory_and_full_disk_are_problems(monkeypatch):
    memory = namedtuple("memory", "available")
    monkeypatch.setattr("psutil.virtual_memory", lambda: memory(3 * 2**30))
    assert doctor._memory() == ("ok", "memory", "3.0 GiB free")
    monkeypatch.setattr("psutil.virtual_memory", lambda: memory(2.5 * 2**30))
    text = "2.5 GiB free, the lessons need 3 → close other programs or notebooks"
    assert doctor._memory() == ("problem", "memory", text)
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda folder: usage(2**28))
    status, _, text = doctor._disk()
    assert status == "problem"
    assert text.startswith("0.2 GiB free, the lessons need 1 → make room on the disk of ")


# --- data and weights


def test_missing_data_has_the_fetch_command(no_data_env):
    found = report_by_subject()
    assert found["cifar10"] == (
        "note",
        f"not found; shapes10 will be used instead → {shell.dlkit_command('data', 'fetch', 'cifar10')}",
    )
    assert found["digits"] == ("ok", "found, scikit-learn")


def test_wrong_dlkit_data_is_one_problem(no_data_env, monkeypatch, posix_shell):
    monkeypatch.setenv("DLKIT_DATA", str(no_data_env / "nowhere"))
    found = report_by_subject()
    assert found["DLKIT_DATA"][0] == "problem"
    assert found["DLKIT_DATA"][1].startswith(f"{no_data_env / 'nowhere'} is no folder")
    assert found["DLKIT_DATA"][1].endswith("→ unset DLKIT_DATA")
    assert "cifar10" not in found


def test_weights_are_found_or_have_a_download_command(no_data_env, tmp_path, posix_shell):
    files = [transfer.BACKBONES[name].file for name in ("mobilenet", "resnet50")]
    found = report_by_subject()
    for label, file, code in zip(
        ("MobileNet", "ResNet50"),
        files,
        ("MobileNet(include_top=False, alpha=0.25)", "ResNet50(include_top=False)"),
        strict=True,
    ):
        status, text = found[label]
        assert status == "note"
        assert file in text
        line = shlex.split(text.partition("→ ")[2])
        assert line == [sys.executable, "-c", f"import keras; keras.applications.{code}"]
    for folder, file in ((no_data_env / "weights", files[0]), (tmp_path / "keras" / "models", files[1])):
        folder.mkdir(parents=True)
        (folder / file).touch()
    found = report_by_subject()
    assert found["MobileNet"] == ("ok", f"ImageNet weights found, DLKIT_DATA: {files[0]}")
    assert found["ResNet50"] == ("ok", f"ImageNet weights found, Keras's cache: {files[1]}")
    for name, file in zip(("mobilenet", "resnet50"), files, strict=True):
        assert transfer.find_weights(name).name == file, "a lesson finds the same file"


# --- Keras's settings


def test_broken_keras_json_is_reported_as_the_cause(no_data_env, tmp_path, monkeypatch):
    (tmp_path / "keras").mkdir()
    (tmp_path / "keras" / "keras.json").write_text('{"floatx": "bfloat16"}')
    error = ValueError("Invalid `floatx` configuration.")
    monkeypatch.setattr(doctor, "_import_error", {"keras": error}.get)
    found = report_by_subject()
    assert found["keras.json"][0] == found["keras"][0] == "problem"
    assert found["keras"][1].endswith("→ fix keras.json first")
    assert "device, data" in found


# --- dlkit without its project


@pytest.fixture
def without_project(tmp_path, monkeypatch, posix_shell):
    """Simulates dlkit installed by `pip install .` and used in the folder of another project."""
    monkeypatch.setattr(shell, "project_folder", lambda: None)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "constraints.txt").write_text("numpy==1.0\n")
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "python").touch()


def test_install_command_without_the_project(without_project):
    assert shell.pip_install_command("numpy") == shlex.join([sys.executable, "-m", "pip", "install", "numpy"])


def test_environment_is_not_examined_without_the_project(without_project):
    assert [subject for _, subject, _ in doctor._python()] == ["Python"]


def test_lesson_packages_are_optional_without_the_project(without_project, monkeypatch):
    def not_installed(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(doctor, "version", not_installed)
    line = shlex.join([sys.executable, "-m", "pip", "install", "jupyterlab"])
    about = f"not installed, and only the lessons need it → {line}"
    assert doctor._package("jupyterlab", []) == ("note", "jupyterlab", about)
    assert doctor._package("keras", [])[0] == "problem"
    monkeypatch.setattr(shell, "project_folder", lambda: ROOT)
    assert doctor._package("jupyterlab", [])[0] == "problem"


# --- network


def test_network_url_is_a_download_of_the_lessons():
    assert REGISTRY["mnist"].download.urls[0] == doctor.URL
