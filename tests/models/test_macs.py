"""dlkit.models.macs: the multiply-adds of known layers, and those that TensorFlow's profiler counts."""

import keras
import pytest
import tensorflow as tf
from keras import layers
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from dlkit import models


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


def test_count_macs_equals_tensorflows_profiler(architecture):
    assert sum(models.count_macs(architecture).values()) == profiler_count(architecture)


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
