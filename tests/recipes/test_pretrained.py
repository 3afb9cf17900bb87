"""Fine-tuning recipes, from class folders to a prediction, also with stops and too little memory."""

import contextlib
import dataclasses
import io
import json

import numpy as np
import pytest
import tensorflow as tf

from dlkit import recipes, training
from dlkit.cli import main
from tests.arrays import assert_same_arrays
from tests.recipes.helpers import build_small_backbone, make_job, saved_weights


def fine_tune(photos, out, **options):
    settings = {"weights": "none", "image_size": 32, "epochs": 2, "verbose": 0, **options}
    return recipes.train("mobilenet", data_dir=photos, out=out, **settings)


def train_command(recipe, photos, out):
    """Fine-tunes random weights on small images with the command line; returns what it printed."""
    command = ["train", recipe, "--data", str(photos), "--out", str(out), "--weights", "none", "--image-size", "32"]
    with contextlib.redirect_stdout(io.StringIO()) as output:
        assert main([*command, "--epochs", "2"]) == 0
    return output.getvalue()


@pytest.fixture(scope="module")
def finished(photo_folder, tmp_path_factory):
    """A complete fine-tuning of a small network: (run folder, what the command printed)."""
    out = tmp_path_factory.mktemp("runs") / "finished"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dlkit.transfer.build_backbone", build_small_backbone)
        return out, train_command("mobilenet", photo_folder, out)


def test_fine_tuning_trains_and_predicts(finished, photo_folder, capsys):
    """Everything but the accuracy."""
    out, output = finished
    assert "Head on frozen features: validation accuracy" in output
    metrics = json.loads((out / "metrics.json").read_text())
    assert (metrics["image_size"], metrics["unfreeze"], metrics["weights"]) == (32, "", "none")
    assert metrics["history"][0]["phase"] == "head"
    assert len(metrics["history"]) == 3
    assert metrics["class_names"] == ["blue sky", "grass", "poppies"]
    assert {"confusion.png", "predictions.png", "model.keras"} <= {f.name for f in out.iterdir()}
    photo = next((photo_folder / "test" / "grass").iterdir())
    assert main(["predict", str(out), str(photo), str(photo)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert all(name in lines[0] for name in ("blue sky", "grass", "poppies", "%"))


@pytest.mark.slow
def test_resnet50_with_random_weights_trains_from_its_last_stage_on(photo_folder, tmp_path):
    assert "parameters are trained (from conv5_block1_1_conv on)" in train_command("resnet50", photo_folder, tmp_path)


def test_missing_weights_are_reported_before_any_work(photo_folder, tmp_path, capsys, no_data_env):
    command = ["train", "mobilenet", "--data", str(photo_folder), "--out", str(tmp_path / "run")]
    assert main(command) == 1
    assert "weights of mobilenet were not found" in capsys.readouterr().err
    assert main([*command, "--weights", "nowhere.h5"]) == 1
    assert "nowhere.h5 does not exist. Expected imagenet, none or a weights file" in capsys.readouterr().err
    with pytest.raises(ValueError, match=r'Expected weights "imagenet", "none" or a file. Received: nowhere\.h5'):
        fine_tune(photo_folder, tmp_path / "run", weights="nowhere.h5")
    assert [path.name for path in tmp_path.iterdir() if path.name in ("run", "features")] == []


def test_mistyped_stage_is_reported_before_features_are_computed(photo_folder, small_backbone, tmp_path):
    with pytest.raises(ValueError, match='No layer name of mobilenet begins with "conv9"'):
        fine_tune(photo_folder, tmp_path / "run", unfreeze="conv9")
    assert not (tmp_path / "run" / "features").exists()


def test_settings_with_a_path_of_weights_fit_into_json(tmp_path):
    settings = recipes.RECIPES["mobilenet"].with_options(weights=tmp_path / "w.h5").settings()
    assert json.loads(json.dumps(settings))["weights"] == str(tmp_path / "w.h5")


@pytest.fixture(scope="module")
def resumed(photo_folder, tmp_path_factory):
    """A fine-tuning with `cache` that was stopped after its first epoch and then resumed: (run folder, cache)."""
    folder, on_epoch_end = tmp_path_factory.mktemp("resumed"), training.Checkpoint.on_epoch_end

    def stop_after_first_epoch(self, epoch, logs=None):
        on_epoch_end(self, epoch, logs)
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dlkit.transfer.build_backbone", build_small_backbone)
        with pytest.MonkeyPatch.context() as stopping:
            stopping.setattr(training.Checkpoint, "on_epoch_end", stop_after_first_epoch)
            with pytest.raises(KeyboardInterrupt):
                fine_tune(photo_folder, folder / "run", cache=folder / "shared")
        fine_tune(photo_folder, folder / "run", cache=folder / "shared")
    return folder / "run", folder / "shared"


def test_features_are_cached_in_the_run_folder_or_in_cache(finished, resumed):
    assert len(list((finished[0] / "features").iterdir())) == 2, "training and validation images"
    assert len(list(resumed[1].iterdir())) == 2
    assert not (resumed[0] / "features").exists()


def test_stopped_fine_tuning_resumes_to_the_same_weights(finished, resumed):
    assert_same_arrays(saved_weights(resumed[0]), saved_weights(finished[0]))


def test_batch_size_is_halved_when_memory_runs_out(small_backbone, tmp_path, monkeypatch, capsys):
    sizes, fit = [], training.fit

    def fit_in_small_memory(model, make_train_ds, **options):
        sizes.append(next(iter(make_train_ds(0, (0, 1))))[0].shape[0])
        if sizes[-1] > 4:
            raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")
        return fit(model, make_train_ds, **options)

    monkeypatch.setattr(training, "fit", fit_in_small_memory)
    split = np.zeros((20, 32, 32, 3), "uint8"), np.arange(20) % 2
    recipe = recipes.RECIPES["mobilenet"].with_options(weights="none", image_size=32, epochs=1)
    dataclasses.replace(recipe, batch_size=16).train(make_job(split, split, tmp_path))
    assert sizes == [16, 8, 4]
    assert "in batches of 4" in capsys.readouterr().out
