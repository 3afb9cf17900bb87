import keras
import numpy as np
import pytest

from dlkit import models

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
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(model(pixels), again(pixels))


def test_a_linear_model_is_an_mlp_without_hidden_layers():
    assert models.build_mlp((8, 8), 10, hidden=()).count_params() == 64 * 10 + 10


def test_the_classic_has_the_tutorials_parameters():
    # 3·3·3·32+32, 3·3·32·64+64, 3·3·64·64+64, 4·4·64·64+64, 64·10+10
    assert models.build_classic_cnn(SHAPE, 10).count_params() == 896 + 18_496 + 36_928 + 65_600 + 650


def test_a_block_with_a_silent_branch_is_its_shortcut():
    inputs = keras.Input((8, 8, 4))
    block = keras.Model(inputs, models.residual_block(inputs, 4, name="b"))
    for layer in block.layers:
        if isinstance(layer, keras.layers.Conv2D):
            layer.set_weights([np.zeros_like(values) for values in layer.get_weights()])
    x = np.random.default_rng(0).normal(size=(1, 8, 8, 4)).astype("float32")
    np.testing.assert_allclose(block(x), np.maximum(x, 0), atol=1e-6)


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
