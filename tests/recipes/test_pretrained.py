"""Fine-tuning recipes, from class folders to a prediction, also with stops and too little memory."""

import contextlib
import dataclasses
import io
import json
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from dlkit import cli, recipes, training, transfer
from dlkit.cli import main
from dlkit.recipes import pretrained
from dlkit.recipes.pretrained import PRETRAINED
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
    assert metrics["history"][0]["kept"] == ("model keeps that head" in output)
    assert metrics["class_names"] == ["blue sky", "grass", "poppies"]
    assert {"confusion.png", "predictions.png", "model.keras"} <= {f.name for f in out.iterdir()}
    photos = sorted((photo_folder / "test" / "grass").iterdir())[:2]
    assert main(["predict", str(out), *map(str, photos)]) == 0
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


@pytest.mark.parametrize("stage", ["conv9", "conv5", "Head"])
def test_mistyped_stage_is_reported_before_anything_is_read(stage, tmp_path):
    with pytest.raises(ValueError, match=f'a stage of mobilenet: conv1, conv_dw_1, .* Received: "{stage}"'):
        fine_tune(tmp_path / "no photos", tmp_path / "run", unfreeze=stage)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("stage", ["", "head", "conv1", "conv_dw_12", "conv_dw_12_bn"])
def test_stages_of_mobilenet_are_accepted(stage, tmp_path):
    recipes.RECIPES["mobilenet"].with_options(weights="none", unfreeze=stage).check_requirements(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", PRETRAINED)
def test_stages_are_names_of_layers(name):
    recipe = dataclasses.replace(PRETRAINED[name], weights="none", image_size=32)
    layers = [layer.name for layer in recipe.build_backbone((32, 32, 3), "float32").layers]
    for stage in recipe.stages:
        assert any(layer.startswith(stage) for layer in layers), stage


def test_stages_are_in_the_help_of_the_command():
    for name, recipe in PRETRAINED.items():
        assert f"{name} {recipe.stages[0]}" in cli.STAGES
        assert recipe.stages[-1] in cli.STAGES


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


def test_head_learns_on_after_all_validation_images_are_correct():
    """A handful of them is soon classified without a mistake, while the loss continues to fall."""
    labels = np.arange(40) % 2
    features = np.where(labels[:, None] == 1, [0.8, 0.1, 0.1], [0.1, 0.1, 0.8]).astype("float32")
    head = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    head.set_weights([np.array([[-1, 1], [0, 0], [1, -1]]), np.zeros(2)])  # correct, but not sure
    before = -keras.ops.log_softmax(head(features[:2]))[0, 0]
    split = features, labels
    val_accuracy, val_loss = PRETRAINED["mobilenet"]._fit_head(head, split, (features[:4], labels[:4]))
    assert val_accuracy == 1
    assert val_loss < 0.98 * before, "four epochs, where the accuracy would have ended it, reach 0.995"


@pytest.mark.parametrize("num_classes", [2, 3])
@pytest.mark.parametrize("class_weights", [False, True])
def test_linear_head_predicts_like_logistic_regression(num_classes, class_weights):
    """With the strength that gives the lowest validation loss of five."""
    rng = np.random.default_rng(0)
    labels = np.minimum(rng.geometric(0.6, 60), num_classes) - 1  # unlike frequencies
    features = rng.normal(size=(60, 5)) + 2 * np.eye(5)[labels]
    split, val_split = (features[:40], labels[:40]), (features[40:], labels[40:])
    recipe = dataclasses.replace(PRETRAINED["mobilenet"], class_weights=class_weights)
    head = transfer.build_head((5,), num_classes, hidden=())
    val_accuracy, val_loss = recipe._fit_linear_head(head, split, val_split)
    fits = [
        LogisticRegression(C=c, class_weight="balanced" if class_weights else None, max_iter=2000).fit(*split)
        for c in (1e-4, 1e-3, 1e-2, 0.1, 1)
    ]
    losses = [log_loss(val_split[1], fit.predict_proba(val_split[0]), labels=range(num_classes)) for fit in fits]
    assert val_loss == min(losses)
    best = fits[np.argmin(losses)]
    probs = keras.ops.softmax(head(features))
    np.testing.assert_allclose(probs, best.predict_proba(features), atol=1e-5)
    assert val_accuracy == best.score(*val_split)


@pytest.mark.parametrize(("count", "hidden_layers"), [(1999, 0), (2000, 1)])
def test_few_images_get_a_linear_head(count, hidden_layers, small_backbone, tmp_path, monkeypatch):
    monkeypatch.setattr(pretrained.FineTuning, "_train_head", lambda *args: {"phase": "head"})
    monkeypatch.setattr(pretrained.FineTuning, "fit", lambda *args, **options: [])
    recipe = recipes.RECIPES["mobilenet"].with_options(weights="none", image_size=32).adapt(count)
    model, _ = recipe.train(make_job(random_split(20), random_split(8), tmp_path))
    head = model.get_layer("head")
    assert len([layer for layer in head.layers if layer.name.startswith("hidden")]) == hidden_layers


@pytest.mark.parametrize(
    ("head", "fine_tuned", "kept"),
    [
        ({"val_accuracy": 0.9, "val_loss": 1.0}, {"val_accuracy": 0.8, "val_loss": 0.1}, True),
        ({"val_accuracy": 0.9, "val_loss": 1.0}, {"val_accuracy": 0.9, "val_loss": 0.5}, False),
        ({"val_accuracy": 0.9, "val_loss": 0.5}, {"val_accuracy": 0.9, "val_loss": 0.5}, True),
        (  # the loss with label smoothing does not count
            {"val_accuracy": 0.9, "val_loss": 0.5},
            {"val_accuracy": 0.9, "val_loss": 0.9, "val_cross_entropy": 0.4},
            False,
        ),
    ],
)
def test_head_is_kept_unless_fine_tuning_beats_it(head, fine_tuned, kept, capsys):
    model = build_small_backbone("mobilenet", (8, 8, 3), image_size=8, weights=None, precision=None)
    start = model.get_weights()
    model.set_weights([weight + 1 for weight in start])
    pretrained._keep_head_if_better(model, start, head, fine_tuned)
    assert head["kept"] == kept
    assert np.array_equal(model.get_weights()[0], start[0]) == kept
    assert ("no better than the head on frozen features" in capsys.readouterr().out) == kept


def random_split(count):
    return np.random.default_rng(0).integers(0, 256, (count, 32, 32, 3)).astype("uint8"), np.arange(count) % 2


@pytest.mark.parametrize(("count", "has_head"), [(5000, True), (5001, False)])
def test_head_is_trained_first_unless_there_are_many_images(count, has_head, small_backbone, tmp_path, monkeypatch):
    monkeypatch.setattr(pretrained.FineTuning, "_train_head", lambda *args: {"phase": "head"})
    monkeypatch.setattr(pretrained.FineTuning, "fit", lambda *args, **options: [])
    recipe = recipes.RECIPES["efficientnet-lite0"].with_options(weights="none", image_size=32)
    _, history = recipe.train(make_job(random_split(count), random_split(8), tmp_path))
    assert history == [{"phase": "head"}] * has_head


def test_one_cycle_fine_tuning_ends_at_rate_zero(small_backbone, tmp_path):
    recipe = recipes.RECIPES["efficientnet-lite0"].with_options(weights="none", image_size=32, epochs=2, batch_size=8)
    recipe = dataclasses.replace(recipe, head_first_up_to=0)
    model, history = recipe.train(make_job(random_split(16), random_split(8), tmp_path))
    assert len(history) == 2
    assert history[-1]["val_cross_entropy"] < history[-1]["val_loss"] + 1
    assert float(model.optimizer.learning_rate) == 0
    assert model.optimizer.iterations == 4


HEAD = SimpleNamespace(history={"val_accuracy": [0.5], "val_loss": [1.0], "loss": [1.0]})  # what fit returns


def test_class_weights_reach_head_and_fine_tuning(small_backbone, tmp_path, monkeypatch):
    images, labels = random_split(20)
    labels = (labels * (np.arange(20) < 10)).astype("int64")  # 15 of one class, 5 of the other one
    given = []

    def fit(model, *args, class_weight, **options):
        given.append(class_weight)
        return []

    monkeypatch.setattr(training, "fit", fit)
    monkeypatch.setattr(keras.Sequential, "fit", lambda head, *args, **options: fit(head, *args, **options) or HEAD)
    recipe = recipes.RECIPES["mobilenet"].with_options(weights="none", image_size=32, epochs=1, class_weights=True)
    recipe.train(make_job((images, labels), (images, labels), tmp_path))
    assert given == [{0: 20 / 30, 1: 2.0}] * 2
