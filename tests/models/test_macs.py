"""dlkit.models.macs: the multiply-adds of known layers, and those that TensorFlow's profiler counts."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from dlkit import models
from tests.models.helpers import BUILDERS


def profiler_count(model):
    """Multiply-adds of convolutions and matrix products as TensorFlow's profiler counts them in the graph."""
    function = tf.function(lambda x: model(x, training=False))
    graph = convert_variables_to_constants_v2(
        function.get_concrete_function(tf.TensorSpec((1, *model.input_shape[1:]), tf.float32))
    ).graph
    options = {**tf.compat.v1.profiler.ProfileOptionBuilder.float_operation(), "output": "none"}
    ops = tf.compat.v1.profiler.profile(graph, cmd="op", options=options).children
    flops, ops = {}, list(ops)
    while ops:
        op = ops.pop()
        ops += op.children
        flops[op.name] = op.float_ops
    return sum(flops.get(name, 0) for name in ("Conv2D", "DepthwiseConv2dNative", "MatMul")) / 2


@pytest.mark.parametrize("name", ["lenet5", "alexnet", "resnet20_projection"])
def test_count_macs_equals_tensorflows_profiler(name):
    model = BUILDERS[name]()
    assert sum(models.count_macs(model).values()) == profiler_count(model) > 0


def test_count_macs_of_every_kind_of_layer():
    inputs = keras.Input((12, 10, 6))
    x = layers.Conv2D(8, 3, strides=2, padding="same", groups=2, name="grouped")(inputs)
    x = layers.DepthwiseConv2D(3, dilation_rate=2, name="depthwise")(x)
    x = layers.BatchNormalization()(x)
    x = layers.SeparableConv2D(5, 3, padding="same", name="separable")(x)
    x = layers.Flatten()(keras.Sequential([layers.Conv2D(4, 1)], name="inner")(x))
    model = keras.Model(inputs, layers.Dense(7, name="dense")(x))
    assert models.count_macs(model) == {
        "grouped": 6 * 5 * 3 * 3 * 3 * 8,
        "depthwise": 2 * 1 * 3 * 3 * 8,
        "separable": 2 * 1 * (3 * 3 * 8 + 8 * 5),
        "inner": 2 * 1 * 5 * 4,
        "dense": 8 * 7,
    }


def test_count_macs_of_separable_layers_equals_the_profiler():
    inputs = keras.Input((12, 10, 6))
    x = layers.DepthwiseConv2D(3, strides=2)(inputs)
    x = layers.SeparableConv2D(5, 3, padding="same")(x)
    model = keras.Model(inputs, layers.Dense(7)(layers.Flatten()(x)))
    assert sum(models.count_macs(model).values()) == profiler_count(model) > 0


def test_count_macs_names_an_unknown_layer():
    with pytest.raises(ValueError, match=r'layer "memory" \(LSTM\) are not known'):
        models.count_macs(keras.Sequential([keras.Input((5, 2)), layers.LSTM(3, name="memory")]))


def test_count_macs_counts_every_call_of_a_shared_layer():
    dense = layers.Dense(4, use_bias=False, name="shared")
    dense(keras.Input((99, 5)))  # a call in another model, at other positions
    inputs = [keras.Input((2, 5)), keras.Input((3, 5))]
    model = keras.Model(inputs, layers.Concatenate(axis=1)([dense(x) for x in inputs]))
    assert models.count_macs(model) == {"shared": (2 + 3) * 5 * 4}
    encoder = keras.Sequential([keras.Input((5,)), layers.Dense(4)], name="encoder")
    twins = [keras.Input((5,)), keras.Input((5,))]
    assert models.count_macs(keras.Model(twins, layers.Add()([encoder(x) for x in twins]))) == {"encoder": 2 * 5 * 4}


def test_count_macs_with_channels_first():
    conv = layers.Conv2D(4, 3, data_format="channels_first", name="conv")
    assert models.count_macs(keras.Sequential([keras.Input((2, 8, 10)), conv])) == {"conv": 6 * 8 * 3 * 3 * 2 * 4}


class Squares(layers.Layer):
    """A layer of one's own without weights, whose products nobody knows."""

    def call(self, x):
        return keras.ops.matmul(x, x)


@pytest.mark.parametrize(
    ("call", "kind"),
    [
        (lambda x: keras.ops.matmul(x, x), "Matmul"),
        (lambda x: layers.Dot(axes=(2, 1))([x, x]), "Dot"),
        (lambda x: layers.Attention()([x, x]), "Attention"),
        (lambda x: layers.Lambda(lambda x: x @ x)(x), "Lambda"),
        (lambda x: Squares()(x), "Squares"),
    ],
)
def test_count_macs_refuses_products_without_weights(call, kind):
    inputs = keras.Input((4, 4))
    with pytest.raises(ValueError, match=rf"\({kind}\) are not known"):
        models.count_macs(keras.Model(inputs, call(inputs)))


def test_count_macs_refuses_a_model_without_a_fixed_size():
    inner = keras.Sequential([keras.Input((None, None, 3)), layers.Conv2D(4, 3, name="conv")])
    with pytest.raises(ValueError, match='fixed input size. Received: outputs .* of layer "conv"'):
        models.count_macs(keras.Sequential([keras.Input((8, 8, 3)), inner]))
    with pytest.raises(ValueError, match="Expected a built functional or sequential model"):
        models.count_macs(keras.Sequential([layers.Dense(2)]))


def test_count_macs_ignores_normalization_and_activations():
    norms = [layers.Normalization(), layers.GroupNormalization(1), layers.PReLU(), layers.Dropout(0.5)]
    norms[0].adapt(np.ones((2, 4, 4, 1)))
    assert models.count_macs(keras.Sequential([keras.Input((4, 4, 1)), *norms])) == {}
