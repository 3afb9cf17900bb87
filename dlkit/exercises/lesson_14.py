"""Checkers of lesson 14."""

import math

import keras
import numpy as np

from dlkit.evaluate import wilson_interval
from dlkit.exercises.helpers import check_number, check_returned, checker


@checker("14.trained_parameters")
def trained_parameters(answer):
    """Checks the weights and biases of ResNet50's last bottleneck block and of a linear head for ten classes."""
    narrow, middle, wide = 2048 * 512 + 512, 9 * 512 * 512 + 512, 512 * 2048 + 2048
    head = 2048 * 10 + 10
    expected = narrow + middle + wide + head
    channels = 512 + 512 + 2048
    hints = {
        expected - head: "`unfreeze` trains to the end of the model: the head too",
        expected - channels: "the convolutions of Keras's ResNet50 have biases",
        expected - channels - 10: "the convolutions and the head have biases",
        expected - 10: "the head has biases",
        expected + 2 * channels: "batch normalization stays frozen: its scale and shift are not trained",
        expected + 4 * channels: "batch normalization stays frozen; its mean and variance are never trained anyway",
        expected - middle + 9 * 2048 * 2048 + 2048: "the 3 × 3 convolution works on 512 channels on both sides",
        expected - middle + 512 * 512 + 512: "a 3 × 3 window has nine weights for each pair of channels",
        head: "that is the head alone",
    }
    default_hint = "add 1·1 from 2048 to 512, 3·3 from 512 to 512, 1·1 from 512 to 2048, their biases, and the head"
    return check_number(answer, "trained_parameters", expected, hints, default_hint)


def _build_network(widths=(4, 6, 5)):
    """A small network with batch normalization after each of its convolutions, and a dense layer at the end."""
    inputs = x = keras.Input((8, 8, 3))
    for number, width in enumerate(widths, start=1):
        x = keras.layers.Conv2D(width, 3, padding="same", name=f"conv_{number}")(x)
        x = keras.layers.BatchNormalization(name=f"norm_{number}")(x)
    x = keras.layers.GlobalAveragePooling2D(name="mean")(x)
    return keras.Model(inputs, keras.layers.Dense(2, name="head")(x))


@checker("14.unfreeze_from")
def unfreeze_from(student):
    """Checks which weights are trained afterwards, from several layers on and from several states before."""
    cases = [
        ("conv_2", (4, 6, 5), None),
        ("head", (3, 2), True),
        ("conv_1", (4, 6, 5), False),
        ("conv_3", (2, 3, 4), 2),
    ]
    for name, widths, before in cases:
        model = _build_network(widths)
        if before is not None:
            model.trainable = bool(before)
        if before == 2:  # the student's function is called a second time, from an earlier layer before
            student(model, "conv_1")
        if hint := _wrong_layers(student(model, name), model, name):
            return hint
    return None


def _wrong_layers(result, model, name):
    names = [layer.name for layer in model.layers]
    found = {weight.path for weight in model.trainable_weights}
    trained = [layer for layer in model.layers[names.index(name) :] if not layer.name.startswith("norm")]
    expected = {weight.path for layer in trained for weight in layer.weights}
    if hint := check_returned(result):
        return hint
    if not found:
        return "nothing is trained; a model that is frozen stays frozen until its own `trainable` is True"
    if any("norm" in path for path in found):
        return "batch normalization is trained; freeze every layer that is a keras.layers.BatchNormalization"
    if found - expected:
        return f"layers before {name} are trained: {', '.join(sorted(found - expected))}"
    if expected - found:
        return f"layers from {name} on are frozen: {', '.join(sorted(expected - found))}"
    count = sum(math.prod(weight.shape) for weight in model.trainable_weights)
    if result == len(found):
        return "return the number of numbers, not of arrays: multiply the shape of each weight"
    if isinstance(result, bool) or not isinstance(result, (int, float, np.number)) or result != count:
        return f"the correct weights are trained, but they hold {count} numbers; your function returns {result!r}"
    return None


@checker("14.classify")
def classify(student):
    """Checks the student's classifier on images with horizontal or vertical stripes: it must beat the larger class."""
    train_images, train_labels = _draw_stripes(60, 40, seed=0)
    test_images, test_labels = _draw_stripes(90, 110, seed=1)
    predicted = student(train_images.copy(), train_labels.copy(), test_images.copy())
    if hint := check_returned(predicted):
        return hint
    predicted = np.asarray(predicted)
    if predicted.shape != test_labels.shape:
        return f"return one label for each of {len(test_labels)} test images; yours has shape {predicted.shape}"
    if not set(predicted.tolist()) <= {0, 1}:
        return "labels are 0 and 1, as in train_labels; take the class of the highest score"
    correct = int(np.sum(predicted == test_labels))
    low, high = wilson_interval(correct / len(test_labels), len(test_labels))
    larger = max(np.mean(test_labels), 1 - np.mean(test_labels))
    if low <= larger:
        return (
            f"{correct} of {len(test_labels)} correct, 95% interval {low:.2f} to {high:.2f}: always predicting the "
            f"larger class ({larger:.2f}) may do as well"
        )
    return None


def _draw_stripes(*counts, seed):
    """Noisy images of stripes, horizontal (0) or vertical (1), in random colors, widths and positions, well mixed."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.repeat([0, 1], counts))
    periods, phases = rng.uniform(4, 12, (len(labels), 1)), rng.uniform(0, 2 * np.pi, (len(labels), 1))
    waves = np.sin(2 * np.pi * np.arange(32) / periods + phases)
    stripes = np.where(labels[:, None, None] == 1, waves[:, None, :], waves[:, :, None])
    colors, contrasts = rng.uniform(80, 175, (len(labels), 1, 1, 3)), rng.uniform(20, 70, (len(labels), 1, 1, 3))
    pixels = colors + contrasts * stripes[..., None] + rng.normal(0, 20, (len(labels), 32, 32, 3))
    return pixels.clip(0, 255).astype("uint8"), labels
