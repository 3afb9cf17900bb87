"""dlkit.transfer.freezing: which weights are trained, split models, the L2-SP penalty."""

import zipfile

import keras
import numpy as np
import pytest
from keras import layers
from sklearn.metrics import accuracy_score

from dlkit import data, evaluate, training, transfer
from tests.random_weights import randomize
from tests.transfer.helpers import IMAGES, LOSS, backbone_with_head, build_classifier, build_tiny


def changed_weights(model):
    """Names of the weights that one training step changes."""
    before = [np.array(weight) for weight in model.weights]
    model.compile(keras.optimizers.SGD(0.5), LOSS, run_eagerly=True)  # tracing takes longer than one step
    model.train_on_batch(IMAGES, np.arange(10) % 3)
    return {w.path for w, old in zip(model.weights, before, strict=True) if (np.array(w) != old).any()}


def test_freeze_changes_no_weight_in_training(capsys):
    model = build_classifier()
    assert transfer.freeze(model) == 0
    assert changed_weights(model) == set()
    assert "classifier: 0 of" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("stage", "trained_layers"),
    [
        ("head", {"hidden_1", "logits"}),
        ("conv3", {"conv3_conv", "hidden_1", "logits"}),
        ("conv2", {"conv2_conv", "conv3_conv", "hidden_1", "logits"}),
        ("", {"conv1_conv", "conv2_conv", "conv3_conv", "hidden_1", "logits"}),
    ],
)
def test_unfreeze_trains_from_the_stage_on(stage, trained_layers, capsys):
    model = build_classifier()
    count = transfer.unfreeze(model, stage)
    assert f"{count:,} of {model.count_params():,} parameters are trained" in capsys.readouterr().out
    changed = changed_weights(model)
    layer_names = {path.split("/")[-2] for path in changed}
    assert layer_names == trained_layers, "batch normalization stays frozen, with its statistics"
    assert count == sum(np.size(w) for w in model.weights if w.path in changed)


def test_unfreeze_trains_batch_norm_on_request():
    model = build_classifier()
    count = transfer.unfreeze(model, "conv3", batch_norm=True)
    assert count == transfer.unfreeze(model, "conv3") + 12, "gamma and beta of six channels"
    transfer.unfreeze(model, "conv3", batch_norm=True)
    assert {path.split("/")[-2] for path in changed_weights(model)} == {"conv3_conv", "conv3_bn", "hidden_1", "logits"}


def test_unfreeze_again_freezes_the_layers_before():
    model = build_classifier()
    assert transfer.unfreeze(model, "") > transfer.unfreeze(model, "conv3") > transfer.unfreeze(model, "head")


def test_unfreeze_lists_the_known_stages():
    with pytest.raises(ValueError, match='begins with "conv9".*conv1, conv2, conv3, .*head'):
        transfer.unfreeze(build_classifier(), "conv9")


# --- models inside a model, as Keras's guide to transfer learning builds them


def build_nested(functional=False):
    """The small backbone as one layer of a model, followed by a dense layer."""
    backbone = build_tiny()
    if not functional:
        return keras.Sequential([keras.Input((16, 16, 3)), backbone, layers.Dense(3, name="head")], name="nested")
    inputs = keras.Input((16, 16, 3))
    return keras.Model(inputs, layers.Dense(3, name="head")(backbone(inputs)), name="nested")


@pytest.mark.parametrize("functional", [False, True])
@pytest.mark.parametrize(
    ("stage", "trained_layers"),
    [
        ("head", {"head"}),
        ("conv3", {"conv3_conv", "head"}),
        ("tiny", {"conv1_conv", "conv2_conv", "conv3_conv", "head"}),
        ("", {"conv1_conv", "conv2_conv", "conv3_conv", "head"}),
    ],
)
def test_unfreeze_goes_into_a_model_inside_the_model(functional, stage, trained_layers):
    model = build_nested(functional)
    count = transfer.unfreeze(model, stage)
    changed = changed_weights(model)
    assert {path.split("/")[-2] for path in changed} == trained_layers, "batch normalization stays frozen"
    assert count == sum(np.size(w) for w in model.weights if w.path in changed)


@pytest.mark.parametrize("freeze", [transfer.freeze, lambda model: setattr(model, "trainable", False)])
@pytest.mark.parametrize("whole", [False, True])
def test_unfreeze_after_freezing_a_model_inside_reports_what_is_trained(freeze, whole, capsys):
    model = build_nested()
    freeze(model if whole else model.layers[0])
    count = transfer.unfreeze(model, "")
    assert f"{count:,} of" in capsys.readouterr().out.splitlines()[-1]
    assert count == sum(np.size(w) for w in model.weights if w.path in changed_weights(model)) > 300


def test_freeze_changes_no_weight_of_a_model_inside_the_model():
    model = build_nested()
    assert transfer.freeze(model) == 0
    assert changed_weights(model) == set()


class NormalizedDense(layers.Layer):
    """A layer of one's own that holds others."""

    def build(self, shape):
        self.dense, self.norm = layers.Dense(4), layers.BatchNormalization()
        self.dense.build(shape)
        self.norm.build((*shape[:-1], 4))

    def call(self, x, training=False):
        return self.norm(self.dense(x), training=training)


def test_unfreeze_keeps_batch_norm_inside_a_layer_frozen():
    model = keras.Sequential([keras.Input((16, 16, 3)), layers.Flatten(), NormalizedDense(), layers.Dense(3)])
    assert transfer.unfreeze(model, "") == 768 * 4 + 4 + 4 * 3 + 3
    assert not any("batch_normalization" in path for path in changed_weights(model))
    assert transfer.unfreeze(model, "", batch_norm=True) == 768 * 4 + 4 + 8 + 4 * 3 + 3


def test_split_model_says_how_to_build_a_model_without_models_inside():
    with pytest.raises(ValueError, match=r"conv3_conv belongs to a model inside nested.*head\(backbone.output\)"):
        transfer.split_model(build_nested(), "conv3")
    lower, upper = transfer.split_model(build_nested(), "head")
    assert lower.output_shape == (None, 6)
    assert upper.output_shape == (None, 3)


@pytest.mark.parametrize("stage", ["conv2", "conv3", "head"])
def test_split_model_gives_two_models_that_share_the_weights(stage):
    model = randomize(build_classifier())
    lower, upper = transfer.split_model(model, stage)
    np.testing.assert_allclose(upper(lower(IMAGES)), model(IMAGES), atol=1e-6)
    upper.layers[-1].layers[-1].bias.assign([5.0, 6.0, 7.0])
    np.testing.assert_allclose(upper(lower(IMAGES)), model(IMAGES), atol=1e-6)


def test_split_model_refuses_to_split_a_residual_block():
    with pytest.raises(ValueError, match="cannot be split before conv2_bn: a shortcut connection bypasses it"):
        transfer.split_model(build_classifier(), "conv2_bn")
    with pytest.raises(ValueError, match="conv2_add has several inputs"):
        transfer.split_model(build_classifier(), "conv2_add")


def test_add_l2_sp_penalizes_the_distance_from_the_start():
    model = build_classifier()
    transfer.unfreeze(model, "conv3")
    assert transfer.add_l2_sp(model, 0.1) == 2
    assert float(sum(model.losses)) == 0
    kernel = model.get_layer("conv3_conv").kernel
    kernel.assign(kernel + 0.5)
    assert float(sum(model.losses)) == pytest.approx(0.1 * 0.25 * np.size(kernel), rel=1e-4)


def test_add_l2_sp_goes_into_a_model_inside_the_model():
    model = build_nested()
    transfer.unfreeze(model, "conv3")
    assert transfer.add_l2_sp(model, 0.1) == 2, "kernel and bias of conv3_conv"
    assert transfer.add_l2_sp(model, 0.1, exclude="conv3_conv") == 2, "kernel and bias of the head"


def test_add_l2_sp_refuses_a_new_head_of_another_name_and_a_frozen_model():
    model = build_classifier()
    with pytest.raises(ValueError, match="Expected exclude to hold names of layers of classifier. Received: 'top'"):
        transfer.add_l2_sp(model, 0.1, exclude=("top",))
    transfer.unfreeze(model, "head")
    with pytest.raises(ValueError, match="No weight of classifier to penalize is trained. Call `transfer.unfreeze`"):
        transfer.add_l2_sp(model, 0.1)
    with pytest.raises(ValueError, match="Expected strength to be a number of at least 0. Received: -0.1"):
        transfer.add_l2_sp(model, -0.1)


def test_model_with_l2_sp_is_saved_without_it(tmp_path):
    model = build_classifier()
    transfer.unfreeze(model, "conv3")
    transfer.add_l2_sp(model, 0.1)
    model.save(tmp_path / "model.keras")
    with zipfile.ZipFile(tmp_path / "model.keras") as file:
        assert b"dlkit" not in file.read("config.json"), "it loads where dlkit is not installed"
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert (len(model.losses), len(loaded.losses)) == (2, 0)
    np.testing.assert_array_equal(loaded(IMAGES), model(IMAGES))


def test_add_l2_sp_keeps_weights_near_their_start():
    distances = []
    for strength in (0.0, 1.0):
        model = build_classifier()
        transfer.unfreeze(model, "")
        transfer.add_l2_sp(model, strength)
        start = np.array(model.get_layer("conv1_conv").kernel)
        model.compile(keras.optimizers.SGD(0.05), LOSS, run_eagerly=True)
        for _ in range(20):
            model.train_on_batch(IMAGES, np.arange(10) % 3)
        distances.append(np.abs(np.array(model.get_layer("conv1_conv").kernel) - start).sum())
    assert distances[1] < 0.7 * distances[0]


@pytest.mark.slow
def test_unfreeze_fine_tuning_reaches_78_percent(real_cifar10, tmp_path):
    backbone, head = backbone_with_head(real_cifar10, 96, tmp_path)
    model = keras.Model(backbone.input, head(backbone.output))
    transfer.unfreeze(model, "", batch_norm=True)
    train_ds = data.pipeline(*real_cifar10.train, batch_size=64, training=True)
    model.compile(keras.optimizers.Adam(training.OneCycle(2e-3, len(train_ds), warmup=0.1)), LOSS)
    model.fit(train_ds, verbose=0, shuffle=False)
    probs = evaluate.predict_probs(model, real_cifar10.test[0])
    accuracy = accuracy_score(real_cifar10.test[1], probs.argmax(axis=1))
    print(f"one epoch of fine-tuning at 96 px: {accuracy:.4f}")
    assert accuracy >= 0.78
