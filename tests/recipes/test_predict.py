"""`predict` with models of any origin: a file that is not a safe classifier of images is refused and runs no code."""

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
    assert "it is not a .keras archive" in error_message(run)


def test_renamed_h5_file_is_refused(run):
    """Keras's older format would load without the safe mode."""
    classifier().save(run / "model.h5")
    (run / "model.h5").rename(run / "model.keras")
    assert "it is not a .keras archive" in error_message(run)


@pytest.mark.parametrize(
    ("shape", "classes", "message"),
    [
        ((8, 8, 3), 5, "Received: (None, 8, 8, 3) to (None, 5)"),
        ((8,), 2, "Received: (None, 8) to (None, 2)"),
        ((8, 8, 4), 2, "Received: (None, 8, 8, 4) to (None, 2)"),
    ],
)
def test_model_with_other_inputs_or_outputs_is_refused(run, shape, classes, message):
    classifier(shape, classes).save(run / "model.keras")
    assert message in error_message(run)


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"class_names": 3}', "\x00"])
def test_metrics_that_no_training_wrote_are_refused(run, content):
    (run / "metrics.json").write_text(content)
    assert "metrics.json was not written by a training" in error_message(run)


@pytest.mark.parametrize("shape", [(8, 8), (8, 8, 1)])
def test_model_of_grayscale_images_gets_grayscale_images(run, shape):
    model = classifier(shape)
    model.save(run / "model.keras")
    [classes] = recipes.predict(run, [run.parent / "photo.png"])
    gray = np.array(Image.new("RGB", (8, 8), (200, 30, 30)).convert("L")).reshape(1, *shape)
    logits = np.array(model(gray.astype("float32")))[0]
    expected = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
    assert {name: round(probability, 5) for name, probability in classes} == {
        name: round(float(probability), 5) for name, probability in zip(CLASSES, expected, strict=True)
    }
