"""Every notebook in an awkward room: a folder with spaces and accents, a home that cannot be written to, no display,
no network and no data, twice in a row. An hour: `make test-all`.
"""

import os
import shutil
import subprocess
import sys

import pytest

from tests.faults import mounted
from tools.notebooks import LESSONS, ROOT, SOLUTIONS

LEFT_OUT = shutil.ignore_patterns(".*", "runs", "*.egg-info", "__pycache__", "benchmarks")


@pytest.fixture(scope="module")
def awkward(tmp_path_factory):
    """A copy of the project at a place with spaces and accents, without any data."""
    folder = tmp_path_factory.mktemp("Übung im Saal") / "数据 und Netze"
    shutil.copytree(ROOT, folder, ignore=LEFT_OUT)
    for entry in (folder / "data").iterdir():
        if entry.is_dir() or entry.name != "README.md":
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("time", ["first", "second"])
@pytest.mark.parametrize("path", [*LESSONS, *SOLUTIONS], ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_notebook_runs(path, time, awkward, tmp_path):
    left_out = ("DISPLAY", "WAYLAND_DISPLAY", "DLKIT_DATA", "DLKIT_OFFLINE", "KERAS_HOME", "XDG_RUNTIME_DIR")
    environment = {name: value for name, value in os.environ.items() if name not in left_out}
    environment |= {"HOME": str(tmp_path / "home"), "PYTHONPATH": str(awkward)}
    command = [sys.executable, "-m", "pytest", "-c", "tests/nbval.ini", "--rootdir=.", str(path.relative_to(ROOT))]
    done = subprocess.run(
        [*mounted(tmp_path / "home", "ro", network=False), *command],
        cwd=awkward,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    assert " passed" in done.stdout
