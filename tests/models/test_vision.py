"""dlkit.models.vision, and what all image classifiers have in common."""

import keras
import numpy as np
import pytest
from keras import layers

from dlkit import models
from tests.models.helpers import SHAPE, residual_block_from_paper
from tests.random_weights import assert_equal_models, layer_settings, randomize


@pytest.fixture(params=["mlp", "classic_cnn", "small_resnet", "fast_cnn"])
def model(request):
    """Each of the image classifiers in turn, newly initialized, with seven classes."""
    return getattr(models, f"build_{request.param}")(SHAPE, 7)


def test_classifier_takes_raw_pixels_and_returns_logits(model):
    pixels = np.random.default_rng(0).integers(0, 256, (2, *SHAPE)).astype("uint8")
    logits = keras.ops.convert_to_numpy(model(pixels))
    assert logits.shape == (2, 7)
    assert logits.dtype == np.float32
    assert (logits < 0).any(), "logits, not probabilities"
    assert np.abs(logits).max() < 50, "pixels are scaled inside the model"


def test_classifier_is_uncompiled(model):
    assert not model.compiled


def test_saved_classifier_gives_the_same_logits(model, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (2, *SHAPE)).astype("uint8")
    randomize(model).save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    for training in (False, True):
        np.testing.assert_array_equal(model(pixels, training=training), loaded(pixels, training=training))


def test_mlp_without_hidden_layers_is_linear():
    assert models.build_mlp((8, 8), 10, hidden=()).count_params() == 64 * 10 + 10


def test_mlp_has_relu_in_its_hidden_layers_only():
    dense = [layer for layer in models.build_mlp(SHAPE, 10).layers if isinstance(layer, layers.Dense)]
    assert [(layer.units, layer.activation.__name__) for layer in dense] == [
        (128, "relu"),
        (64, "relu"),
        (10, "linear"),
    ]


def test_classic_cnn_has_the_parameters_of_the_tutorial():
    # 3·3·3·32+32, 3·3·32·64+64, 3·3·64·64+64, 4·4·64·64+64, 64·10+10
    assert models.build_classic_cnn(SHAPE, 10).count_params() == 896 + 18_496 + 36_928 + 65_600 + 650


def test_classic_cnn_is_the_network_of_the_tutorial():
    """The lines of https://www.tensorflow.org/tutorials/images/cnn, which scales the images beforehand."""
    tutorial = keras.models.Sequential()
    tutorial.add(keras.Input(SHAPE))
    tutorial.add(layers.Conv2D(32, (3, 3), activation="relu"))
    tutorial.add(layers.MaxPooling2D((2, 2)))
    tutorial.add(layers.Conv2D(64, (3, 3), activation="relu"))
    tutorial.add(layers.MaxPooling2D((2, 2)))
    tutorial.add(layers.Conv2D(64, (3, 3), activation="relu"))
    tutorial.add(layers.Flatten())
    tutorial.add(layers.Dense(64, activation="relu"))
    tutorial.add(layers.Dense(10))
    scale, *rest = layer_settings(models.build_classic_cnn(SHAPE, 10))
    assert scale[1]["scale"] == 1 / 255
    assert rest == layer_settings(tutorial)


# --- residual_block


@pytest.mark.parametrize("shortcut", ["projection", "zeros", None])
@pytest.mark.parametrize(("channels", "stride"), [(4, 1), (8, 2)])
def test_residual_block_equals_the_one_of_the_paper(channels, stride, shortcut):
    inputs = keras.Input((8, 6, 4))
    ours = models.residual_block(inputs, channels, stride=stride, shortcut=shortcut, name="b")
    theirs = residual_block_from_paper(inputs, channels, stride, shortcut)
    noise = np.random.default_rng(0).normal(size=(3, 8, 6, 4)).astype("float32")
    assert_equal_models(keras.Model(inputs, ours), keras.Model(inputs, theirs), noise)


def set_branch_to_zero(block):
    """Sets the output of the last batch normalization to 0, so that only the shortcut is left."""
    norm = randomize(block).get_layer("b_norm_2")
    norm.gamma.assign(0 * norm.gamma)
    norm.beta.assign(0 * norm.beta)
    return block


def test_residual_block_with_a_zero_branch_is_its_shortcut():
    inputs = keras.Input((8, 8, 4))
    block = set_branch_to_zero(keras.Model(inputs, models.residual_block(inputs, 4, name="b")))
    x = np.random.default_rng(0).normal(size=(1, 8, 8, 4)).astype("float32")
    np.testing.assert_allclose(block(x), np.maximum(x, 0), atol=1e-6)


def test_residual_block_with_a_shortcut_of_zeros():
    inputs = keras.Input((6, 6, 2))
    result = models.residual_block(inputs, 4, stride=2, shortcut="zeros", name="b")
    block = set_branch_to_zero(keras.Model(inputs, result))
    x = np.random.default_rng(0).normal(size=(1, 6, 6, 2)).astype("float32")
    result = np.asarray(block(x))
    np.testing.assert_allclose(result[..., :2], np.maximum(x[:, ::2, ::2], 0), atol=1e-6)
    assert (result[..., 2:] == 0).all()


# --- build_small_resnet


def test_small_resnet_is_a_stem_residual_blocks_and_a_mean():
    inputs = keras.Input(SHAPE)
    x = layers.Rescaling(1 / 64, offset=-2)(inputs)
    x = layers.Conv2D(4, 4, strides=2, padding="same", activation="relu")(x)
    x = residual_block_from_paper(x, 8, 2, "projection")
    x = residual_block_from_paper(x, 16, 2, "projection")
    theirs = keras.Model(inputs, layers.Dense(10)(layers.GlobalAveragePooling2D()(x)))
    ours = models.build_small_resnet(SHAPE, 10, channels=(4, 8, 16))
    noise = np.random.default_rng(0).integers(0, 256, (3, *SHAPE))
    assert_equal_models(ours, theirs, noise, atol=1e-4)


def test_small_resnet_in_16_bit_returns_32_bit_logits():
    before = keras.config.dtype_policy()
    resnet = models.build_small_resnet(SHAPE, 10, precision="mixed_bfloat16")
    assert keras.config.dtype_policy() is before, "the global policy is restored"
    assert resnet.get_layer("stem").compute_dtype == "bfloat16"
    assert resnet.output.dtype == "float32"


def test_small_resnet_stages_halve_the_resolution():
    resnet = models.build_small_resnet(SHAPE, 10, channels=(4, 8, 16))
    shapes = [resnet.get_layer(f"stage_{s}_block_1_relu_2").output.shape[1:] for s in (1, 2)]
    assert shapes == [(8, 8, 8), (4, 4, 16)]
