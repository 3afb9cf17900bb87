"""`dlkit`, as people use it: from a terminal, with slips, kills and second tries."""

import json
import os
import random
import re
import shlex
import signal
import subprocess
import sys
import time

import keras
import numpy as np
import pytest
from PIL import Image

from dlkit import data, evaluate, models, recipes, runtime
from dlkit.cli import main
from dlkit.recipes import run_folder
from dlkit.recipes.from_scratch import FROM_SCRATCH
from tests.faults import mounted
from tools.notebooks import ROOT


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


def weights_of(folder):
    return keras.models.load_model(folder / "model.keras").get_weights()


def test_two_trainings_give_the_same_bits(finished, tmp_path):
    metrics = recipes.train("digits-mlp", out=tmp_path / "again", verbose=0)
    before = json.loads((finished[0] / "metrics.json").read_text())
    for epoch, epoch_before in zip(metrics["history"], before["history"], strict=True):
        assert epoch["loss"] == epoch_before["loss"]
        assert epoch["val_accuracy"] == epoch_before["val_accuracy"]
    for a, b in zip(weights_of(finished[0]), weights_of(tmp_path / "again"), strict=True):
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
    process.kill()
    process.wait()
    assert (out / "checkpoint.npz").exists()
    assert not (out / "metrics.json").exists(), "killed in the middle"
    done = run("train", "digits-mlp", "--out", out)
    assert done.returncode == 0, done.stderr
    assert (
        json.loads((out / "metrics.json").read_text())["accuracy"]
        == json.loads((finished[0] / "metrics.json").read_text())["accuracy"]
    )
    for a, b in zip(weights_of(finished[0]), weights_of(out), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.slow
def test_kills_at_ten_random_moments_do_not_change_a_bit(finished, tmp_path):
    line, env = command("train", "digits-mlp", "--out", tmp_path / "timed")
    start = time.monotonic()
    subprocess.run(line, env=env, capture_output=True, check=True)
    seconds, moments, found = time.monotonic() - start, random.Random(0), set()
    for trial in range(10):
        out = tmp_path / f"killed {trial}"
        line, env = command("train", "digits-mlp", "--out", out)
        process = subprocess.Popen(line, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(moments.uniform(0.3, 1) * seconds)
        process.kill()
        process.wait()
        found.add(len([name for name in ("settings.json", "checkpoint.npz", "model.keras") if (out / name).exists()]))
        done = run("train", "digits-mlp", "--out", out)
        assert done.returncode == 0, done.stderr
        for a, b in zip(weights_of(finished[0]), weights_of(out), strict=True):
            np.testing.assert_array_equal(a, b)
    assert len(found) > 1, "they were killed at different stages"


@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C cannot be sent to one process on Windows")
def test_ctrl_c_keeps_the_last_whole_epoch_and_says_how_to_go_on(finished, tmp_path):
    line, env = command("train", "digits-mlp", "--out", tmp_path / "run")
    usual = signal.signal(signal.SIGINT, signal.default_int_handler)  # what runs in the background may ignore Ctrl-C
    process = subprocess.Popen(line, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    signal.signal(signal.SIGINT, usual)
    deadline = time.monotonic() + 60
    while not (tmp_path / "run" / "checkpoint.npz").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130
    assert told.endswith("Stopped. What was finished is saved; the same command resumes from there.\n")
    assert "Traceback" not in told
    assert {path.name for path in (tmp_path / "run").iterdir()} == {"settings.json", "checkpoint.npz"}
    recipes.train("digits-mlp", out=tmp_path / "run", verbose=0)
    for a, b in zip(weights_of(finished[0]), weights_of(tmp_path / "run"), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_full_disk_keeps_the_last_whole_epoch_and_with_room_the_same_command_goes_on(finished, tmp_path):
    line, env = command("train", "digits-mlp", "--out", tmp_path / "disk" / "run")
    train, prefix = shlex.join(line), mounted(tmp_path / "disk", "size=140k")
    then = f'mount -o remount,size=20m "{tmp_path / "disk"}"'
    script = f'{train}; echo "status $?"; ls -A "{tmp_path / "disk" / "run"}"; {then}; {train} && cp -r "$0" "$1"'
    script = ["sh", "-c", script, tmp_path / "disk" / "run", tmp_path / "saved"]
    done = subprocess.run([*prefix, *script], env=env, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    full, rest = done.stdout.split("status 1\n")
    assert "Epoch 1/30" in full
    assert rest.split("\n")[:2] == ["checkpoint.npz", "settings.json"], "and nothing half written"
    said = re.search(
        r"✗ Epoch (\d+) could not be saved: .*No space left.* Epoch (\d+) is kept in (.*)\. Make", done.stderr
    )
    assert int(said[2]) == int(said[1]) - 1
    assert said[3] == str(tmp_path / "disk" / "run" / "checkpoint.npz")
    assert "the same command then goes on from there" in done.stderr
    assert "Epoch 1/30" not in rest
    for a, b in zip(weights_of(finished[0]), weights_of(tmp_path / "saved"), strict=True):
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


# --- recipes that borrow a network


@pytest.fixture
def two_hundred_photos(tmp_path):
    """Class folders as people's own: uneven sizes, three classes of colours, 200 images."""
    rng = np.random.default_rng(0)
    colours = {"blue sky": (60, 90, 200), "grass": (60, 160, 60), "poppies": (200, 50, 40)}
    for k in range(200):
        name = list(colours)[k % 3]
        folder = tmp_path / "photos" / ("train" if k < 150 else "test") / name
        folder.mkdir(parents=True, exist_ok=True)
        height, width = rng.integers(40, 90, 2)
        pixels = rng.normal(colours[name], 25, (height, width, 3)).clip(0, 255).astype("uint8")
        Image.fromarray(pixels).save(folder / f"{k}.jpg")
    return tmp_path / "photos"


def test_resnet50_goes_through_the_whole_recipe(two_hundred_photos, tmp_path, capsys):
    """Random weights: everything but the accuracy."""
    command = ["train", "resnet50", "--data", str(two_hundred_photos), "--out", str(tmp_path / "run")]
    assert main([*command, "--weights", "none", "--image-size", "32", "--epochs", "1"]) == 0
    said = capsys.readouterr().out
    assert "Head on frozen features: validation accuracy" in said
    assert "parameters are trained (from conv5_block1_1_conv on)" in said
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert (metrics["image_size"], metrics["unfreeze"], metrics["weights"]) == (32, "conv5", "none")
    assert metrics["history"][0]["phase"] == "head"
    assert len(metrics["history"]) == 2
    assert metrics["class_names"] == ["blue sky", "grass", "poppies"]
    assert {"confusion.png", "predictions.png", "model.keras"} <= {f.name for f in (tmp_path / "run").iterdir()}
    photo = next((two_hundred_photos / "test" / "grass").iterdir())
    assert main(["predict", str(tmp_path / "run"), str(photo), str(photo)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert all(name in lines[0] for name in ("blue sky", "grass", "poppies", "%"))


def test_missing_weights_stop_a_recipe_before_anything_is_computed(two_hundred_photos, tmp_path, capsys, empty_room):
    command = ["train", "mobilenet", "--data", str(two_hundred_photos), "--out", str(tmp_path / "run")]
    assert main(command) == 1
    assert "weights of mobilenet were not found" in capsys.readouterr().err
    assert main([*command, "--weights", "nowhere.h5"]) == 1
    assert "nowhere.h5 is no file of weights" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir() if path.name in ("run", "features")] == []


@pytest.fixture
def small_backbone(monkeypatch):
    """A backbone that is built in no time, with batch normalisation to carry state."""

    def build(name, input_shape, *, image_size, weights, precision):
        inputs = keras.Input(input_shape)
        x = keras.layers.Conv2D(4, 3, strides=2, activation="relu", name="conv1")(inputs)
        x = keras.layers.BatchNormalization(name="conv1_bn")(x)
        return keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(x), name=name)

    monkeypatch.setattr("dlkit.transfer.build_backbone", build)


def borrow(photos, out, **options):
    return recipes.train(
        "mobilenet", data_dir=photos, out=out, weights="none", image_size=32, epochs=2, verbose=0, **options
    )


def test_a_fine_tuning_that_was_stopped_ends_with_the_same_bits(
    two_hundred_photos, small_backbone, tmp_path, monkeypatch
):
    borrow(two_hundred_photos, tmp_path / "whole")
    from dlkit import training

    original = training.Checkpoint.on_epoch_end

    def stop_after_the_first(self, epoch, logs=None):
        original(self, epoch, logs)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(training.Checkpoint, "on_epoch_end", stop_after_the_first)
        with pytest.raises(KeyboardInterrupt):
            borrow(two_hundred_photos, tmp_path / "run")
    borrow(two_hundred_photos, tmp_path / "run")
    for a, b in zip(weights_of(tmp_path / "whole"), weights_of(tmp_path / "run"), strict=True):
        np.testing.assert_array_equal(a, b)


def test_when_memory_runs_out_the_batch_is_halved_with_a_notice(
    two_hundred_photos, small_backbone, tmp_path, monkeypatch, capsys
):
    import tensorflow as tf

    from dlkit import training

    sizes, original = [], training.fit

    def small_memory(model, make_train_ds, **options):
        sizes.append(next(iter(make_train_ds(0)))[0].shape[0])
        if sizes[-1] > 16:
            raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")
        return original(model, make_train_ds, **options)

    monkeypatch.setattr(training, "fit", small_memory)
    borrow(two_hundred_photos, tmp_path / "run")
    assert sizes == [128, 64, 32, 16]
    assert "goes on with batches of 16" in capsys.readouterr().out


@pytest.fixture
def tiny(monkeypatch):
    """Forty images of noise that every recipe takes for its own data."""
    rng = np.random.default_rng(0)
    parts = [(rng.integers(0, 256, (20, 32, 32, 3)).astype("uint8"), np.arange(20) % 2) for _ in range(2)]
    dataset = data.Dataset("tiny", *parts, ["a", "b"], True, "here")
    monkeypatch.setattr(data, "load", lambda name: dataset)
    return dataset


@pytest.mark.parametrize("name", FROM_SCRATCH)
def test_every_recipe_from_scratch_runs_and_saves_a_model_that_loads(name, tiny, tmp_path):
    metrics = recipes.train(name, out=tmp_path, epochs=1, verbose=0)
    model = keras.models.load_model(tmp_path / "model.keras")
    images, labels = tiny.test
    probs = evaluate.predict_probs(model, images, flip_tta=FROM_SCRATCH[name].flip_tta)
    assert metrics["accuracy"] == evaluate.accuracy(labels, probs)


def test_the_fast_recipes_first_layer_is_set_from_its_training_images_and_stays_so(tiny, tmp_path):
    recipes.train("cifar10-fast", out=tmp_path, epochs=1, verbose=0)
    trained, fresh = keras.models.load_model(tmp_path / "model.keras"), models.build_fast_cnn((32, 32, 3), 2)
    models.whiten(fresh, run_folder.split_validation(tiny.train, 0)[0][0])
    for ours, wanted in zip(*(model.get_layer("stem").get_weights() for model in (trained, fresh)), strict=True):
        np.testing.assert_array_equal(ours, wanted)


@pytest.mark.parametrize("steps", [200, 400])
def test_weight_decay_is_the_same_over_a_whole_training_however_long(steps):
    model = FROM_SCRATCH["cifar10-long"].build((32, 32, 3), 2, steps, "float32")
    kernel = model.get_layer("stage_1_conv_1").kernel
    before, slopes = np.array(kernel), [keras.ops.zeros_like(kernel)]
    optimizer = model.optimizer
    optimizer.build([kernel])
    for _ in range(steps):
        optimizer.apply(slopes, [kernel])
    np.testing.assert_allclose(np.array(kernel), before * np.exp(-3), rtol=0.1)


@pytest.mark.parametrize("name", ["cifar10-fast", "cifar10-long"])
def test_weight_decay_never_turns_a_weight_over_however_short_the_training(name):
    for steps in (1, 2, 5, 50):
        optimizer = FROM_SCRATCH[name].build((32, 32, 3), 2, steps, "float32").optimizer
        rates = [float(optimizer._learning_rate(step)) for step in range(steps)]
        assert max(rates) * optimizer.weight_decay < 0.2


def test_missing_data_is_told_at_once_with_what_was_expected(tmp_path):
    start = time.monotonic()
    done = run("train", "cifar10-cnn", "--data", "/nonexistent", "--out", tmp_path / "run")
    seconds = time.monotonic() - start
    assert done.returncode == 1
    assert done.stderr.startswith("✗ /nonexistent does not exist. Expected a folder with train/<class>/<image>")
    assert f"`{runtime.command('data', 'fetch', 'cifar10')}` downloads it" in done.stderr
    assert not (tmp_path / "run").exists()
    assert seconds < 2, "before TensorFlow is loaded"


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (["train", "digits-mlp", "--out", "x", "--skip-broken"], 1, "name it with --data"),
        (["train", "digits-mlp", "--out", "x", "--unfreeze", "conv5"], 1, "digits-mlp does not"),
        (["predict", "no-such-run", "a.png"], 1, "lacks metrics.json and model.keras: it is no finished run"),
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
    assert "– cifar10    not here → dlkit data fetch cifar10" in listed
    assert main(["data", "verify", "digits"]) == 0
    assert "1,347 training and 450 test images" in capsys.readouterr().out
    assert main(["data", "verify", "cifar10"]) == 1
    assert "The real cifar10 was not found" in capsys.readouterr().err
