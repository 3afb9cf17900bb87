"""What the tests of several lessons share."""

import ast

import numpy as np
import tensorflow as tf

from tools.notebooks import ROOT, code_cells, read

RNG = np.random.default_rng(0)


def softmax(z):
    exponentials = np.exp(z)
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


def changed(function, **options):
    """The function with other values for some of its options."""
    return lambda *args: function(*args, **options)


def taped(function, *arrays):
    """Value of a TensorFlow function of arrays, and the gradient of its sum with respect to each of them."""
    variables = [tf.Variable(np.asarray(array)) for array in arrays]
    with tf.GradientTape() as tape:
        value = function(*variables)
    return value.numpy(), [np.asarray(tf.convert_to_tensor(g)) for g in tape.gradient(value, variables)]


def assigned(module, name):
    """The value of the first `name = …` in a notebook's cells, computed with what the notebook defines."""
    for cell in code_cells(read(ROOT / "notebooks" / f"{module.__name__}.ipynb")):
        for node in ast.parse(cell.source).body:
            if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", None) == name:
                return eval(compile(ast.Expression(node.value), name, "eval"), module.__dict__)
    raise AssertionError(f"{module.__name__} assigns nothing to {name}")


def finite_differences(function, values, step=1e-6):
    """The gradient of a scalar function with respect to an array that it reads, by central differences."""
    gradient = np.zeros_like(values)
    for index in np.ndindex(*values.shape):
        original = values[index]
        values[index] = original + step
        above = function()
        values[index] = original - step
        gradient[index] = (above - function()) / (2 * step)
        values[index] = original
    return gradient


def random_weights(layer):
    """Gives a built layer weights that are all different from zero, biases too; returns them."""
    weights = [RNG.normal(0, 0.5, weight.shape) for weight in layer.weights]
    layer.set_weights(weights)
    return weights
