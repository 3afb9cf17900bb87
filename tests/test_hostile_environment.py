"""Runs every notebook in a hostile environment, twice in a row: `make test-all`, about an hour.

The path of the project has spaces and accents, the home folder is read-only, and there are no display, no network and
no data.
"""

import os
import shutil
import subprocess
import sys

import pytest

from tests.faults import mounted
from tools.notebooks import LESSONS, ROOT, SOLUTIONS

EXCLUDED = shutil.ignore_patterns(".*", "runs", "*.egg-info", "__pycache__", "benchmarks")


@pytest.fixture(scope="module")
def project_copy(tmp_path_factory):
    """A copy of the project, without any data, in a folder whose path has spaces and non-ASCII letters."""
    folder = tmp_path_factory.mktemp("Übung im Saal") / "数据 und Netze"
    shutil.copytree(ROOT, folder, ignore=EXCLUDED)
    for entry in (folder / "data").iterdir():
        if entry.is_dir() or entry.name != "README.md":
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("attempt", ["first", "second"])
@pytest.mark.parametrize("path", [*LESSONS, *SOLUTIONS], ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_notebook_runs_in_a_hostile_environment(path, attempt, project_copy, tmp_path):
    removed = ("DISPLAY", "WAYLAND_DISPLAY", "DLKIT_DATA", "DLKIT_OFFLINE", "KERAS_HOME", "XDG_RUNTIME_DIR")
    environment = {name: value for name, value in os.environ.items() if name not in removed}
    environment |= {"HOME": str(tmp_path / "home"), "PYTHONPATH": str(project_copy)}
    command = [sys.executable, "-m", "pytest", "-c", "tests/nbval.ini", "--rootdir=.", str(path.relative_to(ROOT))]
    done = subprocess.run(
        [*mounted(tmp_path / "home", "ro", network=False), *command],
        cwd=project_copy,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    assert " passed" in done.stdout
