"""Two processes and two devices end where one would, also when a worker is killed on the way."""

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

from dlkit import data, models, recipes, runtime, training
from tools.notebooks import ROOT

SCRIPT = """
import sys
from dlkit import runtime
strategy = runtime.strategy()
index, _ = runtime.worker()
import keras, numpy as np
from dlkit import data, models, training
keras.utils.set_random_seed(100 * index)  # other starting weights on every worker: worker 0's count
images, labels = (values[:305] for values in data.load("digits").train)
with strategy.scope():
    model = models.build_mlp((8, 8), 10)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.003), loss, metrics=["accuracy"])
history = training.fit(
    model,
    lambda first_epoch, part: data.pipeline(
        images, labels, batch_size=61, training=True, first_epoch=first_epoch, part=part
    ),
    steps_per_epoch=5,
    epochs=3,
    checkpoint=f"{sys.argv[1]}/checkpoint.npz",
    validation_data=data.pipeline(images[:77], labels[:77], batch_size=50),
    callbacks=[keras.callbacks.ReduceLROnPlateau(monitor="loss", mode="max", patience=1, factor=0.5)],
    strategy=strategy,
)
np.savez(f"{sys.argv[1]}/worker{index}.npz", *model.get_weights())
"""

VIRTUAL = """
import json, sys
import tensorflow as tf
two = [tf.config.LogicalDeviceConfiguration()] * 2
tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], two)
from dlkit import recipes, runtime
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
runtime.strategy = lambda: strategy
recipes.train(sys.argv[1], **json.loads(sys.argv[2]))
"""


def start(index, ports, *arguments):
    """A worker's process."""
    workers = [f"127.0.0.1:{port}" for port in ports]
    config = {"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}}
    return subprocess.Popen(
        [sys.executable, *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "TF_CONFIG": json.dumps(config)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def both(*arguments, status=0):
    """Runs the same on two workers, which end with that status; returns their outputs."""
    ports = free_ports(2)
    workers = [start(index, ports, *arguments) for index in range(2)]
    try:
        said = [worker.communicate(timeout=180)[0] for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
    assert [worker.returncode for worker in workers] == [status, status], said
    return said


def weights(path):
    with np.load(path) as file:
        return [file[name] for name in file.files]


def test_two_processes_end_with_equal_weights_and_those_of_one(tmp_path):
    both("-c", SCRIPT, tmp_path)
    first, second = (weights(tmp_path / f"worker{index}.npz") for index in range(2))
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)

    keras.utils.set_random_seed(0)
    images, labels = (values[:305] for values in data.load("digits").train)
    model = models.build_mlp((8, 8), 10)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.003), loss, metrics=["accuracy"])
    history = training.fit(
        model,
        lambda first_epoch: data.pipeline(images, labels, batch_size=61, training=True, first_epoch=first_epoch),
        steps_per_epoch=5,
        epochs=3,
        checkpoint=tmp_path / "alone.npz",
        validation_data=data.pipeline(images[:77], labels[:77], batch_size=50),
        callbacks=[keras.callbacks.ReduceLROnPlateau(monitor="loss", mode="max", patience=1, factor=0.5)],
        verbose=0,
    )
    for a, b in zip(first, model.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
    with np.load(tmp_path / "checkpoint.npz") as file:
        theirs = json.loads(str(file["about"]))["history"]
    for ours, their in zip(history, theirs, strict=True):
        for name in ("loss", "accuracy", "val_loss", "val_accuracy"):
            assert ours[name] == pytest.approx(their[name], abs=1e-5), name


def test_a_loss_that_is_no_number_ends_the_training_on_every_worker(tmp_path):
    for told in both("-c", SCRIPT.replace("Adam(0.003)", "Adam(1e30)"), tmp_path, status=1):
        assert re.search(r"DivergedError: The loss became \S+ in epoch 1, batch \d\. Nothing was saved", told), told
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_training_goes_on_after_one_worker_was_killed(tmp_path):
    epochs = 20  # some seconds
    command = ("-m", "dlkit", "train", "digits-mlp", "--epochs", epochs, "--out", tmp_path / "two")
    ports = free_ports(2)
    workers = [start(index, ports, *command) for index in range(2)]
    try:
        limit = time.monotonic() + 120
        while not (tmp_path / "two" / "checkpoint.npz").exists() and time.monotonic() < limit:
            time.sleep(0.05)
        workers[1].kill()
        said, _ = workers[0].communicate(timeout=120)
    finally:
        for worker in workers:
            worker.kill()
    assert workers[0].returncode == 1, said
    assert "start all workers again" in said
    assert "Traceback" not in said
    assert not (tmp_path / "two" / "metrics.json").exists()

    first, second = both(*command)
    assert f"Epoch 1/{epochs}" not in first, "it went on, and did not begin anew"
    assert "with worker 0" in second
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
    """Runs a recipe in a process whose processor counts as two devices."""
    script = [sys.executable, "-c", VIRTUAL, name, json.dumps(options, default=str)]
    done = subprocess.run(script, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads((options["out"] / "metrics.json").read_text())


def test_two_devices_of_one_machine_do_what_one_does(tmp_path):
    together = train_on_two_devices("digits-mlp", out=tmp_path / "two", epochs=2)
    alone = recipes.train("digits-mlp", out=tmp_path / "one", epochs=2, verbose=0)
    for ours, theirs in zip(together["history"], alone["history"], strict=True):
        assert ours["loss"] == pytest.approx(theirs["loss"], abs=1e-5)
        assert ours["val_accuracy"] == pytest.approx(theirs["val_accuracy"], abs=1e-6)


@pytest.mark.slow
def test_two_devices_fine_tune_a_network(class_folders, tmp_path):
    options = {"weights": "none", "image_size": 32, "epochs": 1, "data_dir": class_folders}
    metrics = train_on_two_devices("mobilenet", out=tmp_path / "two", **options)
    assert metrics["history"][0]["phase"] == "head"


def test_the_workers_parts_make_up_the_batches_of_one():
    images, labels = np.arange(23)[:, None], np.arange(23)
    options = {"batch_size": 5, "training": True, "first_epoch": 2, "seed": 1}
    whole = data.pipeline(images, labels, **options).take(5)
    parts = [data.pipeline(images, labels, part=(k, 3), **options).take(5) for k in range(3)]
    for (_, batch), *shares in zip(whole, *parts, strict=True):
        assert sorted(batch.numpy()) == sorted(np.concatenate([labels.numpy() for _, labels in shares]))


def test_without_tf_config_there_is_one_worker_and_no_strategy(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    assert runtime.worker() == (0, 1)
    assert runtime.strategy() is None


@pytest.mark.parametrize(
    "config",
    [
        "not json",
        "{}",
        '{"cluster": {"worker": ["a:1", "b:2"]}}',
        '{"cluster": {"worker": ["a:1", "b:2"]}, "task": {"type": "worker", "index": 2}}',
        '{"cluster": {"worker": ["a:1", "b:2"]}, "task": {"type": "chief", "index": 0}}',
    ],
)
def test_a_tf_config_that_cannot_be_is_told_with_an_example(monkeypatch, config):
    monkeypatch.setenv("TF_CONFIG", config)
    with pytest.raises(ValueError, match=r"host:port.*another index on every machine"):
        runtime.worker()
