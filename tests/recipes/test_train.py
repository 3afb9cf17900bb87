"""`dlkit train`, as people use it: from a terminal, with kills, full disks and second tries."""

import json
import os
import random
import re
import shlex
import shutil
import signal
import subprocess
import time

import keras
import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import accuracy_score

from dlkit import data, evaluate, recipes, runtime
from dlkit.cli import main
from tests.arrays import assert_same_arrays
from tests.faults import mounted
from tests.recipes.helpers import command, run_command, saved_weights
from tools.notebooks import ROOT

EPOCHS = 15  # enough for the accuracy that is expected below


def train_arguments(out):
    return "train", "digits-mlp", "--out", out, "--epochs", EPOCHS


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A complete training of the smallest recipe from a terminal: (run folder, finished process)."""
    out = tmp_path_factory.mktemp("run") / "first"
    done = run_command(*train_arguments(out))
    assert done.returncode == 0, done.stderr
    return out, done


def start_and_wait_for_checkpoint(folder, **options):
    """Starts a training and returns its process as soon as the first epoch is saved."""
    line, env = command(*train_arguments(folder))
    process = subprocess.Popen(line, env=env, stdout=subprocess.DEVNULL, **options)
    deadline = time.monotonic() + 60
    while not (folder / "checkpoint.npz").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    return process


def test_train_writes_all_results(finished):
    out, done = finished
    names = {"settings.json", "checkpoint.npz", "metrics.json", "confusion.png", "predictions.png", "model.keras"}
    assert {path.name for path in out.iterdir()} == {*names, "test.npz", "report.html", ".lock"}
    metrics = json.loads((out / "metrics.json").read_text())
    low, high = metrics["accuracy_interval_95"]
    assert 0.93 < low < metrics["accuracy"] < high <= 1
    assert metrics["seconds"] > 0
    assert metrics["seed"] == 0
    assert metrics["device"]
    assert metrics["border_brightness"][1] < 128, "digits are light on dark"
    labels = data.load("digits").test[1]
    assert metrics["test_counts"] == np.bincount(labels).tolist()
    correct = np.multiply(metrics["recall"], metrics["test_counts"]).sum()
    assert correct / len(labels) == pytest.approx(metrics["accuracy"])
    name, share = metrics["largest_class"]
    assert share == max(np.bincount(data.load("digits").test[1])) / 450
    assert f'always answering "{name}" would reach {share:.3f}' in done.stdout
    assert set(metrics["versions"]) == {"Python", "TensorFlow", "Keras"}
    assert f"✓ test accuracy {metrics['accuracy']:.4f}" in done.stdout
    assert done.stderr == "", "TensorFlow's messages are suppressed"


def test_saved_model_has_the_reported_accuracy(finished):
    out, _ = finished
    images, labels = data.load("digits").test
    probs = evaluate.predict_probs(keras.models.load_model(out / "model.keras"), images)
    assert accuracy_score(labels, probs.argmax(axis=1)) == json.loads((out / "metrics.json").read_text())["accuracy"]


def test_figures_are_not_blank(finished):
    for name in ("confusion.png", "predictions.png"):
        with Image.open(finished[0] / name) as image:
            assert np.asarray(image.convert("L")).std() > 5


def test_two_trainings_end_with_the_same_weights(finished, tmp_path, no_figures):
    metrics = recipes.train("digits-mlp", out=tmp_path / "second", epochs=EPOCHS, verbose=0)
    first = json.loads((finished[0] / "metrics.json").read_text())
    for epoch, epoch_of_first in zip(metrics["history"], first["history"], strict=True):
        assert epoch["loss"] == epoch_of_first["loss"]
        assert epoch["val_accuracy"] == epoch_of_first["val_accuracy"]
    assert_same_arrays(saved_weights(tmp_path / "second"), saved_weights(finished[0]))


def test_finished_run_is_not_trained_again(finished, capsys):
    metrics = recipes.train("digits-mlp", out=finished[0], epochs=EPOCHS)
    assert "is finished already" in capsys.readouterr().out
    assert metrics == json.loads((finished[0] / "metrics.json").read_text())


def test_finished_run_ends_on_every_worker(tmp_path, monkeypatch, capsys):
    compared = {}

    def agree(settings, *, finished):
        compared.update(settings, finished=finished)
        return True  # what worker 0 has found

    monkeypatch.setattr(runtime, "worker", lambda: (1, 2))
    monkeypatch.setattr(recipes, "agree", agree)
    assert recipes.train("digits-mlp", out=tmp_path / "run", epochs=3, seed=4) is None
    assert "is finished already" in capsys.readouterr().out
    assert not (tmp_path / "run").exists(), "worker 0 writes it"
    assert (compared["recipe"], compared["epochs"], compared["seed"], compared["finished"]) == (
        "digits-mlp",
        3,
        4,
        False,
    )
    assert len(compared["data"]) == 64, "the checksum alone, since another machine may have the data from elsewhere"


def test_run_folder_of_other_settings_is_refused(finished, capsys):
    assert main([*map(str, train_arguments(finished[0])), "--seed", "1"]) == 1
    message = capsys.readouterr().err
    assert "belongs to another training: it was trained with seed 0 instead of 1" in message
    assert "Choose another --out" in message


def test_metrics_of_a_finished_run_that_are_damaged_are_named(finished, tmp_path):
    shutil.copytree(finished[0], tmp_path / "run")
    (tmp_path / "run" / "metrics.json").write_text("")
    with pytest.raises(data.DataError, match=r"metrics\.json is damaged"):
        recipes.train("digits-mlp", out=tmp_path / "run", epochs=EPOCHS)


def test_more_epochs_continue_a_finished_training(finished, tmp_path, no_figures, capsys):
    """They end like a training that had so many epochs from the start."""
    first = json.loads((finished[0] / "metrics.json").read_text())
    for epochs in (1, 3):
        metrics = recipes.train("digits-mlp", out=tmp_path / "run", epochs=epochs, verbose=0)
        assert [epoch["loss"] for epoch in metrics["history"]] == [epoch["loss"] for epoch in first["history"][:epochs]]
        assert metrics["epochs"] == epochs
    assert "continues after epoch 1." in capsys.readouterr().out
    with pytest.raises(ValueError, match="trained with epochs 3 instead of 2"):
        recipes.train("digits-mlp", out=tmp_path / "run", epochs=2)


def test_out_that_is_a_file_is_named_before_images_are_read(class_folders, tmp_path, monkeypatch):
    monkeypatch.setattr(data, "image_folder", None)
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="but .*file is a file"):
        recipes.train("digits-mlp", data_dir=class_folders, out=tmp_path / "file")


def test_validation_images_of_the_folder_are_used(class_folders, tmp_path, monkeypatch, no_figures):
    (class_folders / "test").rename(class_folders / "val")
    shutil.copytree(class_folders / "val", class_folders / "test")
    sizes = []

    def train(self, job):
        sizes.extend((len(job.train_split[1]), len(job.val_split[1])))
        raise KeyboardInterrupt

    monkeypatch.setattr(recipes.FromScratch, "train", train)
    with pytest.raises(KeyboardInterrupt):
        recipes.train("digits-mlp", data_dir=class_folders, out=tmp_path / "run")
    assert sizes == [24, 8]
    assert not (tmp_path / "run" / "settings.json").exists(), "nothing was trained, so the folder is free again"
    with pytest.raises(ValueError, match="val_split .* only without a folder of validation images"):
        recipes.train("digits-mlp", data_dir=class_folders, out=tmp_path / "run", val_split=0.2)


def test_class_weights_on_several_devices_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(runtime, "strategy", object)
    with pytest.raises(ValueError, match="class weights .* on one device only"):
        recipes.train("digits-mlp", out=tmp_path / "run", class_weights=True)


def test_seed_out_of_range_does_not_claim_the_folder(tmp_path):
    with pytest.raises(ValueError, match="Expected seed to be an integer from 0 to 4294967295. Received: -1"):
        recipes.train("digits-mlp", out=tmp_path / "run", seed=-1)
    assert not (tmp_path / "run").exists()


def test_too_few_images_do_not_claim_the_folder(class_folders, tmp_path):
    for file in sorted((class_folders / "train" / "light").iterdir())[1:]:
        file.unlink()
    message = 'Expected about 10 training images or more of each of the 2 classes.* 1 of "light", 12 of "dark"'
    with pytest.raises(data.DataError, match=message):
        recipes.train("digits-mlp", data_dir=class_folders, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows does not have this lock")
def test_second_process_in_the_same_folder_is_refused(tmp_path):
    first = start_and_wait_for_checkpoint(tmp_path / "run", stderr=subprocess.DEVNULL)
    first.send_signal(signal.SIGSTOP)  # so that it cannot end before the second one begins
    second = run_command(*train_arguments(tmp_path / "run"))
    first.kill()
    first.wait()
    assert second.returncode == 1
    assert f"✗ Another process is training in {tmp_path / 'run'}. Wait until it has ended" in second.stderr


@pytest.mark.slow
def test_killed_training_resumes_to_the_same_weights(finished, tmp_path):
    out = tmp_path / "killed"
    process = start_and_wait_for_checkpoint(out, stderr=subprocess.DEVNULL)
    process.kill()
    process.wait()
    assert (out / "checkpoint.npz").exists()
    assert not (out / "metrics.json").exists(), "killed before the end"
    done = run_command(*train_arguments(out))
    assert done.returncode == 0, done.stderr
    accuracies = [json.loads((folder / "metrics.json").read_text())["accuracy"] for folder in (out, finished[0])]
    assert accuracies[0] == accuracies[1]
    assert_same_arrays(saved_weights(out), saved_weights(finished[0]))


@pytest.mark.slow
def test_ten_kills_at_random_moments_do_not_change_the_weights(finished, tmp_path):
    line, env = command(*train_arguments(tmp_path / "timed"))
    start = time.monotonic()
    subprocess.run(line, env=env, capture_output=True, check=True)
    seconds, moments, stages = time.monotonic() - start, random.Random(0), set()
    for trial in range(10):
        out = tmp_path / f"killed {trial}"
        line, env = command(*train_arguments(out))
        process = subprocess.Popen(line, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(moments.uniform(0.3, 1) * seconds)
        process.kill()
        process.wait()
        stages.add(len([name for name in ("settings.json", "checkpoint.npz", "model.keras") if (out / name).exists()]))
        done = run_command(*train_arguments(out))
        assert done.returncode == 0, done.stderr
        assert_same_arrays(saved_weights(out), saved_weights(finished[0]))
    assert len(stages) > 1, "they were killed at different stages"


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C cannot be sent to one process on Windows")
def test_ctrl_c_leaves_last_epoch_saved_and_says_how_to_resume(finished, tmp_path):
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)  # background processes may ignore Ctrl-C
    try:
        process = start_and_wait_for_checkpoint(tmp_path / "run", stderr=subprocess.PIPE, text=True)
    finally:
        signal.signal(signal.SIGINT, previous)
    process.send_signal(signal.SIGINT)
    _, message = process.communicate(timeout=60)
    assert process.returncode == 130
    assert message.endswith("Stopped. What was finished is saved; the same command resumes from there.\n")
    assert "Traceback" not in message
    assert {path.name for path in (tmp_path / "run").iterdir()} == {"settings.json", "checkpoint.npz", ".lock"}
    recipes.train("digits-mlp", out=tmp_path / "run", epochs=EPOCHS, verbose=0)
    assert_same_arrays(saved_weights(tmp_path / "run"), saved_weights(finished[0]))


@pytest.fixture
def train_on_small_disk(tmp_path):
    """A function that trains on a disk of 140 kB, which becomes full after some epochs, and again on a larger disk.

    The disk is a file system in memory that only a process of its own can see, so everything happens in one shell
    script in that process: train, print the exit status and the files in the run folder, enlarge the disk, train with
    the same command, and copy the run folder to a place where the test can read it. The function returns the run
    folder on that disk, the copy, and the finished process.
    """

    def train():
        disk, copy = tmp_path / "disk", tmp_path / "copy"
        run = disk / "run"
        line, env = command(*train_arguments(run))
        command_line, enlarge = shlex.join(line), f'mount -o remount,size=20m "{disk}"'
        script = f'{command_line}; echo "status $?"; ls -A "{run}"; {enlarge}; {command_line} && cp -r "{run}" "{copy}"'
        prefix = mounted(disk, "size=140k")
        done = subprocess.run(
            [*prefix, "sh", "-c", script], env=env, cwd=ROOT, capture_output=True, text=True, check=False
        )
        return run, copy, done

    return train


@pytest.mark.slow
def test_full_disk_leaves_last_epoch_saved_and_training_resumes(finished, train_on_small_disk):
    run, copy, done = train_on_small_disk()
    assert done.returncode == 0, done.stderr
    full, rest = done.stdout.split("status 1\n")
    assert f"Epoch 1/{EPOCHS}" in full
    assert set(rest.split("\n")[:3]) == {".lock", "checkpoint.npz", "settings.json"}, "no incomplete files"
    message = re.search(
        r"✗ Epoch (\d+) could not be saved: .*No space left.* Epoch (\d+) is saved in (.*)\. Free some space",
        done.stderr,
    )
    assert int(message[2]) == int(message[1]) - 1
    assert message[3] == str(run / "checkpoint.npz")
    assert f"Epoch 1/{EPOCHS}" not in rest
    assert_same_arrays(saved_weights(copy), saved_weights(finished[0]))


def test_train_on_class_folders(class_folders, tmp_path, no_figures):
    options = {"epochs": 100, "resize": "pad", "class_weights": True, "verbose": 0}
    metrics = recipes.train("digits-mlp", data_dir=class_folders, out=tmp_path / "own", **options)
    assert metrics["accuracy"] == 1
    assert metrics["data"]["source"] == "class folders"
    assert (metrics["resize"], metrics["batch_size"], metrics["train_counts"]) == ("pad", 8, [12, 12])


def test_train_reports_an_unknown_recipe(tmp_path):
    with pytest.raises(
        ValueError, match='Expected a recipe: digits-mlp, .* Received: "resnet5000". Did you mean "resnet50"'
    ):
        recipes.train("resnet5000", out=tmp_path / "run")
    with pytest.raises(ValueError, match='Received: "yolo".$'):
        recipes.train("yolo", out=tmp_path / "run")
    assert not (tmp_path / "run").exists()
