"""Fine-tuning recipes, from class folders to a prediction, also with stops and too little memory."""

import json

import pytest
import tensorflow as tf

from dlkit import recipes, training
from dlkit.cli import main
from tests.arrays import assert_same_arrays
from tests.recipes.helpers import saved_weights


def fine_tune(photos, out, **options):
    settings = {"weights": "none", "image_size": 32, "epochs": 2, "verbose": 0, **options}
    return recipes.train("mobilenet", data_dir=photos, out=out, **settings)


def test_resnet50_with_random_weights_trains_and_predicts(photo_folder, tmp_path, capsys):
    """Everything but the accuracy."""
    command = ["train", "resnet50", "--data", str(photo_folder), "--out", str(tmp_path / "run")]
    assert main([*command, "--weights", "none", "--image-size", "32", "--epochs", "1"]) == 0
    output = capsys.readouterr().out
    assert "Head on frozen features: validation accuracy" in output
    assert "parameters are trained (from conv5_block1_1_conv on)" in output
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert (metrics["image_size"], metrics["unfreeze"], metrics["weights"]) == (32, "conv5", "none")
    assert metrics["history"][0]["phase"] == "head"
    assert len(metrics["history"]) == 2
    assert metrics["class_names"] == ["blue sky", "grass", "poppies"]
    assert {"confusion.png", "predictions.png", "model.keras"} <= {f.name for f in (tmp_path / "run").iterdir()}
    photo = next((photo_folder / "test" / "grass").iterdir())
    assert main(["predict", str(tmp_path / "run"), str(photo), str(photo)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert all(name in lines[0] for name in ("blue sky", "grass", "poppies", "%"))


def test_missing_weights_are_reported_before_any_work(photo_folder, tmp_path, capsys, no_data_env):
    command = ["train", "mobilenet", "--data", str(photo_folder), "--out", str(tmp_path / "run")]
    assert main(command) == 1
    assert "weights of mobilenet were not found" in capsys.readouterr().err
    assert main([*command, "--weights", "nowhere.h5"]) == 1
    assert "nowhere.h5, which is not a file" in capsys.readouterr().err
    with pytest.raises(ValueError, match=r"nowhere\.h5, which is not a file"):
        fine_tune(photo_folder, tmp_path / "run", weights="nowhere.h5")
    assert [path.name for path in tmp_path.iterdir() if path.name in ("run", "features")] == []


def test_mistyped_stage_is_reported_before_features_are_computed(photo_folder, small_backbone, tmp_path):
    with pytest.raises(ValueError, match='No layer name of mobilenet begins with "conv9"'):
        fine_tune(photo_folder, tmp_path / "run", unfreeze="conv9")
    assert not (tmp_path / "run" / "features").exists()


def test_settings_with_a_path_of_weights_fit_into_json(tmp_path):
    settings = recipes.RECIPES["mobilenet"].with_options(weights=tmp_path / "w.h5").settings()
    assert json.loads(json.dumps(settings))["weights"] == str(tmp_path / "w.h5")


def test_features_are_cached_in_the_run_folder_or_in_cache(photo_folder, small_backbone, tmp_path):
    fine_tune(photo_folder, tmp_path / "first", epochs=1)
    assert len(list((tmp_path / "first" / "features").iterdir())) == 2, "training and validation images"
    fine_tune(photo_folder, tmp_path / "second", epochs=1, cache=tmp_path / "shared")
    assert len(list((tmp_path / "shared").iterdir())) == 2
    assert not (tmp_path / "second" / "features").exists()


def test_stopped_fine_tuning_resumes_to_the_same_weights(photo_folder, small_backbone, tmp_path, monkeypatch):
    fine_tune(photo_folder, tmp_path / "uninterrupted")
    original = training.Checkpoint.on_epoch_end

    def stop_after_first_epoch(self, epoch, logs=None):
        original(self, epoch, logs)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(training.Checkpoint, "on_epoch_end", stop_after_first_epoch)
        with pytest.raises(KeyboardInterrupt):
            fine_tune(photo_folder, tmp_path / "run")
    fine_tune(photo_folder, tmp_path / "run")
    assert_same_arrays(saved_weights(tmp_path / "run"), saved_weights(tmp_path / "uninterrupted"))


def test_batch_size_is_halved_when_memory_runs_out(photo_folder, small_backbone, tmp_path, monkeypatch, capsys):
    sizes, original = [], training.fit

    def fit_in_small_memory(model, make_train_ds, **options):
        sizes.append(next(iter(make_train_ds(0, (0, 1))))[0].shape[0])
        if sizes[-1] > 16:
            raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")
        return original(model, make_train_ds, **options)

    monkeypatch.setattr(training, "fit", fit_in_small_memory)
    fine_tune(photo_folder, tmp_path / "run")
    assert sizes == [128, 64, 32, 16]
    assert "in batches of 16" in capsys.readouterr().out
