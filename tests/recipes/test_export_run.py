"""Exports of a run: every format is read in a new process, and what does not agree with the model is not written."""

import json
import os
import shutil
import zipfile

import keras
import numpy as np
import pytest

from dlkit import recipes
from dlkit.cli import main
from dlkit.data import DataError
from dlkit.recipes import export_run, finished
from dlkit.recipes.export_run import FORMATS


@pytest.fixture(scope="module")
def photo_run(photo_folder, tmp_path_factory):
    """A convolutional network, whose learning rate is high enough to tell three colors apart after two epochs."""
    run = tmp_path_factory.mktemp("export") / "run"
    recipes.train("cifar10-cnn", data_dir=photo_folder, out=run, epochs=2, batch_size=16, image_size=32, verbose=0)
    return run


@pytest.fixture
def run(photo_run, tmp_path):
    return shutil.copytree(photo_run, tmp_path / "run")


@pytest.mark.parametrize("form", ["litert", "int8", "saved_model"])
def test_export_agrees_and_names_its_classes(run, form, capsys):
    assert main(["export", str(run), "--format", form]) == 0
    assert "images the same class as the model" in capsys.readouterr().out
    target = run / FORMATS[form]
    if target.is_dir():
        texts = {name: (target / "assets.extra" / name).read_text() for name in ("labels.txt", "input.json")}
    else:
        with zipfile.ZipFile(target) as archive:
            texts = {name: archive.read(name).decode() for name in archive.namelist()}
    assert texts["labels.txt"].splitlines() == ["blue sky", "grass", "poppies"]
    about = json.loads(texts["input.json"])
    assert (about["height"], about["width"], about["resize"]) == (32, 32, "crop")
    assert not list(run.glob(".export-*"))


def test_result_counts_images_and_compares_probabilities(run):
    result = export_run.export_run(run, format="litert")
    assert result["images"] == result["same_class"] == 12 + 60
    assert result["max_difference"] < 1e-4
    assert result["bytes"] == (run / "model.tflite").stat().st_size


@pytest.mark.parametrize("form", ["litert", pytest.param("int8", marks=pytest.mark.slow)])
def test_export_that_disagrees_is_not_written(run, form, monkeypatch, capsys):
    """The weights that are exported are others than those of the run."""

    def write(model, *args):
        model.set_weights([np.random.default_rng(0).normal(size=w.shape) for w in model.get_weights()])
        original(model, *args)

    original = export_run._write
    monkeypatch.setattr(export_run, "_write", write)
    assert main(["export", str(run), "--format", form]) == 1
    assert "so it was deleted" in capsys.readouterr().err
    assert not (run / FORMATS[form]).exists()
    assert not list(run.glob(".export-*"))


def test_damaged_export_is_not_written(run, monkeypatch):
    monkeypatch.setattr(export_run, "_write", lambda model, part, *args: part.write_bytes(b"TFL3 is no model"))
    with pytest.raises(ValueError, match="could not be opened in a new process, so it was deleted: "):
        export_run.export_run(run, format="litert")
    assert not (run / "model.tflite").exists()


def test_failed_export_leaves_the_previous_one(run, monkeypatch):
    (run / "model.tflite").write_bytes(b"before")
    monkeypatch.setattr(export_run, "_compare", lambda *args: os.stat("/nowhere"))
    with pytest.raises(FileNotFoundError):
        export_run.export_run(run, format="litert", overwrite=True)
    assert (run / "model.tflite").read_bytes() == b"before"
    assert not list(run.glob(".export-*"))


@pytest.mark.parametrize("form", ["litert", "saved_model"])
def test_existing_export_is_replaced_only_if_asked(run, form, monkeypatch):
    monkeypatch.setattr(export_run, "_compare", lambda *args: {})
    export_run.export_run(run, format=form)
    with pytest.raises(ValueError, match="--overwrite"):
        export_run.export_run(run, format=form)
    export_run.export_run(run, format=form, overwrite=True)
    assert (run / FORMATS[form]).exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"format": "tflite"}, "Expected a format: litert"),
        ({"format": "litert", "out": "model.onnx"}, "ends in .tflite"),
        ({"format": "litert", "out": "none/model.tflite"}, "Expected the folder none to exist"),
    ],
)
def test_wrong_arguments_are_refused(run, options, message):
    with pytest.raises((ValueError, OSError), match=message):
        export_run.export_run(run, **options)


def test_run_of_an_earlier_version_is_refused(run):
    (run / "test.npz").unlink()
    with pytest.raises(DataError, match="lacks test.npz"):
        export_run.export_run(run, format="litert")


def test_onnx_names_missing_packages(run, monkeypatch, capsys):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert main(["export", str(run), "--format", "onnx"]) == 1
    assert "pip install onnx tf2onnx onnxruntime" in capsys.readouterr().err


def test_onnx_agrees_and_names_its_classes(run):
    onnx = pytest.importorskip("onnx", reason="needs the extra onnx")
    pytest.importorskip("tf2onnx", reason="needs the extra onnx")
    assert export_run.export_run(run, format="onnx")["max_difference"] < 1e-4
    metadata = {entry.key: entry.value for entry in onnx.load(run / "model.onnx").metadata_props}
    assert json.loads(metadata["class_names"]) == ["blue sky", "grass", "poppies"]


@pytest.mark.slow
def test_gray_and_mixed_precision(tmp_path):
    """The digits have no axis of channels, and a GPU trains in mixed precision, which LiteRT cannot compute in."""
    run = tmp_path / "run"
    recipes.train("digits-mlp", out=run, epochs=2, verbose=0)
    model = finished.load(run).model
    mixed = keras.models.clone_model(
        model, clone_function=lambda layer: layer.from_config({**layer.get_config(), "dtype": "mixed_bfloat16"})
    )
    mixed.set_weights(model.get_weights())
    mixed.save(run / "model.keras")
    assert export_run.export_run(run, format="litert")["same_class"] == 112
