"""The code written in notebooks 09 to 12, tested on more cases than the lessons show."""

import ast

import keras
import numpy as np
import pytest
import tensorflow as tf

from dlkit import models
from tests.random_weights import assert_equal_models, layer_settings, randomize
from tools.notebooks import ROOT, code_cells, definitions, read


@pytest.fixture(scope="module")
def convolution():
    return definitions(ROOT / "notebooks" / "09_convolution_and_pooling.ipynb")


@pytest.fixture(scope="module")
def pipelines():
    return definitions(ROOT / "notebooks" / "10_input_pipelines.ipynb")


@pytest.fixture(scope="module")
def classic():
    return definitions(ROOT / "notebooks" / "11_cnn_on_cifar10.ipynb")


@pytest.fixture(scope="module")
def architectures():
    return definitions(ROOT / "notebooks" / "12_cnn_architectures.ipynb")


def assigned(module, name):
    """The value of the first `name = …` in a notebook's cells, computed with what the notebook defines."""
    for cell in code_cells(read(ROOT / "notebooks" / f"{module.__name__}.ipynb")):
        for node in ast.parse(cell.source).body:
            if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", None) == name:
                return eval(compile(ast.Expression(node.value), name, "eval"), module.__dict__)
    raise AssertionError(f"{module.__name__} assigns nothing to {name}")


def nudged(function, values, step=1e-6):
    """Finite differences of a number with respect to every entry of an array."""
    gradient = np.zeros_like(values)
    for place in np.ndindex(*values.shape):
        kept = values[place]
        values[place] = kept + step
        above = function()
        values[place] = kept - step
        gradient[place] = (above - function()) / (2 * step)
        values[place] = kept
    return gradient


# --- 09


@pytest.mark.parametrize("settings", [(1, 0, 1), (1, 2, 1), (2, 0, 1), (3, 1, 1), (1, 0, 2), (1, 3, 3)])
@pytest.mark.parametrize("kernel", [1, 2, 3, 5])
def test_conv2d_and_its_gradients_equal_keras(convolution, settings, kernel):
    rng = np.random.default_rng(kernel)
    x, w, b = rng.normal(size=(2, 11, 14, 3)), rng.normal(size=(kernel, kernel, 3, 4)), rng.normal(size=4)
    if settings[2] * (kernel - 1) >= 11 + 2 * settings[1]:
        pytest.skip("the window does not fit")
    y = convolution.conv2d(x, w, b, *settings)
    ours = [y, *convolution.conv2d_backward(x, w, 2 * y, *settings)]
    for mine, theirs in zip(ours, convolution.keras_conv(x, w, b, *settings), strict=True):
        assert mine.shape == theirs.shape
        np.testing.assert_allclose(mine, theirs, atol=1e-9)


def test_conv2d_backward_agrees_with_nudging(convolution):
    rng = np.random.default_rng(0)
    x, w, b = rng.normal(size=(1, 5, 6, 2)), rng.normal(size=(3, 3, 2, 2)), rng.normal(size=2)
    settings = (2, 1, 1)

    def loss():
        return np.sum(convolution.conv2d(x, w, b, *settings) ** 2)

    dx, dw, db = convolution.conv2d_backward(x, w, 2 * convolution.conv2d(x, w, b, *settings), *settings)
    for values, gradient in ((x, dx), (w, dw), (b, db)):
        np.testing.assert_allclose(gradient, nudged(loss, values), atol=1e-6)


def test_the_two_loops_are_conv2d_with_one_channel(convolution):
    rng = np.random.default_rng(0)
    image, kernel = rng.normal(size=(7, 9)), rng.normal(size=(3, 3))
    whole = convolution.conv2d(image[None, :, :, None], kernel[:, :, None, None], 0.0)
    np.testing.assert_allclose(convolution.correlate(image, kernel), whole[0, :, :, 0], atol=1e-12)


@pytest.mark.parametrize(("k", "stride"), [(2, 2), (3, 3), (3, 2), (2, 1)])
@pytest.mark.parametrize(("kind", "layer"), [("max", "MaxPooling2D"), ("mean", "AveragePooling2D")])
def test_pooling_and_its_gradient_equal_keras_where_windows_overlap_and_where_values_tie(
    convolution, k, stride, kind, layer
):
    x = np.random.default_rng(0).integers(0, 4, (2, 9, 12, 3)).astype("float64")  # full of ties
    variable = tf.Variable(x)
    with tf.GradientTape() as tape:
        y = getattr(keras.layers, layer)(k, stride, dtype="float64")(variable)
        loss = tf.reduce_sum(y**2)
    ours = convolution.pool(x, k, stride, kind)
    np.testing.assert_allclose(ours, y, atol=1e-12)
    dx = convolution.pool_backward(x, 2 * ours, k, stride, kind)
    np.testing.assert_allclose(dx, tape.gradient(loss, variable), atol=1e-9)


@pytest.mark.parametrize(
    "stack", [[(5, 1)], [(3, 2), (3, 2)], [(1, 1), (3, 1)], [(2, 2), (2, 2), (2, 2)], [(7, 3), (3, 1)]]
)
def test_the_receptive_field_is_the_measured_one(convolution, stack):
    field = convolution.measured_field(stack)
    assert np.count_nonzero(field.any(axis=0)) == convolution.receptive_field(stack)
    assert np.count_nonzero(field.any(axis=1)) == convolution.receptive_field(stack)


# --- 10


@pytest.mark.parametrize("seed", range(4))
def test_warp_equals_keras(pipelines, seed):
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (13, 17, 3)).astype("float32")
    matrix = pipelines.move(*rng.uniform(-3, 3, 2)) @ pipelines.turn(rng.uniform(-40, 40), 13)
    theirs = keras.ops.image.affine_transform(
        image, matrix.ravel()[:8].astype("float32"), interpolation="bilinear", fill_mode="nearest"
    )
    np.testing.assert_allclose(pipelines.warp(image, matrix), theirs, atol=0.05)


def test_turning_by_a_quarter_is_numpys_rotation(pipelines):
    image = np.random.default_rng(0).random((9, 9, 3))
    np.testing.assert_allclose(pipelines.warp(image, pipelines.turn(90, 9)), np.rot90(image), atol=1e-9)


def test_batches_by_hand_give_every_image_once_with_its_label(pipelines):
    images, labels = np.arange(70)[:, None] * 2, np.arange(70)
    batches = list(pipelines.batches_by_hand(images, labels, 32, np.random.default_rng(0)))
    assert [len(part) for _, part in batches] == [32, 32, 6]
    assert sorted(np.concatenate([part for _, part in batches])) == list(range(70))
    assert all((x[:, 0] == 2 * y).all() for x, y in batches)
    assert batches[0][1].tolist() != sorted(batches[0][1])


def test_the_broken_pipeline_is_broken_in_validation_only(pipelines):
    images = np.broadcast_to(np.arange(1300)[:, None, None], (1300, 2, 2))
    train_ds, val_ds = pipelines.broken_datasets(images, np.arange(1300))
    assert all((x[:, 0, 0] == y).all() for x, y in train_ds.as_numpy_iterator())
    assert np.mean(np.concatenate([x[:, 0, 0] == y for x, y in val_ds.as_numpy_iterator()])) < 0.05


# --- 11


@pytest.mark.parametrize("size", [2, 4])
def test_patches_are_the_windows_of_a_grid_row_by_row(classic, size):
    images = np.random.default_rng(0).integers(0, 256, (3, 8, 12, 2))
    grid = np.lib.stride_tricks.sliding_window_view(images, (size, size), axis=(1, 2))[:, ::size, ::size]
    patches = classic.patches_of(images, size)
    assert patches.shape == (3 * (8 // size) * (12 // size), size * size * 2)
    np.testing.assert_array_equal(patches, grid.transpose(0, 1, 2, 4, 5, 3).reshape(patches.shape))


def test_the_tutorials_network_is_dlkits_classic_layer_by_layer(classic):
    assert layer_settings(assigned(classic, "classic")) == layer_settings(models.build_classic_cnn((32, 32, 3), 10))


def test_the_block_is_dlkits(classic):
    inputs = keras.Input((4, 5, 3))
    ours, theirs = classic.residual_block(inputs), models.residual_block(inputs, 3, name="block")
    noise = np.random.default_rng(0).normal(size=(3, 4, 5, 3)).astype("float32")
    assert_equal_models(keras.Model(inputs, ours), keras.Model(inputs, theirs), noise)


def test_the_block_is_the_identity_where_its_branch_is_silent(classic):
    inputs = keras.Input((4, 4, 3))
    block = randomize(keras.Model(inputs, classic.residual_block(inputs)))
    *_, norm = [layer for layer in block.layers if isinstance(layer, keras.layers.BatchNormalization)]
    norm.gamma.assign(0 * norm.gamma)
    norm.beta.assign(0 * norm.beta)
    x = np.random.default_rng(0).normal(size=(2, 4, 4, 3)).astype("float32")
    np.testing.assert_allclose(block(x), np.maximum(x, 0), atol=1e-6)


# --- 12


def test_the_costs_by_formula_are_those_of_the_model(architectures):
    network = keras.Sequential([keras.Input((20, 20, 7)), keras.layers.Conv2D(9, 5), keras.layers.Flatten()])
    network.add(keras.layers.Dense(4))
    formula = architectures.conv_costs(16, 5, 7, 9) + architectures.dense_costs(16 * 16 * 9, 4)
    assert formula.tolist() == [network.count_params(), sum(models.multiply_adds(network).values())]


def test_the_lessons_lenet_is_dlkits_layer_by_layer(architectures):
    assert layer_settings(assigned(architectures, "lenet")) == layer_settings(models.build_lenet5((32, 32, 3), 10))


@pytest.mark.parametrize("with_shortcut", [True, False])
@pytest.mark.parametrize("depth", [8, 14, 32])
def test_the_deep_network_is_dlkits(architectures, depth, with_shortcut):
    ours = architectures.deep_network(depth, with_shortcut, 16, (4, 8, 16))
    theirs = models.build_resnet(
        (16, 16, 3), 10, depth=depth, channels=(4, 8, 16), shortcut="zeros" if with_shortcut else None
    )
    noise = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 3))
    assert_equal_models(ours, theirs, noise, atol=1e-3)


def test_the_separable_convolutions_gradients_agree_with_nudging(architectures):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1, 4, 5, 3))
    weights = [rng.normal(size=(3, 3, 3)), rng.normal(size=(3, 2)), rng.normal(size=2)]
    y, h, seen = architectures.separable(x, *weights)
    gradients = architectures.separable_backward(2 * y, weights[0], weights[1], h, seen)
    for values, gradient in zip(weights, gradients, strict=True):
        found = nudged(lambda: np.sum(architectures.separable(x, *weights)[0] ** 2), values)
        np.testing.assert_allclose(gradient, found, atol=1e-5)
