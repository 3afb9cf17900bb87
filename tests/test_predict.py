"""`predict` with models from anywhere: what is no safe classifier of images is refused in a line, and runs no code."""

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
    """A finished run with an image beside it."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "metrics.json").write_text(json.dumps({"class_names": CLASSES}))
    classifier().save(tmp_path / "run" / "model.keras")
    Image.new("RGB", (20, 30), (200, 30, 30)).save(tmp_path / "photo.png")
    return tmp_path / "run"


def refusal(run):
    with pytest.raises(data.DataError) as error:
        recipes.predict(run, [run.parent / "photo.png"])
    assert str(run) in str(error.value)
    return str(error.value)


def test_a_lambda_layer_is_refused_and_does_not_run(run, capsys):
    marker = str(run / "it ran")
    run_code = keras.layers.Lambda(lambda x, path=marker: (os.path.exists(path) or os.mkdir(path), x)[1])
    keras.Sequential([keras.Input((8, 8, 3)), run_code, keras.layers.Flatten(), keras.layers.Dense(2)]).save(
        run / "model.keras"
    )
    assert os.path.exists(marker), "building it ran it: the layer does what this is about"
    os.rmdir(marker)
    assert "Lambda" in refusal(run)
    assert not os.path.exists(marker)
    assert main(["predict", str(run), str(run.parent / "photo.png")]) == 1
    told = capsys.readouterr().err
    assert "leave Keras's safe mode on: without it the file could run any code" in told
    assert not os.path.exists(marker)


def replaced(file, member, content):
    """Puts other content into one member of a zip file."""
    with zipfile.ZipFile(io.BytesIO(file.read_bytes())) as old, zipfile.ZipFile(file, "w") as new:
        for name in old.namelist():
            new.writestr(name, content if name == member else old.read(name))


def test_a_config_that_names_a_function_of_pythons_is_refused(run):
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
    replaced(run / "model.keras", "config.json", json.dumps(config))
    assert "cannot be loaded" in refusal(run)
    assert not marker.exists()


def test_weights_of_another_shape_are_refused(run):
    classifier(classes=3).save(run / "other.keras")
    with zipfile.ZipFile(run / "other.keras") as other:
        replaced(run / "model.keras", "model.weights.h5", other.read("model.weights.h5"))
    assert "cannot be loaded" in refusal(run)


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\3\4 cut off"])
def test_what_is_no_keras_file_is_told(run, content):
    (run / "model.keras").write_bytes(content)
    assert "it is no .keras archive" in refusal(run)


def test_an_h5_file_under_the_name_is_refused(run):
    """Keras's older format loads without a safe mode."""
    classifier().save(run / "model.h5")
    (run / "model.h5").rename(run / "model.keras")
    assert "it is no .keras archive" in refusal(run)


@pytest.mark.parametrize(
    ("shape", "classes", "told"),
    [
        ((8, 8, 3), 5, "Received: (None, 8, 8, 3) to (None, 5)"),
        ((8,), 2, "Received: (None, 8) to (None, 2)"),
        ((8, 8, 4), 2, "Received: (None, 8, 8, 4) to (None, 2)"),
    ],
)
def test_a_model_that_does_not_fit_is_told(run, shape, classes, told):
    classifier(shape, classes).save(run / "model.keras")
    assert told in refusal(run)


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"class_names": 3}', "\x00"])
def test_metrics_that_no_training_wrote_are_told(run, content):
    (run / "metrics.json").write_text(content)
    assert "metrics.json is not what a training has written" in refusal(run)


@pytest.mark.parametrize("shape", [(8, 8), (8, 8, 1)])
def test_a_model_of_grey_images_gets_grey_ones(run, shape):
    model = classifier(shape)
    model.save(run / "model.keras")
    [answer] = recipes.predict(run, [run.parent / "photo.png"])
    grey = np.array(Image.new("RGB", (8, 8), (200, 30, 30)).convert("L")).reshape(1, *shape)
    logits = np.array(model(grey.astype("float32")))[0]
    expected = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
    assert {name: round(share, 5) for name, share in answer} == {
        name: round(float(share), 5) for name, share in zip(CLASSES, expected, strict=True)
    }
