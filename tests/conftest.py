"""What all tests share: the order of the test files, and fixtures such as a machine without data or a faulty server."""

import os
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dlkit.data import builtin_texts, synthetic
from dlkit.data.download import Download
from tests.faults import SHA256, FaultyHandler, FaultyServer

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["DLKIT_STRICT"] = "1"  # claims are enforced in tests

# Test files that take longest, by stem. They come first, so that at the end of a parallel run no process waits for one.
LONGEST = (
    "test_saved_files",
    "test_train",
    "test_pretrained",
    "test_distributed",
    "test_jupyterlab",
    "test_fit",
    "test_mutate",
)


def pytest_collection_modifyitems(config, items):
    """Sorts the longest files first. Plain `pytest` leaves slow tests out; `pytest -m slow` runs them."""
    items.sort(key=lambda item: item.path.stem not in LONGEST)
    if config.option.markexpr:
        return
    for item in items:
        if "slow" in item.keywords:
            item.add_marker(pytest.mark.skip(reason="slow: run it with pytest -m slow"))


@pytest.fixture
def no_data_env(tmp_path, monkeypatch):
    """A machine without data: nothing on the disk, nothing in Keras's cache, and downloads are not allowed.

    This is what a class finds that has not prepared anything. DLKIT_DATA and KERAS_HOME point into an empty temporary
    folder, DLKIT_OFFLINE is set, and downloads would go to `project-data` in that folder. The value is the folder that
    DLKIT_DATA names, where a test may put files.
    """
    folder = tmp_path / "data"
    folder.mkdir()
    monkeypatch.setenv("DLKIT_DATA", str(folder))
    monkeypatch.setenv("DLKIT_OFFLINE", "1")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setattr("dlkit.data.locations.project_data", lambda: tmp_path / "project-data")
    return folder


@pytest.fixture
def keras_cache(no_data_env, tmp_path, monkeypatch):
    """Keras's folder for data on a machine without data; Keras itself reads KERAS_HOME only when it is imported."""
    monkeypatch.setattr("keras.src.backend.config._KERAS_DIR", str(tmp_path / "keras"))
    return tmp_path / "keras" / "datasets"


@pytest.fixture
def small_stand_ins(monkeypatch):
    """Makes two stand-ins small, which take seconds and have tests of their own: other docstrings, few shapes."""
    docstrings, shapes10 = builtin_texts.docstrings, synthetic.shapes10
    monkeypatch.setattr(builtin_texts, "docstrings", lambda: docstrings(("keras_tuner", "nbformat")))
    monkeypatch.setattr(synthetic, "shapes10", lambda count, **options: shapes10(count // 100, **options))


@pytest.fixture
def posix_shell(monkeypatch):
    """Makes the printed commands use the syntax of sh, whatever shell the tests were started from."""
    monkeypatch.setattr("dlkit.runtime.shell.kind", lambda: "sh")


@pytest.fixture
def class_folders(tmp_path):
    """A folder with train/ and test/ and two easy classes, dark and light: 24 and 8 images of 12 x 12 pixels."""
    rng = np.random.default_rng(0)
    for split, count in (("train", 12), ("test", 4)):
        for name, level in (("dark", 40), ("light", 200)):
            folder = tmp_path / "photos" / split / name
            folder.mkdir(parents=True)
            for k in range(count):
                pixels = rng.integers(level - 30, level + 30, (12, 12, 3)).astype("uint8")
                Image.fromarray(pixels).save(folder / f"{k:02d}.png")
    return tmp_path / "photos"


@pytest.fixture
def server():
    """A faulty web server on this machine, in a thread of this process.

    It serves one file, and the path of a request selects what goes wrong: `/good` serves the file, `/cut` closes the
    connection early, `/stall` stops sending, `/busy` answers 503, and so on (see `FaultyHandler`). `requests` lists the
    paths that were requested.
    """
    with FaultyServer(("127.0.0.1", 0), FaultyHandler) as server:
        server.requests, server.over = [], threading.Event()
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield server
        server.over.set()
        server.shutdown()


@pytest.fixture
def download(server):
    """A function (*paths) that makes the `Download` of the file that the faulty server has under these paths."""

    def make(*paths):
        return Download("file.bin", SHA256, tuple(f"http://127.0.0.1:{server.server_port}{path}" for path in paths))

    return make


@pytest.fixture(scope="session")
def axe():
    """The path of axe-core, which finds barriers for readers who use a screen reader or see less."""
    module = pytest.importorskip("axe_playwright_python", reason="needs the extra browser")
    return Path(module.__file__).parent / "axe.min.js"
