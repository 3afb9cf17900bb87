"""Two processes and two devices end with the weights that one would have, also when a worker is killed on the way."""

import json
import os
import re
import subprocess
import sys
import time

import keras
import numpy as np
import pytest
import tensorflow as tf

from dlkit import recipes, training
from tests.arrays import assert_same_arrays
from tests.training import helpers, train_worker
from tests.training.helpers import free_ports
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
    for one, two in zip(history, distributed_history, strict=True):
        for name in ("loss", "accuracy", "val_loss", "val_accuracy"):
            assert one[name] == pytest.approx(two[name], abs=1e-5), name


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


@pytest.mark.slow
def test_workers_with_other_settings_are_refused_by_name(tmp_path):
    ports = free_ports(2)
    command = ("dlkit", "train", "digits-mlp", "--epochs", 2, "--out", tmp_path / "two")
    workers = [start_worker(index, ports, *command, "--seed", index) for index in range(2)]
    outputs = [worker.communicate(timeout=180)[0] for worker in workers]
    assert [worker.returncode for worker in workers] == [1, 1], outputs
    for output in outputs:
        assert "has seed = 1, worker 0 has 0" in output
        assert "Traceback" not in output


# --- on one device of this process: what `fit_distributed` refuses, and that it trains as Keras does


def fit_on_one_device(tmp_path, *, compile_model=None, make_train_ds=helpers.make_train_ds, **options):
    """Trains the small model of the helpers under a strategy; returns (model, history)."""
    strategy = tf.distribute.MirroredStrategy(["CPU:0"])
    with strategy.scope():
        model = helpers.build_model()
        if compile_model:
            compile_model(model)
    options = {"steps_per_epoch": 8, "epochs": 2, "verbose": 0, "checkpoint": tmp_path / "run.npz", **options}
    return model, training.fit(model, make_train_ds, strategy=strategy, **options)


def test_dataset_that_ends_early_is_refused(tmp_path):
    def make_train_ds(first_epoch, shard):
        return helpers.make_train_ds(first_epoch, shard).take(12)

    message = "Expected 8 batches in epoch 2. Received: 4, then the dataset ended. Epoch 1 is saved"
    with pytest.raises(ValueError, match=message):
        fit_on_one_device(tmp_path, make_train_ds=make_train_ds)


@pytest.mark.parametrize("loss", ["mse", keras.losses.SparseCategoricalCrossentropy(True, reduction="sum")])
def test_loss_that_is_no_mean_of_crossentropies_is_refused(tmp_path, loss):
    with pytest.raises(ValueError, match="loss is a mean of sparse cross-entropies"):
        fit_on_one_device(tmp_path, compile_model=lambda model: model.compile("sgd", loss))


def test_weights_are_those_of_fit_with_labels_as_a_column_and_a_scaled_loss(tmp_path):
    def compile_model(model):
        # 16-bit floats need a loss that is multiplied by a large number, and gradients that are divided by it again.
        optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1), initial_scale=2.0**10)
        model.compile(optimizer, training.SmoothedCrossentropy(), metrics=["accuracy"], jit_compile=False)

    def with_column(first_epoch, shard):
        return helpers.make_train_ds(first_epoch, shard).map(lambda x, y: (x, y[:, None]))

    keras.utils.set_random_seed(0)
    model, history = fit_on_one_device(tmp_path, compile_model=compile_model, make_train_ds=with_column)
    alone = helpers.build_model()
    compile_model(alone)
    expected = helpers.fit(alone, tmp_path / "alone.npz", 2)
    for a, b in zip(model.get_weights(), alone.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
    for found, wanted in zip(history, expected, strict=True):
        assert found["accuracy"] == pytest.approx(wanted["accuracy"], abs=1e-6)


def train_on_two_devices(name, **options):
    """Runs a recipe in a process whose processor counts as two devices; returns the metrics of the run."""
    script = [sys.executable, "-m", "tests.training.train_on_two_devices", name, json.dumps(options, default=str)]
    done = subprocess.run(script, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads((options["out"] / "metrics.json").read_text())


@pytest.mark.slow
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
