import keras
import numpy as np
import pytest
from keras import layers

from dlkit import models
from tests.random_weights import assert_equal_models, layer_settings, randomize

SHAPE = (32, 32, 3)


@pytest.fixture(params=["mlp", "classic_cnn", "small_resnet", "fast_cnn"])
def model(request):
    return getattr(models, f"build_{request.param}")(SHAPE, 7)


def test_raw_pixels_in_logits_out(model):
    pixels = np.random.default_rng(0).integers(0, 256, (2, *SHAPE)).astype("uint8")
    logits = keras.ops.convert_to_numpy(model(pixels))
    assert logits.shape == (2, 7)
    assert logits.dtype == np.float32
    assert (logits < 0).any(), "logits, not probabilities"
    assert np.abs(logits).max() < 50, "pixels are scaled inside"


def test_uncompiled(model):
    assert not model.compiled


def test_the_saved_model_gives_the_same_numbers(model, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (2, *SHAPE)).astype("uint8")
    randomize(model).save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    for training in (False, True):
        np.testing.assert_array_equal(model(pixels, training=training), again(pixels, training=training))


def test_a_linear_model_is_an_mlp_without_hidden_layers():
    assert models.build_mlp((8, 8), 10, hidden=()).count_params() == 64 * 10 + 10


def test_the_classic_has_the_tutorials_parameters():
    # 3·3·3·32+32, 3·3·32·64+64, 3·3·64·64+64, 4·4·64·64+64, 64·10+10
    assert models.build_classic_cnn(SHAPE, 10).count_params() == 896 + 18_496 + 36_928 + 65_600 + 650


def test_the_classic_is_the_tutorials_network():
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


def test_the_mlp_has_relu_in_its_hidden_layers_only():
    dense = [layer for layer in models.build_mlp(SHAPE, 10).layers if isinstance(layer, layers.Dense)]
    assert [(layer.units, layer.activation.__name__) for layer in dense] == [
        (128, "relu"),
        (64, "relu"),
        (10, "linear"),
    ]


# --- the residual block: two convolutions, each with batch normalization, and a shortcut


def written_out_block(x, channels, stride, shortcut):
    """Figure 2 of He et al. 2015, with the batch normalization of its section 3.4: before each activation."""
    y = layers.Conv2D(channels, 3, strides=stride, padding="same", use_bias=False)(x)
    y = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(y))
    y = layers.Conv2D(channels, 3, padding="same", use_bias=False)(y)
    y = layers.BatchNormalization(momentum=0.9)(y)
    if x.shape != y.shape and shortcut == "projection":
        x = layers.Conv2D(channels, 1, strides=stride, use_bias=False)(x)
    elif x.shape != y.shape and shortcut == "zeros":
        x = x[:, ::2, ::2]
        x = layers.Concatenate()([x, 0 * x])
    return layers.ReLU()(layers.Add()([y, x]) if shortcut else y)


@pytest.mark.parametrize("shortcut", ["projection", "zeros", None])
@pytest.mark.parametrize(("channels", "stride"), [(4, 1), (8, 2)])
def test_the_residual_block_is_the_written_out_one(channels, stride, shortcut):
    inputs = keras.Input((8, 6, 4))
    ours = models.residual_block(inputs, channels, stride=stride, shortcut=shortcut, name="b")
    theirs = written_out_block(inputs, channels, stride, shortcut)
    noise = np.random.default_rng(0).normal(size=(3, 8, 6, 4)).astype("float32")
    assert_equal_models(keras.Model(inputs, ours), keras.Model(inputs, theirs), noise)


def test_a_block_with_a_silent_branch_is_its_shortcut():
    inputs = keras.Input((8, 8, 4))
    block = randomize(keras.Model(inputs, models.residual_block(inputs, 4, name="b")))
    norm = block.get_layer("b_norm_2")
    norm.gamma.assign(0 * norm.gamma)
    norm.beta.assign(0 * norm.beta)
    x = np.random.default_rng(0).normal(size=(1, 8, 8, 4)).astype("float32")
    np.testing.assert_allclose(block(x), np.maximum(x, 0), atol=1e-6)


def test_the_small_resnet_is_a_stem_two_blocks_and_a_mean():
    inputs = keras.Input(SHAPE)
    x = layers.Rescaling(1 / 64, offset=-2)(inputs)
    x = layers.Conv2D(4, 4, strides=2, padding="same", activation="relu")(x)
    x = written_out_block(x, 8, 2, "projection")
    x = written_out_block(x, 8, 1, "projection")
    x = written_out_block(x, 16, 2, "projection")
    x = written_out_block(x, 16, 1, "projection")
    theirs = keras.Model(inputs, layers.Dense(10)(layers.GlobalAveragePooling2D()(x)))
    ours = models.build_small_resnet(SHAPE, 10, channels=(4, 8, 16), blocks=2)
    noise = np.random.default_rng(0).integers(0, 256, (3, *SHAPE))
    assert_equal_models(ours, theirs, noise, atol=1e-4)


def test_the_fast_network_is_the_written_out_one():
    inputs = keras.Input(SHAPE)
    x = layers.Rescaling(1 / 64, offset=-2)(inputs)
    x = layers.Conv2D(6, 4, strides=2, padding="same", activation="relu", trainable=False)(x)
    for channels in (8, 12):
        x = layers.Conv2D(channels, 3, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization(momentum=0.9)(layers.MaxPooling2D()(x))
        x = layers.ReLU()(x)
        y = layers.Conv2D(channels, 3, padding="same", use_bias=False)(x)
        y = layers.BatchNormalization(momentum=0.9)(y)
        x = layers.Add()([x, layers.ReLU()(y)])
    theirs = keras.Model(inputs, layers.Dense(10, use_bias=False)(layers.GlobalMaxPooling2D()(x)) / 5)
    ours = models.build_fast_cnn(SHAPE, 10, channels=(6, 8, 12))
    noise = np.random.default_rng(0).integers(0, 256, (3, *SHAPE))
    assert_equal_models(ours, theirs, noise, atol=1e-4)


def test_16_bit_inside_32_bit_logits_and_the_global_policy_untouched():
    before = keras.config.dtype_policy()
    resnet = models.build_small_resnet(SHAPE, 10, precision="mixed_bfloat16")
    assert keras.config.dtype_policy() is before
    assert resnet.get_layer("stem").compute_dtype == "bfloat16"
    assert resnet.output.dtype == "float32"


def test_stages_halve_the_image():
    resnet = models.build_small_resnet(SHAPE, 10, channels=(4, 8, 16), blocks=2)
    shapes = [resnet.get_layer(f"stage_{s}_block_2_relu_2").output.shape[1:] for s in (1, 2)]
    assert shapes == [(8, 8, 8), (4, 4, 16)]


@pytest.mark.parametrize("channels", [3, 1])
@pytest.mark.parametrize(("patch", "count"), [(4, 16), (2, 4)])
def test_whitened_filters_give_uncorrelated_outputs_of_equal_size(channels, patch, count):
    rng = np.random.default_rng(0)
    smooth = rng.integers(0, 256, (300, 8, 8, channels)).repeat(4, axis=1).repeat(4, axis=2)
    images = (0.7 * smooth + rng.integers(0, 77, smooth.shape)).astype("uint8")
    model = models.build_fast_cnn(images.shape[1:], 10, channels=(count, 8), patch=patch)
    models.whiten(model, images)
    stem = model.get_layer("stem")
    linear = keras.layers.Conv2D(count, patch, patch)  # the same filters on the patches that it looked at, without ReLU
    outputs = linear(np.zeros((1, *images.shape[1:])))
    linear.set_weights(stem.get_weights())
    outputs = keras.ops.convert_to_numpy(linear(model.get_layer("scale")(images))).reshape(-1, count)
    half = count // 2
    np.testing.assert_allclose(np.cov(outputs[:, :half].T), np.eye(half), atol=0.02)
    np.testing.assert_allclose(outputs[:, :half], -outputs[:, half:], atol=1e-3)
    np.testing.assert_allclose(outputs.mean(axis=0), 0, atol=1e-2)
    assert not stem.trainable


def test_the_first_layer_cannot_have_more_filters_than_directions():
    with pytest.raises(ValueError, match="even number of first channels, 2 to 32. Received: 48"):
        models.build_fast_cnn((28, 28, 1), 10, channels=(48, 64))
    with pytest.raises(ValueError, match="2 to 24. Received: 32"):
        models.build_fast_cnn(SHAPE, 10, patch=2)


@pytest.mark.parametrize("count", [2, 24])
def test_the_first_layer_takes_the_fewest_and_the_most_filters_it_may(count):
    assert models.build_fast_cnn(SHAPE, 10, channels=(count, 8), patch=2).get_layer("stem").filters == count


@pytest.mark.parametrize("count", [0, 3, 26])
def test_the_first_layer_refuses_an_odd_number_and_what_is_out_of_range(count):
    with pytest.raises(ValueError, match=f"an even number of first channels, 2 to 24. Received: {count}"):
        models.build_fast_cnn(SHAPE, 10, channels=(count, 8), patch=2)


def test_the_fast_network_works_at_the_sizes_that_it_says():
    fast, long = (
        models.build_fast_cnn(SHAPE, 10),
        models.build_fast_cnn(SHAPE, 10, channels=(24, 8, 8, 8), patch=2, stride=1),
    )
    sizes = [
        [layer.output.shape[1] for layer in model.layers if layer.name == "stem" or layer.name.endswith("pool")]
        for model in (fast, long)
    ]
    assert sizes == [[16, 8, 4], [31, 15, 7, 3]]


def test_flat_images_can_be_whitened_too():
    model = models.build_fast_cnn(SHAPE, 10)
    models.whiten(model, np.full((10, *SHAPE), 255, "uint8"))
    assert all(np.isfinite(values).all() for values in model.get_weights())
