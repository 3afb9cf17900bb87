"""The command line: what it prints, its exit status, and how quickly it reports a mistake."""

import re
import shutil
import subprocess
import sys

import keras
import pytest
import tensorflow as tf
from PIL import Image

from dlkit import data, recipes
from dlkit.cli import main
from dlkit.recipes import RECIPES
from tools.notebooks import ROOT

# Runs the command line in a fresh process, then prints the status and which packages that load slowly were imported.
IMPORTED_PACKAGES = """
import sys
from dlkit.cli import main
try:
    status = main(sys.argv[1:])
except SystemExit as exit:
    status = exit.code
print("status", status)
print("imported", *sorted({"tensorflow", "keras", "sklearn", "matplotlib"} & set(sys.modules)))
"""


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["train", "--help"], 0, "--image-size N"),
        (["predict", "--help"], 0, "image files"),
        (["train", "cifar10-cnn", "--data", "/nonexistent", "--out", "run"], 1, "/nonexistent does not exist"),
        (["train", "mobilenet", "--weights", "nowhere.h5", "--out", "run"], 1, "nowhere.h5 does not exist"),
        (["predict", "no-such-run", "README.md"], 1, "no-such-run does not exist"),
        (["predict", "dlkit", "no-such-image.png"], 1, "no-such-image.png does not exist"),
        (["train", "digits-mlp"], 1, "--out RUN"),
        (["train", "--help"], 0, "--no-flip"),
        (["data", "--help"], 0, "verify"),
    ],
)
def test_help_and_mistyped_paths_import_no_tensorflow(arguments, status, message):
    line = [sys.executable, "-c", IMPORTED_PACKAGES, *arguments]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.endswith(f"status {status}\nimported\n")
    assert message in done.stdout + done.stderr


def test_missing_data_is_reported_with_what_was_expected(tmp_path, capsys):
    assert main(["train", "cifar10-cnn", "--data", "/nonexistent", "--out", str(tmp_path / "run")]) == 1
    message = capsys.readouterr().err
    assert message.startswith("✗ /nonexistent does not exist. Expected a folder of images")
    assert not (tmp_path / "run").exists()


def test_train_without_a_recipe_lists_them(capsys):
    assert main(["train"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines == [f"{name:18} {recipe.description}" for name, recipe in RECIPES.items()]
    assert len({line.index(RECIPES[line.split()[0]].description) for line in lines}) == 1, "in a column"


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["train", "digits-mlp", "--out", "x", "--skip-broken"], 1, "name it with --data"),
        (["train", "digits-mlp", "--out", "x", "--unfreeze", "conv5"], 1, "Received: unfreeze"),
        (["predict", "no-such-run", "a.png"], 1, "no-such-run does not exist. Expected the run folder"),
        (
            ["predict", str(ROOT / "tests"), str(ROOT / "README.md")],
            1,
            "lacks metrics.json and model.keras: it is not a",
        ),
        (
            ["train", "digits-mlp", "--out", "x", "--data", ".", "--image-size", "0"],
            1,
            "image_size to be an integer of 1 or more",
        ),
        (
            ["train", "digits-mlp", "--out", "x", "--epochs", "0"],
            1,
            "epochs to be an integer of 1 or more. Received: 0",
        ),
        (["train", "digits-mlp", "--out", "x", "--seed", "-1"], 1, "seed to be an integer from 0"),
        (["train", "resnet5000", "--out", "x"], 1, 'Did you mean "resnet50"?'),
        (["train", "digits-mlp", "--out", "README.md/run"], 1, "README.md is a file"),
        (["train", "digits-mlp", "--out", "x", "--data", "README.md"], 1, "Received: README.md, which is a file"),
        (["train", "mobilenet", "--out", "x", "--unfreeze", "conv5"], 1, "a stage of mobilenet: conv1, conv_dw_1,"),
        (["train", "cifar10-cnn", "--out", "x", "--data", ".", "--image-size", "16"], 1, "--image-size) of 18 or more"),
        (["train", "digits-mlp", "--out", "x", "--resize", "squash"], 2, "invalid choice: 'squash'"),
        (["train", "digits-mlp", "--out", "x", "--device", "gpu:99"], 1, "Expected a device of this machine: cpu"),
        (["predict", "tests", "*.jpg"], 1, "Received: *.jpg, which fits no file here"),
        (["predict", "tests", "dlkit/data"], 1, "Expected images in the folder dlkit/data. Received: none"),
        (["predict", "tests", "a.jpg", "--json", "--csv"], 2, "not allowed with argument --json"),
        (["predict", "tests", "pictures", "--top", "0"], 1, "top to be an integer of 1 or more. Received: 0"),
        (["evaluate", "tests", "nowhere"], 1, "nowhere does not exist. Expected a folder of images"),
        (["evaluate", "nowhere", "tests"], 1, "nowhere does not exist. Expected the run folder"),
        (
            ["predict", "tests", "nowhere.jpg"],
            1,
            "nowhere.jpg does not exist. Expected an image file, a folder or a pattern",
        ),
        (["train", "digits-mlp"], 1, "--out"),
        (["data", "fetch", "nothing"], 1, "cifar10"),
        (["data", "fetch"], 1, "cifar10"),
        (["data", "list", "nothing"], 1, "cifar10"),
        (["data", "check"], 1, "Expected a folder to check: dlkit data check FOLDER"),
        (["data", "check", "/nonexistent"], 1, "/nonexistent does not exist. Expected a folder of images"),
        (["data", "check", ".", "--sheet", "/nonexistent/a.png"], 1, "an existing folder for the contact sheet"),
        (["data", "list", "--sheet", "a.png"], 1, "Expected --sheet only with check"),
        (["data", "remove"], 2, "verify"),
        ([], 2, "command"),
    ],
)
def test_mistakes_are_reported_in_a_line(arguments, status, message, capsys):
    try:
        found = main(arguments)
    except SystemExit as exit:
        found = exit.code
    assert found == status
    assert message in capsys.readouterr().err


def test_unreadable_files_and_different_sizes_in_a_folder(class_folders, tmp_path, capsys):
    (class_folders / "train" / "dark" / "cut.png").write_bytes(b"not an image")
    Image.new("RGB", (30, 20)).save(class_folders / "train" / "dark" / "wide.png")
    command = ["train", "digits-mlp", "--data", str(class_folders), "--out", str(tmp_path / "own"), "--epochs", "2"]
    assert main(command) == 1
    assert "cut.png" in (message := capsys.readouterr().err)
    assert "--skip-broken" in message
    assert not (tmp_path / "own").exists()
    assert main([*command, "--skip-broken"]) == 0
    output = capsys.readouterr().out
    assert "unreadable files that were skipped: 1" in output
    assert "are resized to 64 x 64. Another size: --image-size N" in output
    assert keras.models.load_model(tmp_path / "own" / "model.keras").input_shape == (None, 64, 64, 3)


def test_data_list_and_verify(no_data_env, monkeypatch, capsys):
    assert main(["data", "list"]) == 0
    listed = capsys.readouterr().out
    assert re.search(r"✓ digits +scikit-learn", listed)
    assert re.search(r"– cifar10 +not here → dlkit data fetch cifar10", listed)
    assert main(["data", "verify", "digits"]) == 0
    assert "1,347 training and 450 test images" in capsys.readouterr().out
    assert main(["data", "verify", "cifar10"]) == 1
    assert "The real cifar10 was not found" in capsys.readouterr().err
    assert main(["data", "list", "digits"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1
    monkeypatch.setattr(data, "NAMES", ("digits", "cifar10"))
    assert main(["data", "verify"]) == 0
    assert re.fullmatch("✓ digits: [^✓]*", capsys.readouterr().out), "only what is there"


def test_data_check(class_folders, tmp_path, capsys):
    sheet = tmp_path / "sheet.png"
    assert main(["data", "check", str(class_folders), "--sheet", str(sheet)]) == 0
    assert "✓ A training would work: " in capsys.readouterr().out
    assert sheet.exists()
    shutil.rmtree(class_folders / "train" / "dark")
    assert main(["data", "check", str(class_folders), "--sheet", str(sheet)]) == 1
    assert "✗ A training would not work: " in (output := capsys.readouterr().out)
    assert 'In one only: "dark" (test)' in output


def train_with(monkeypatch, tmp_path, function):
    """Runs the command `train` with another function in place of `recipes.train`; returns the exit status."""
    monkeypatch.setattr(recipes, "train", function)
    return main(["train", "digits-mlp", "--out", str(tmp_path / "run")])


def raises(error):
    def train(*args, **kwargs):
        raise error

    return train


GRAPH_ERROR = """Graph execution error:

Detected at node Conv2D defined at (most recent call last):
<stack traces unavailable>
No algorithm worked!
\t [[{{node Conv2D}}]] [Op:__inference_one_step_on_data_12]"""


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor"), "smaller --image-size"),
        (MemoryError(), "✗ Memory ran out."),
        (OSError(28, "No space left on device", "run/model.keras"), "✗ run/model.keras: No space left on device. Free"),
        (PermissionError(13, "Permission denied", "run"), "✗ run: Permission denied. Choose another place"),
        (OSError("could not be saved"), "✗ could not be saved\n"),
        (tf.errors.UnknownError(None, None, GRAPH_ERROR), "✗ TensorFlow stopped: No algorithm worked!\n"),
        (tf.errors.UnknownError(None, None, ""), "✗ TensorFlow stopped: UnknownError\n"),
    ],
)
def test_errors_of_tensorflow_are_reported_in_a_line(error, message, monkeypatch, tmp_path, capsys):
    assert train_with(monkeypatch, tmp_path, raises(error)) == 1
    found = capsys.readouterr().err
    assert message in found
    assert found.count("\n") == 1


def test_errors_of_our_own_keep_their_traceback(monkeypatch, tmp_path):
    with pytest.raises(KeyError):
        train_with(monkeypatch, tmp_path, raises(KeyError("a bug")))


def test_result_is_reported_with_its_warnings(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(recipes, "describe", lambda metrics: ("Test accuracy 0.5.", ["Bad.", "Copies."]))
    assert train_with(monkeypatch, tmp_path, lambda *args, **kwargs: {"accuracy": 0.5}) == 0
    run = tmp_path / "run"
    assert capsys.readouterr().out == f"Test accuracy 0.5. Results, figures and model: {run}\nBad.\nCopies.\n"


@pytest.mark.parametrize(
    ("arguments", "name", "value", "default"),
    [
        (["--no-flip"], "flip", False, None),
        (["--class-weights"], "class_weights", True, None),
        (["--resize", "pad"], "resize", "pad", None),
        (["--batch-size", "16"], "batch_size", 16, None),
        (["--learning-rate", "1e-4"], "learning_rate", 1e-4, None),
        (["--val-split", "0.2"], "val_split", 0.2, None),
        (["--overwrite"], "overwrite", True, False),
        (["--device", "gpu:1"], "device", "gpu:1", None),
    ],
)
def test_options_reach_the_recipe(arguments, name, value, default, monkeypatch, tmp_path):
    given = {}
    monkeypatch.setattr(recipes, "train", lambda *args, **options: given.update(options))
    command = ["train", "cifar10-fast", "--out", str(tmp_path / "run")]
    main([*command, *arguments])
    assert given[name] == value
    main(command)
    assert given[name] == default


def test_ctrl_c_says_that_the_command_resumes(monkeypatch, tmp_path, capsys):
    assert train_with(monkeypatch, tmp_path, raises(KeyboardInterrupt())) == 130
    message = capsys.readouterr().err
    assert message.endswith("Stopped. What was finished is saved; the same command resumes from there.\n")


def test_ctrl_c_in_another_command_promises_nothing(monkeypatch, capsys):
    monkeypatch.setattr(recipes, "predict", raises(KeyboardInterrupt()))
    assert main(["predict", str(ROOT / "dlkit"), str(ROOT / "README.md")]) == 130
    assert capsys.readouterr().err == "\nStopped.\n"


def test_a_reader_that_has_seen_enough_is_no_error():
    """As in `dlkit data list | head -1`."""
    command = [sys.executable, "-m", "dlkit", "data", "list"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stdout.close()
        assert process.stderr.read() == ""
