"""Tests the code of lesson 14 on more cases than the lesson shows, and the checkers of its exercises."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from dlkit.models import count_macs
from dlkit.recipes import RECIPES
from tests.lessons.exercise_tests import ExerciseTests
from tests.random_weights import assert_equal_models


@pytest.mark.parametrize("width", [2, 8])
def test_bottleneck_has_the_parameters_of_the_formula(lesson, width):
    x = keras.Input((6, 6, 4 * width))
    model = keras.Model(x, lesson.bottleneck(x, width))
    assert model.count_params() == lesson.block_parameters(4 * width, width)
    weights = 4 * width * width + 9 * width * width + 4 * width * width
    assert sum(count_macs(model).values()) == 36 * weights


def test_block_parameters_with_projection_match_the_first_block_of_resnet50(lesson):
    x = keras.Input((8, 8, 3))
    resnet = keras.applications.ResNet50(include_top=False, weights=None, input_tensor=x)
    names = [layer for layer in resnet.layers if layer.name.startswith("conv3_block1_")]
    assert sum(layer.count_params() for layer in names) == lesson.block_parameters(256, 128, projection=True)


def test_bottleneck_equals_one_of_basic_layers(lesson):
    def build(x):
        y = x
        for filters, kernel in ((3, 1), (3, 3), (12, 1)):
            y = keras.layers.Activation("relu")(y) if y is not x else y
            y = keras.layers.Conv2D(filters, kernel, padding="same")(y)
            y = keras.layers.BatchNormalization(epsilon=1.001e-5)(y)
        return keras.layers.Activation("relu")(keras.layers.Add()([y, x]))

    inputs = [keras.Input((5, 7, 12)) for _ in range(2)]
    ours, theirs = keras.Model(inputs[0], lesson.bottleneck(inputs[0], 3)), keras.Model(inputs[1], build(inputs[1]))
    assert_equal_models(ours, theirs, np.random.default_rng(0).normal(size=(2, 5, 7, 12)).astype("float32"), atol=1e-4)


def test_fit_logistic_takes_the_penalty_that_is_best_on_validation(lesson):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 80)
    rows = rng.normal(size=(80, 5)) + labels[:, None]
    model = lesson.fit_logistic(rows[:40], labels[:40], rows[40:], labels[40:])
    scores = [
        lesson.LogisticRegression(C=c, max_iter=300).fit(rows[:40], labels[:40]).score(rows[40:], labels[40:])
        for c in (0.01, 0.1, 1)
    ]
    assert model.score(rows[40:], labels[40:]) == max(scores)


class SmallMemory:
    """Stands for a model on a GPU whose memory holds batches of so many images."""

    def __init__(self, largest):
        self.largest, self.restored, self.fitted = largest, 0, []

    def get_weights(self):
        return "start"

    def set_weights(self, weights):
        assert weights == "start"
        self.restored += 1

    def fit(self, train_ds, **options):
        images, _ = next(iter(train_ds))
        self.fitted.append(len(images))
        if len(images) > self.largest:
            raise tf.errors.ResourceExhaustedError(None, None, "out of memory")


def test_fit_halving_batches_starts_again_with_half_the_batch(lesson):
    lesson.recipe = RECIPES["resnet50"]
    images, labels = np.zeros((64, 32, 32, 3), "uint8"), np.zeros(64)
    model = SmallMemory(10)
    assert lesson.fit_halving_batches(model, images, labels, 32, 1) == 8
    assert (model.fitted, model.restored) == ([32, 16, 8], 2)
    with pytest.raises(tf.errors.ResourceExhaustedError):
        lesson.fit_halving_batches(SmallMemory(0), images, labels, 2, 1)


# Exercises: other correct answers, and mistakes with a word of the hint that each should get


def unfreezing(*, model=True, norm=False, before=False, after=True, count=None):
    """`unfreeze_from` with one thing changed."""

    def unfreeze_from(network, name):
        if model:
            network.trainable = True
        names = [layer.name for layer in network.layers]
        for index, layer in enumerate(network.layers):
            is_norm = isinstance(layer, keras.layers.BatchNormalization)
            trained = after if index >= names.index(name) else before
            layer.trainable = trained and (norm or not is_norm)
        weights = network.trainable_weights
        return count(weights) if count else sum(int(np.prod(weight.shape)) for weight in weights)

    return unfreeze_from


def only_the_named_layer(network, name):
    network.trainable = True
    for layer in network.layers:
        layer.trainable = layer.name == name
    return sum(int(np.prod(weight.shape)) for weight in network.trainable_weights)


def nearest_mean(train_images, train_labels, test_images):
    """Compares blurred images with the mean of each class, so it sees hardly more than colors."""

    def shrink(images):
        return images.reshape(-1, 4, 8, 4, 8, 3).mean(axis=(2, 4)).reshape(len(images), -1)

    means = np.stack([shrink(train_images[train_labels == label]).mean(axis=0) for label in (0, 1)])
    return ((shrink(test_images)[:, None] - means) ** 2).sum(axis=-1).argmin(axis=1)


def compare_directions(train_images, train_labels, test_images):
    """Vertical stripes change more from left to right: no pretrained network."""
    down, right = (np.abs(np.diff(test_images.astype(float), axis=axis)).mean(axis=(1, 2, 3)) for axis in (1, 2))
    return (right > down).astype(int)


ALTERNATIVES = {
    "14.classify": [compare_directions, lambda *images: compare_directions(*images).tolist()],
    "14.trained_parameters": [4_480_010.0],
    "14.unfreeze_from": [unfreezing(), unfreezing(count=lambda weights: sum(np.size(w) for w in weights))],
}

MISTAKES = {
    "14.classify": [
        (lambda train, labels, test: test.sort(), "returns nothing"),
        (lambda train, labels, test: np.zeros(len(test), int), "larger class"),
        (lambda train, labels, test: np.ones(len(test), int), "larger class"),
        (lambda train, labels, test: np.arange(len(test)) % 2, "larger class"),
        (lambda train, labels, test: labels, "one label for each"),
        (lambda train, labels, test: np.zeros((len(test), 2)), "one label for each"),
        (lambda train, labels, test: compare_directions(train, labels, test) + 6, "0 and 1"),
        (lambda train, labels, test: 1 - compare_directions(train, labels, test), "larger class"),
        (nearest_mean, "larger class"),
    ],
    "14.trained_parameters": [
        (4_459_520, "the head too"),
        (4_480_010 - 3072, "convolutions of Keras's ResNet50 have biases"),
        (4_480_000, "the head has biases"),
        (4_480_010 + 6144, "scale and shift"),
        (4_480_010 + 12_288, "never trained"),
        (20_490, "head alone"),
        (1, "add 1·1"),
    ],
    "14.unfreeze_from": [
        (lambda model, name: setattr(model, "trainable", True), "returns nothing"),
        (unfreezing(model=False), "stays frozen"),
        (unfreezing(norm=True), "batch normalization"),
        (unfreezing(before=True), "layers before"),
        (unfreezing(after=False), "nothing is trained"),
        (only_the_named_layer, "are frozen"),
        (unfreezing(count=len), "not of arrays"),
        (unfreezing(count=lambda weights: 7), "hold"),
    ],
}


class TestExercises(ExerciseTests):
    pass
