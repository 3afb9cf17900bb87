"""What all tests share: no TensorFlow chatter, a folder of one's own, tiny data in every form it comes in."""

import os
import pickle
import threading

import numpy as np
import pytest
from PIL import Image

from tests.faults import CONTENT, SHA256, Handler, Server

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["DLKIT_STRICT"] = "1"  # claims are enforced in tests


# Files that take longest. They come first, so that at the end of a parallel run no process waits for one long file.
LONGEST = ("test_recipes", "test_workers", "test_jupyterlab", "test_training", "test_mutate")


def pytest_collection_modifyitems(config, items):
    """Sorts the longest files first. Plain `pytest` leaves slow tests out; `pytest -m slow` runs them."""
    items.sort(key=lambda item: item.path.stem not in LONGEST)
    if config.option.markexpr:
        return
    for item in items:
        if "slow" in item.keywords:
            item.add_marker(pytest.mark.skip(reason="slow: run it with pytest -m slow"))


@pytest.fixture
def empty_room(tmp_path, monkeypatch):
    """No data anywhere and no network wanted: what a class without preparation has. Gives a folder for DLKIT_DATA."""
    folder = tmp_path / "data"
    folder.mkdir()
    monkeypatch.setenv("DLKIT_DATA", str(folder))
    monkeypatch.setenv("DLKIT_OFFLINE", "1")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setattr("dlkit.data.sources.project_data", lambda: tmp_path / "project-data")
    return folder


@pytest.fixture
def class_folders(tmp_path):
    """train/ and test/ with two easy classes, dark and light: 24 and 8 images of 12 x 12 pixels."""
    rng = np.random.default_rng(0)
    for part, count in (("train", 12), ("test", 4)):
        for name, level in (("dark", 40), ("light", 200)):
            folder = tmp_path / "photos" / part / name
            folder.mkdir(parents=True)
            for k in range(count):
                pixels = rng.integers(level - 30, level + 30, (12, 12, 3)).astype("uint8")
                Image.fromarray(pixels).save(folder / f"{k:02d}.png")
    return tmp_path / "photos"


def write_cifar_batches(folder, per_batch=4):
    """CIFAR-10's six pickles and batches.meta, with random pixels. Returns the images of the test batch."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    for name in [*(f"data_batch_{k}" for k in range(1, 6)), "test_batch"]:
        rows = rng.integers(0, 256, (per_batch, 3072)).astype("uint8")
        record = {b"data": rows, b"labels": [k % 10 for k in range(per_batch)], b"batch_label": name.encode()}
        (folder / name).write_bytes(pickle.dumps(record, protocol=2))
    names = [b"airplane", b"automobile", b"bird", b"cat", b"deer", b"dog", b"frog", b"horse", b"ship", b"truck"]
    (folder / "batches.meta").write_bytes(pickle.dumps({b"label_names": names}, protocol=2))
    return rows.reshape(per_batch, 3, 32, 32).transpose(0, 2, 3, 1)


@pytest.fixture
def server():
    """The misbehaving server; `asked` lists the paths that were asked for."""
    with Server(("127.0.0.1", 0), Handler) as server:
        server.asked, server.over = [], threading.Event()
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.over.set()
        server.shutdown()


@pytest.fixture
def download(server, monkeypatch):
    """Makes a `Download` of a file that the server has under the given paths."""
    from dlkit.data import download as downloads

    monkeypatch.setattr(downloads, "PAUSES", (0, 0))

    def make(*paths):
        urls = tuple(f"http://127.0.0.1:{server.server_port}{path}" for path in paths)
        return downloads.Download("file.bin", SHA256, len(CONTENT), urls)

    return make
