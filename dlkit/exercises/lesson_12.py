"""Checkers of lesson 12."""

from __future__ import annotations

import keras
import numpy as np
from keras import layers

from dlkit import runtime
from dlkit.exercises.helpers import check_accuracies, check_keys, check_number, checker


@checker("12.vgg_dense_layer")
def vgg_dense_layer(answer):
    """Checks the number of weights and biases of a dense layer with 7·7·512 inputs and 4096 units."""
    weights = 7 * 7 * 512 * 4096
    hints = {
        weights: "those are the weights; each of the 4096 units has a bias too",
        7 * 512 * 4096 + 4096: "the map has 7 rows *and* 7 columns",
        7 * 7 * 4096 + 4096: "there are 512 values at each of the 7 · 7 positions",
        512 * 4096 + 4096: "flattening keeps all 7 · 7 positions; a mean over the image would leave 512",
        4096 * 4096 + 4096: "that is the second dense layer",
        138_357_544: "that is the complete network",
    }
    default_hint = "compute inputs (7 · 7 · 512) times units (4096), plus a bias for each unit"
    return check_number(answer, "first_dense_layer", weights + 4096, hints, default_hint)


@checker("12.bottleneck_block")
@runtime.exact()  # the comparisons are closer than mixed precision computes
def bottleneck_block(student):
    """Checks models with the student's block at two sizes: first their layers, then their outputs."""
    for shape, width in (((6, 6, 8), 4), ((5, 7, 9), 2)):
        if hint := _wrong_block(student, shape, width):
            return hint
    return None


def _wrong_block(student, shape, width):
    channels = shape[-1]
    inputs = keras.Input(shape)
    outputs = student(inputs, width)
    if not isinstance(outputs, keras.KerasTensor):
        return f"return the Keras tensor of the result; this is {type(outputs).__name__}"
    if outputs.shape != inputs.shape:
        return f"from shape {inputs.shape} the block should lead to the same shape; this one leads to {outputs.shape}"
    model = None if outputs is inputs else keras.Model(inputs, outputs)
    found_layers = list(_flatten(model)) if model else []
    convolutions = [layer for layer in found_layers if isinstance(layer, layers.Conv2D)]
    found = [(layer.kernel_size[0], layer.filters) for layer in convolutions]
    expected = [(1, width), (3, width), (1, channels)]
    if found != expected:
        message = f"expected kernels and channels {', '.join(map(str, expected))} for width {width}"
        return f"{message} and {channels} channels in x; found {found}"
    if any(layer.use_bias for layer in convolutions):
        return "the convolutions have biases; the normalization after each has its own, so use_bias=False"
    count = sum(isinstance(layer, layers.BatchNormalization) for layer in found_layers)
    if count != 3:
        return f"batch normalization follows each of the three convolutions; found {count}"
    return _wrong_outputs(model, shape, width)


def _flatten(model):
    """All layers, including those of models inside."""
    for layer in model.layers:
        yield from _flatten(layer) if hasattr(layer, "layers") else [layer]


def _wrong_outputs(model, shape, width):
    """Compares with the correct block, and with typical wrong ones, under the same random weights."""
    rng = np.random.default_rng(0)
    images = rng.normal(size=(2, *shape)).astype("float32")
    weights = [
        0.3 * rng.normal(size=values.shape) if values.ndim == 4 else rng.uniform(0.5, 1.5, values.shape)
        for values in model.get_weights()
    ]

    def result(block):
        block.set_weights(weights)
        return np.asarray(block(images))

    theirs = result(model)
    variants = {
        None: {},
        "x is not added to the result of the three convolutions": {"shortcut": False},
        "ReLU is missing after the sum": {"last": False},
        "ReLU after the last normalization comes before the sum; it belongs after it": {"last": False, "early": True},
        "ReLU is missing between the convolutions": {"inner": False},
    }
    for hint, options in variants.items():
        if np.allclose(theirs, result(_bottleneck(shape, width, **options)), rtol=1e-4, atol=1e-4):
            return hint
    return "the layers and shapes are correct, but the outputs are not; apply each step to the result of the one before"


def _bottleneck(shape, width, *, shortcut=True, last=True, early=False, inner=True):
    x = y = keras.Input(shape)
    for kernel, channels, activated in ((1, width, inner), (3, width, inner), (1, shape[-1], early)):
        y = layers.Conv2D(channels, kernel, padding="same", use_bias=False)(y)
        y = layers.BatchNormalization()(y)
        y = layers.ReLU()(y) if activated else y
    y = layers.Add()([x, y]) if shortcut else y
    return keras.Model(x, layers.ReLU()(y) if last else y)


@checker("12.separable_cnn")
def separable_cnn(measured):
    """Checks how the experiment was done, and that the conclusion follows from it.

    The accuracies themselves depend on the data and the seeds.
    """
    pair = "(macs, [accuracies])"
    example = {"ordinary": pair, "separable": pair, "lost": "accuracy", "clear": "True or False"}
    if hint := check_keys(measured, example):
        return hint
    entries = {name: measured[name] for name in ("ordinary", "separable")}
    try:
        macs = {name: float(entry[0]) for name, entry in entries.items()}
        runs = {name: [float(value) for value in entry[1]] for name, entry in entries.items()}
    except (TypeError, ValueError, IndexError, KeyError):
        return "the entries of the two networks are pairs: the number of multiply-adds, and a list of accuracies"
    for name, values in runs.items():
        if len(values) < 3:
            return f"{name}: train at least three times, so that the spread becomes visible; this is {len(values)}"
        if hint := check_accuracies(values):
            return hint
        if len(set(values)) == 1:
            return f"{name}: all runs have the same accuracy; give each another seed"
    if macs["separable"] >= macs["ordinary"]:
        return "the separable network should need fewer multiply-adds; are the two entries exchanged?"
    if macs["separable"] > macs["ordinary"] / 2:
        return "less than half of the multiply-adds should be left; are both convolutions replaced?"
    return _wrong_conclusion(runs["ordinary"], runs["separable"], measured["lost"], measured["clear"])


def _wrong_conclusion(ordinary, separable, lost, clear):
    expected = np.mean(ordinary) - np.mean(separable)
    hints = {
        -expected: "lost is the mean of the ordinary runs minus that of the separable ones, so a loss is positive",
        max(ordinary) - max(separable): "compare the means of the runs, not the best ones",
    }
    default_hint = "lost is the mean accuracy of the ordinary runs minus that of the separable runs"
    if hint := check_number(lost, "lost", expected, hints, default_hint, tolerance=1e-3):
        return hint
    if clear not in (True, False):
        return "clear is True or False"
    if clear != (min(ordinary) > max(separable) or min(separable) > max(ordinary)):
        return "clear is True only if all runs of one network are better than all runs of the other"
    return None
