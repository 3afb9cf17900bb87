"""`predict` with models of any origin: a file that is not a safe classifier of images is refused and runs no code."""

import errno
import io
import json
import os
import zipfile

import keras
import numpy as np
import pytest
from PIL import Image

from dlkit import data, recipes
from dlkit.cli import main
from dlkit.data import image_files

CLASSES = ["dark", "light"]


def classifier(shape=(8, 8, 3), classes=2):
    return keras.Sequential([keras.Input(shape), keras.layers.Flatten(), keras.layers.Dense(classes)])


@pytest.fixture
def run(tmp_path):
    """A finished run, and photo.png next to its folder."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "metrics.json").write_text(json.dumps({"class_names": CLASSES}))
    classifier().save(tmp_path / "run" / "model.keras")
    Image.new("RGB", (20, 30), (200, 30, 30)).save(tmp_path / "photo.png")
    return tmp_path / "run"


def error_message(run):
    with pytest.raises(data.DataError) as error:
        recipes.predict(run, [run.parent / "photo.png"])
    assert str(run) in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("missing", ["metrics.json", "model.keras"])
def test_unfinished_run_is_refused(run, missing):
    (run / missing).unlink()
    assert f"lacks {missing}: it is not a finished run" in error_message(run)


def test_lambda_layer_is_refused_and_does_not_run(run, capsys):
    marker = str(run / "it ran")
    run_code = keras.layers.Lambda(lambda x, path=marker: (os.path.exists(path) or os.mkdir(path), x)[1])
    keras.Sequential([keras.Input((8, 8, 3)), run_code, keras.layers.Flatten(), keras.layers.Dense(2)]).save(
        run / "model.keras"
    )
    assert os.path.exists(marker), "the layer runs its code when it is built"
    os.rmdir(marker)
    assert "Lambda" in error_message(run)
    assert not os.path.exists(marker)
    assert main(["predict", str(run), str(run.parent / "photo.png")]) == 1
    message = capsys.readouterr().err
    assert "leave Keras's safe mode on: without it the file could run any code" in message
    assert not os.path.exists(marker)


def replace_member(file, member, content):
    """Replaces the content of one member of a zip file."""
    with zipfile.ZipFile(io.BytesIO(file.read_bytes())) as old, zipfile.ZipFile(file, "w") as new:
        for name in old.namelist():
            new.writestr(name, content if name == member else old.read(name))


def test_config_that_names_a_python_function_is_refused(run):
    """`module` and `class_name` in a .keras file say what Keras imports and calls."""
    with zipfile.ZipFile(run / "model.keras") as file:
        config = json.loads(file.read("config.json"))
    marker = run / "it ran"
    config["config"]["layers"][1] = {
        "module": "os",
        "class_name": "mkdir",
        "config": {"path": str(marker)},
        "registered_name": "mkdir",
    }
    replace_member(run / "model.keras", "config.json", json.dumps(config))
    assert "cannot be loaded" in error_message(run)
    assert not marker.exists()


def test_weights_of_another_shape_are_refused(run):
    classifier(classes=3).save(run / "other.keras")
    with zipfile.ZipFile(run / "other.keras") as other:
        replace_member(run / "model.keras", "model.weights.h5", other.read("model.weights.h5"))
    assert "cannot be loaded" in error_message(run)


@pytest.mark.parametrize("content", [b"", b"not an archive", b"PK\3\4 cut off"])
def test_file_that_is_not_a_keras_archive_is_refused(run, content):
    (run / "model.keras").write_bytes(content)
    assert "cannot be loaded: File is not a zip file. Train it again" in error_message(run)


def test_renamed_h5_file_is_refused(run):
    """Keras's older format would load without the safe mode."""
    classifier().save(run / "model.h5")
    (run / "model.h5").rename(run / "model.keras")
    assert "cannot be loaded: File is not a zip file. Train it again" in error_message(run)


@pytest.mark.parametrize(
    ("shape", "classes", "message"),
    [
        ((8, 8, 3), 5, "(None, 8, 8, 3) into (None, 5)"),
        ((8,), 2, "(None, 8) into (None, 2)"),
        ((8, 8, 4), 2, "(None, 8, 8, 4) into (None, 2)"),
    ],
)
def test_model_with_other_inputs_or_outputs_is_refused(run, shape, classes, message):
    classifier(shape, classes).save(run / "model.keras")
    assert f"it does not turn images into 2 logits, but {message}" in error_message(run)


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"class_names": 3}', "\x00"])
def test_metrics_that_no_training_wrote_are_refused(run, content):
    (run / "metrics.json").write_text(content)
    assert "metrics.json is damaged, or was not written by a training" in error_message(run)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "Expected image files to classify. Received: none"),
        (
            ["photo.png", "missing.png"],
            r"1 of 2 files could not be decoded as images\. Leave them out:\n.*missing\.png: it does not exist",
        ),
        (["run"], r"1 of 1 files could not be decoded as images\. Leave them out:\n.*run: "),
    ],
)
def test_files_that_are_no_images_get_a_message_each(run, names, message):
    with pytest.raises(ValueError, match=message):
        recipes.predict(run, [run.parent / name for name in names])


def test_unreadable_model_is_not_called_damaged(run, monkeypatch):
    def open_without_rights(file):
        raise PermissionError(errno.EACCES, "Permission denied", str(file))

    monkeypatch.setattr(zipfile, "ZipFile", open_without_rights)
    with pytest.raises(PermissionError, match="Permission denied"):
        recipes.predict(run, [run.parent / "photo.png"])


def test_model_with_a_loss_of_its_own_loads_without_its_training_state(run):
    """As the runs of earlier versions were saved: the class of the loss need not exist."""

    @keras.saving.register_keras_serializable("test")
    class Loss(keras.losses.Loss):
        def call(self, y_true, y_pred):
            return y_pred

    model = classifier()
    model.compile("sgd", Loss())
    model.save(run / "model.keras")
    del keras.saving.get_custom_objects()["test>Loss"]
    assert len(recipes.predict(run, [run.parent / "photo.png"])) == 1


@pytest.fixture
def digits_run(run):
    """A run whose training images are light on dark; its model says whether the middle is lighter than the border."""
    inputs = keras.Input((8, 8))
    middle, mean = keras.ops.mean(inputs[:, 3:5, 3:5], axis=(1, 2)), keras.ops.mean(inputs, axis=(1, 2))
    outputs = keras.layers.Concatenate()([mean[:, None], middle[:, None]])
    keras.Model(inputs, outputs).save(run / "model.keras")
    (run / "metrics.json").write_text(
        json.dumps({"class_names": ["dark on light", "light on dark"], "border_brightness": [0, 60]})
    )
    return run


@pytest.mark.parametrize(("ground", "ink", "inverted"), [(0, 255, False), (255, 0, True), (190, 40, True)])
def test_digit_of_the_other_polarity_is_inverted_and_reported(digits_run, ground, ink, inverted, capsys):
    pixels = np.full((8, 8), ground, "uint8")
    pixels[2:6, 2:6] = ink
    Image.fromarray(pixels).save(digits_run.parent / "digit.png")
    [classes] = recipes.predict(digits_run, [digits_run.parent / "digit.png"])
    assert classes[0][0] == "light on dark"
    message = capsys.readouterr().out
    assert ("digit.png: its border is light, unlike the training images: its negative is classified" in message) == (
        inverted
    )


def test_photograph_of_the_other_polarity_is_reported(run, capsys):
    (run / "metrics.json").write_text(json.dumps({"class_names": CLASSES, "border_brightness": [180, 255]}))
    assert len(recipes.predict(run, [run.parent / "photo.png"])) == 1
    assert "photo.png: its border is dark, unlike the training images: do not rely" in capsys.readouterr().out


def test_model_of_grayscale_images_gets_grayscale_images(run):
    model = classifier((8, 8))
    model.save(run / "model.keras")
    [classes] = recipes.predict(run, [run.parent / "photo.png"])
    gray = np.array(Image.new("RGB", (8, 8), (200, 30, 30)).convert("L"))[None]
    logits = np.array(model(gray.astype("float32")))[0]
    expected = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
    assert {name: round(probability, 5) for name, probability in classes} == {
        name: round(float(probability), 5) for name, probability in zip(CLASSES, expected, strict=True)
    }


@pytest.mark.parametrize(("metrics", "expected"), [({"resize": "crop"}, "crop"), ({}, "stretch")])
def test_photograph_is_resized_as_in_training(metrics, expected, run, monkeypatch):
    given, read_images = {}, image_files.read_images
    monkeypatch.setattr(image_files, "read_images", lambda *args, **kw: given.update(kw) or read_images(*args, **kw))
    (run / "metrics.json").write_text(json.dumps({"class_names": CLASSES, **metrics}))
    recipes.predict(run, [run.parent / "photo.png"])
    assert given["resize"] == expected
