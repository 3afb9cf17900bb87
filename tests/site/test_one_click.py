"""The files that open the course with one click: development container, Binder, Docker, VS Code, workflow."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib

import pytest
import yaml  # comes with JupyterLab
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from tools.notebooks import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
EXTENSIONS = json.loads((ROOT / ".vscode/extensions.json").read_text("utf-8"))["recommendations"]


def read(name):
    return (ROOT / name).read_text("utf-8")


@pytest.mark.parametrize(
    ("file", "pattern"),
    [
        (".devcontainer/devcontainer.json", r"python:(3\.\d+)-"),
        (".binder/runtime.txt", r"^python-(3\.\d+)$"),
        ("Dockerfile", r"^FROM python:(3\.\d+)-"),
        (".github/workflows/site.yml", r'python-version: "(3\.\d+)"'),
    ],
)
def test_python_is_supported(file, pattern):
    (version,) = re.findall(pattern, read(file), re.MULTILINE)
    assert SpecifierSet(PROJECT["requires-python"]).contains(f"{version}.99")


def test_devcontainer_runs_targets_of_make_and_recommends_the_same_extensions():
    config = json.loads(read(".devcontainer/devcontainer.json"))
    target = config["postCreateCommand"].removeprefix("make ")
    assert re.search(rf"^{re.escape(target)}:", read("Makefile"), re.MULTILINE)
    assert config["customizations"]["vscode"]["extensions"] == EXTENSIONS
    assert all(re.fullmatch(r"[\w-]+\.[\w-]+", name) for name in EXTENSIONS)


def test_dockerfile_copies_what_exists_and_docker_may_see_it():
    instructions = re.sub(r"\\\n", " ", read("Dockerfile"))
    copied = {name for line in re.findall(r"^COPY (.+)$", instructions, re.M) for name in line.split()[1:-1]}
    assert all((ROOT / name).exists() for name in copied), copied
    visible = {line.removeprefix("!") for line in read(".dockerignore").splitlines() if line.startswith("!")}
    assert copied == visible
    assert json.loads(re.search(r"^CMD (.+)$", instructions, re.M)[1])[:2] == ["dlkit", "lab"]


def test_binder_installs_the_lessons_in_the_tested_versions():
    constraint, editable = [line for line in read(".binder/requirements.txt").splitlines() if not line.startswith("#")]
    assert (ROOT / ".binder" / constraint.split()[1]).resolve() == ROOT / "constraints.txt"
    assert set(Requirement(f"dlkit{editable.split('.', 1)[1]}").extras) <= set(PROJECT["optional-dependencies"])


@pytest.mark.skipif(os.name == "nt" or not shutil.which("bash"), reason="needs bash")
def test_binder_prepares_the_copy_of_the_lessons(tmp_path):
    for name in (".binder", "notebooks", "benchmarks"):
        shutil.copytree(ROOT / name, tmp_path / name)
    bin_folder = os.path.dirname(sys.executable)
    environment = {**os.environ, "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    code = "import dlkit.lab, pathlib; dlkit.lab.project_folder = pathlib.Path.cwd"  # not the project of these tests
    script = read(".binder/postBuild").replace("from dlkit import lab;", f"{code}; from dlkit import lab;")
    done = subprocess.run(["bash", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "my-notebooks" / "lessons" / "00_start_here.ipynb").is_file()
    assert os.access(ROOT / ".binder" / "postBuild", os.X_OK)


def test_workflow_builds_tests_and_publishes_the_site():
    workflow = yaml.safe_load(read(".github/workflows/site.yml"))
    steps = [step.get("run", "") for step in workflow["jobs"]["build"]["steps"]]
    assert "make site" in steps
    assert any("tests/site" in step for step in steps)
    assert workflow["permissions"] == {"contents": "read"}
    assert workflow["jobs"]["publish"]["permissions"] == {"contents": "write"}
