"""`python -m dlkit`, as people use it: from a terminal, with slips, kills and second tries."""

import json
import os
import signal
import subprocess
import sys
import time

import keras
import numpy as np
import pytest
from PIL import Image

from dlkit import recipes
from dlkit.__main__ import main


def command(*arguments, **environment):
    return [sys.executable, "-m", "dlkit", *map(str, arguments)], {**os.environ, "DLKIT_OFFLINE": "1", **environment}


def run(*arguments, **environment):
    line, env = command(*arguments, **environment)
    return subprocess.run(line, env=env, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """One whole training of the smallest recipe, from a terminal."""
    out = tmp_path_factory.mktemp("run") / "first"
    done = run("train", "digits-mlp", "--out", out)
    assert done.returncode == 0, done.stderr
    return out, done


def test_a_training_writes_all_it_promises(finished):
    out, done = finished
    names = {"settings.json", "checkpoint.npz", "metrics.json", "confusion.png", "predictions.png", "model.keras"}
    assert {path.name for path in out.iterdir()} == names
    metrics = json.loads((out / "metrics.json").read_text())
    low, high = metrics["accuracy_interval_95"]
    assert 0.93 < low < metrics["accuracy"] < high <= 1
    assert metrics["seconds"] > 0
    assert metrics["seed"] == 0
    assert metrics["device"]
    assert set(metrics["versions"]) == {"Python", "TensorFlow", "Keras"}
    assert f"✓ test accuracy {metrics['accuracy']:.4f}" in done.stdout
    assert done.stderr == "", "no chatter"


def test_the_saved_model_has_the_accuracy_that_is_reported(finished):
    from dlkit import data, evaluate

    out, _ = finished
    images, labels = data.load("digits").test
    probs = evaluate.predict_probs(keras.models.load_model(out / "model.keras"), images)
    assert evaluate.accuracy(labels, probs) == json.loads((out / "metrics.json").read_text())["accuracy"]


def test_the_pictures_are_pictures(finished):
    from PIL import Image

    for name in ("confusion.png", "predictions.png"):
        with Image.open(finished[0] / name) as picture:
            assert np.asarray(picture.convert("L")).std() > 5


def test_two_trainings_give_the_same_bits(finished, tmp_path):
    metrics = recipes.train("digits-mlp", out=tmp_path / "again", verbose=0)
    before = json.loads((finished[0] / "metrics.json").read_text())
    for epoch, epoch_before in zip(metrics["history"], before["history"], strict=True):
        assert epoch["loss"] == epoch_before["loss"]
        assert epoch["val_accuracy"] == epoch_before["val_accuracy"]
    weights = [
        keras.models.load_model(folder / "model.keras").get_weights() for folder in (finished[0], tmp_path / "again")
    ]
    for a, b in zip(*weights, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_finished_run_is_not_trained_again(finished, capsys):
    metrics = recipes.train("digits-mlp", out=finished[0])
    assert "is finished already" in capsys.readouterr().out
    assert metrics == json.loads((finished[0] / "metrics.json").read_text())


def test_a_run_folder_of_other_settings_is_refused(finished, capsys):
    assert main(["train", "digits-mlp", "--out", str(finished[0]), "--seed", "1"]) == 1
    told = capsys.readouterr().err
    assert "belongs to another training: seed was 0, now 1" in told
    assert "Choose another --out" in told


def test_a_killed_training_goes_on_to_the_same_result(finished, tmp_path):
    out = tmp_path / "killed"
    line, env = command("train", "digits-mlp", "--out", out)
    process = subprocess.Popen(line, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not (out / "checkpoint.npz").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert (out / "checkpoint.npz").exists()
    assert not (out / "metrics.json").exists(), "killed in the middle"
    done = run("train", "digits-mlp", "--out", out)
    assert done.returncode == 0, done.stderr
    assert (
        json.loads((out / "metrics.json").read_text())["accuracy"]
        == json.loads((finished[0] / "metrics.json").read_text())["accuracy"]
    )
    weights = [keras.models.load_model(folder / "model.keras").get_weights() for folder in (finished[0], out)]
    for a, b in zip(*weights, strict=True):
        np.testing.assert_array_equal(a, b)


def test_your_own_class_folders(class_folders, tmp_path):
    metrics = recipes.train("digits-mlp", data_dir=class_folders, out=tmp_path / "own", epochs=100, verbose=0)
    assert metrics["accuracy"] == 1
    assert metrics["data"]["source"] == "class folders"


def test_untidy_folders_from_the_command_line(class_folders, tmp_path, capsys):
    (class_folders / "train" / "dark" / "cut.png").write_bytes(b"no image")
    Image.new("RGB", (30, 20)).save(class_folders / "train" / "dark" / "wide.png")
    command = ["train", "digits-mlp", "--data", str(class_folders), "--out", str(tmp_path / "own"), "--epochs", "2"]
    assert main(command) == 1
    assert "cut.png" in (told := capsys.readouterr().err)
    assert "--skip-broken" in told
    assert main([*command, "--skip-broken"]) == 1
    assert "--image-size N" in capsys.readouterr().err
    assert not (tmp_path / "own").exists()
    assert main([*command, "--skip-broken", "--image-size", "16"]) == 0
    assert "unreadable files that were skipped: 1" in capsys.readouterr().out
    assert keras.models.load_model(tmp_path / "own" / "model.keras").input_shape == (None, 16, 16, 3)


def test_every_recipe_runs_and_saves_a_model_that_loads(class_folders, tmp_path):
    from dlkit import data

    rng = np.random.default_rng(0)
    big = {part: rng.integers(0, 256, (20, 32, 32, 3)).astype("uint8") for part in ("train", "test")}
    dataset = data.Dataset(
        "tiny", *((big[p], np.arange(20) % 2) for p in ("train", "test")), ["a", "b"], "real", "here"
    )
    for name in recipes.RECIPES:
        out = tmp_path / name
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(data, "load", lambda name: dataset)
            recipes.train(name, out=out, epochs=1, verbose=0)
        assert keras.models.load_model(out / "model.keras").output_shape == (None, 2)


def test_missing_data_is_told_at_once_with_what_was_expected(tmp_path):
    start = time.monotonic()
    done = run("train", "cifar10-cnn", "--data", "/nonexistent", "--out", tmp_path / "run")
    seconds = time.monotonic() - start
    assert done.returncode == 1
    assert done.stderr.startswith("✗ /nonexistent does not exist. Expected a folder with train/<class>/<image>")
    assert "python -m dlkit data fetch cifar10" in done.stderr
    assert not (tmp_path / "run").exists()
    assert seconds < 2, "before TensorFlow is loaded"


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (["train", "digits-mlp", "--out", "x", "--skip-broken"], 1, "name it with --data"),
        (["train", "digits-mlp", "--out", "x", "--data", ".", "--image-size", "0"], 1, "--image-size of 1 or more"),
        (["train", "digits-mlp", "--out", "x", "--epochs", "0"], 1, "Expected --epochs of 1 or more. Received: 0"),
        (["train", "resnet5000", "--out", "x"], 2, "digits-mlp"),
        (["train", "digits-mlp"], 2, "--out"),
        (["data", "fetch", "nothing"], 2, "cifar10"),
        ([], 2, "command"),
    ],
)
def test_slips_are_told_in_a_line(arguments, status, told, capsys):
    try:
        found = main(arguments)
    except SystemExit as exit:
        found = exit.code
    assert found == status
    assert told in capsys.readouterr().err


def test_data_list_and_verify(empty_room, capsys):
    assert main(["data", "list"]) == 0
    listed = capsys.readouterr().out
    assert "✓ digits     scikit-learn" in listed
    assert "– cifar10    not here → python -m dlkit data fetch cifar10" in listed
    assert main(["data", "verify", "digits"]) == 0
    assert "1,347 training and 450 test images" in capsys.readouterr().out
    assert main(["data", "verify", "cifar10"]) == 1
    assert "The real cifar10 was not found" in capsys.readouterr().err


def test_doctor_gives_a_tick_or_the_next_step_for_everything(empty_room, capsys):
    assert main(["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    subjects = [line[2:18].strip() for line in lines]
    for subject in (
        "Python",
        "tensorflow",
        "keras",
        "device",
        "mixed precision",
        "memory",
        "disk",
        "cifar10",
        "network",
    ):
        assert subject in subjects
    for line in lines:
        assert line.startswith("✓") or "→" in line or "nothing to do" in line, line


def test_doctor_reports_what_is_missing(monkeypatch, capsys):
    from dlkit import doctor

    monkeypatch.setattr(doctor.sys, "version_info", (3, 9, 1))
    monkeypatch.setattr(doctor, "version", lambda name: (_ for _ in ()).throw(doctor.PackageNotFoundError))
    assert main(["doctor"]) == 1
    told = capsys.readouterr().out
    assert "✗ Python           3.9.1, TensorFlow needs 3.10 to 3.13 → make lab PYTHON=python3.12" in told
    assert "✗ keras            not installed → python -m pip install" in told
