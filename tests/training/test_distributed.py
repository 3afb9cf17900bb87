"""Two processes and two devices end with the weights that one would have, also when a worker is killed on the way."""

import json
import os
import re
import socket
import subprocess
import sys
import time

import keras
import numpy as np
import pytest

from dlkit import recipes
from tests.arrays import assert_same_arrays
from tests.training import train_worker
from tools.notebooks import ROOT


def start_worker(index, ports, *arguments):
    """Starts the process of one worker on this machine."""
    workers = [f"127.0.0.1:{port}" for port in ports]
    config = {"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}}
    return subprocess.Popen(
        [sys.executable, "-m", *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "TF_CONFIG": json.dumps(config)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for opened in sockets:
        opened.bind(("127.0.0.1", 0))
    ports = [opened.getsockname()[1] for opened in sockets]
    for opened in sockets:
        opened.close()
    return ports


def run_two_workers(*arguments, status=0):
    """Runs the same command on two workers, which must end with that exit status; returns their outputs."""
    ports = free_ports(2)
    workers = [start_worker(index, ports, *arguments) for index in range(2)]
    try:
        outputs = [worker.communicate(timeout=180)[0] for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
    assert [worker.returncode for worker in workers] == [status, status], outputs
    return outputs


def load_weights(path):
    with np.load(path) as file:
        return [file[name] for name in file.files]


def test_two_workers_end_with_equal_weights_and_those_of_one(tmp_path):
    run_two_workers("tests.training.train_worker", tmp_path, 0.003)
    first, second = (load_weights(tmp_path / f"worker{index}.npz") for index in range(2))
    assert_same_arrays(first, second)

    keras.utils.set_random_seed(0)
    model = train_worker.build_model(0.003)
    history = train_worker.fit(model, tmp_path / "alone.npz", verbose=0)
    for a, b in zip(first, model.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
    with np.load(tmp_path / "checkpoint.npz") as file:
        distributed_history = json.loads(str(file["about"]))["history"]
    for alone, distributed in zip(history, distributed_history, strict=True):
        for name in ("loss", "accuracy", "val_loss", "val_accuracy"):
            assert alone[name] == pytest.approx(distributed[name], abs=1e-5), name


@pytest.mark.slow
def test_nan_loss_stops_every_worker(tmp_path):
    for output in run_two_workers("tests.training.train_worker", tmp_path, 1e30, status=1):
        assert re.search(r"DivergedError: The loss became \S+ in epoch 1, batch \d\. Nothing was saved", output), output
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_training_resumes_after_one_worker_was_killed(tmp_path):
    epochs = 20  # some seconds
    command = ("dlkit", "train", "digits-mlp", "--epochs", epochs, "--out", tmp_path / "two")
    ports = free_ports(2)
    workers = [start_worker(index, ports, *command) for index in range(2)]
    try:
        limit = time.monotonic() + 120
        while not (tmp_path / "two" / "checkpoint.npz").exists() and time.monotonic() < limit:
            time.sleep(0.05)
        workers[1].kill()
        output, _ = workers[0].communicate(timeout=120)
    finally:
        for worker in workers:
            worker.kill()
    assert workers[0].returncode == 1, output
    assert "Start all workers again" in output
    assert "Traceback" not in output
    assert not (tmp_path / "two" / "metrics.json").exists()

    first, second = run_two_workers(*command)
    assert f"Epoch 1/{epochs}" not in first, "it resumed and did not start from scratch"
    assert "run folder of worker 0" in second
    alone = recipes.train("digits-mlp", out=tmp_path / "one", epochs=epochs, verbose=0)
    together = json.loads((tmp_path / "two" / "metrics.json").read_text())
    assert together["workers"] == 2
    assert together["history"][-1]["loss"] == pytest.approx(alone["history"][-1]["loss"], abs=1e-4)
    for a, b in zip(
        keras.models.load_model(tmp_path / "two" / "model.keras").get_weights(),
        keras.models.load_model(tmp_path / "one" / "model.keras").get_weights(),
        strict=True,
    ):
        np.testing.assert_allclose(a, b, atol=1e-4)


def train_on_two_devices(name, **options):
    """Runs a recipe in a process whose processor counts as two devices; returns the metrics of the run."""
    script = [sys.executable, "-m", "tests.training.train_on_two_devices", name, json.dumps(options, default=str)]
    done = subprocess.run(script, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads((options["out"] / "metrics.json").read_text())


def test_two_devices_of_one_machine_train_like_one(tmp_path):
    together = train_on_two_devices("digits-mlp", out=tmp_path / "two", epochs=2)
    alone = recipes.train("digits-mlp", out=tmp_path / "one", epochs=2, verbose=0)
    for two, one in zip(together["history"], alone["history"], strict=True):
        assert two["loss"] == pytest.approx(one["loss"], abs=1e-5)
        assert two["val_accuracy"] == pytest.approx(one["val_accuracy"], abs=1e-6)


@pytest.mark.slow
def test_two_devices_fine_tune_a_network(class_folders, tmp_path):
    options = {"weights": "none", "image_size": 32, "epochs": 1, "data_dir": class_folders}
    metrics = train_on_two_devices("mobilenet", out=tmp_path / "two", **options)
    assert metrics["history"][0]["phase"] == "head"
