"""Tests the code of lesson 12 on more cases than the lesson shows, and the checkers of its exercises."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from dlkit import exercises, models
from tests.lessons.exercise_tests import ExerciseTests
from tests.lessons.helpers import assigned, finite_differences
from tests.random_weights import assert_equal_models, layer_settings
from tools.solutions import answer_of


def test_conv_costs_and_dense_costs_match_the_model(lesson):
    network = keras.Sequential([keras.Input((20, 20, 7)), keras.layers.Conv2D(9, 5), keras.layers.Flatten()])
    network.add(keras.layers.Dense(4))
    formula = lesson.conv_costs(16, 5, 7, 9) + lesson.dense_costs(16 * 16 * 9, 4)
    expected = [network.count_params(), sum(models.count_macs(network).values()), 16 * 16 * 9 + 4]
    assert formula.tolist() == expected
    assert lesson.costs_of(network).tolist() == expected


def test_squeeze_and_excitation_multiplies_channels(lesson):
    x = np.random.default_rng(0).normal(size=(2, 3, 4, 32)).astype("float32")
    inputs = keras.Input(x.shape[1:])
    model = keras.Model(inputs, lesson.squeeze_and_excitation(inputs, reduction=8))
    factors = np.asarray(model(x)) / x
    assert np.ptp(factors, axis=(1, 2)).max() < 1e-5, "the same at all positions"
    assert 0 < factors.min() < factors.max() < 1
    assert model.count_params() == 2 * 32 * 4 + 4 + 32


def test_lenet_has_the_layers_of_build_lenet5(lesson):
    assert layer_settings(assigned(lesson, "lenet")) == layer_settings(models.build_lenet5((32, 32, 3), 10))


@pytest.mark.parametrize("with_shortcut", [True, False])
@pytest.mark.parametrize("depth", [8, 14, 32])
def test_deep_network_matches_build_resnet(lesson, depth, with_shortcut):
    ours = lesson.deep_network(depth, with_shortcut, 16, (4, 8, 16))
    theirs = models.build_resnet(
        (16, 16, 3), 10, depth=depth, channels=(4, 8, 16), shortcut="zeros" if with_shortcut else None
    )
    noise = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 3))
    assert_equal_models(ours, theirs, noise, atol=1e-3)


def test_separable_backward_matches_finite_differences(lesson):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1, 4, 5, 3))
    weights = [rng.normal(size=(3, 3, 3)), rng.normal(size=(3, 2)), rng.normal(size=2)]
    y, h, windows = lesson.separable(x, *weights)
    gradients = lesson.separable_backward(2 * y, weights[0], weights[1], h, windows)
    for values, gradient in zip(weights, gradients, strict=True):
        expected = finite_differences(lambda: np.sum(lesson.separable(x, *weights)[0] ** 2), values)
        np.testing.assert_allclose(gradient, expected, atol=1e-5)


# Exercises: other correct answers, and mistakes with a word of the hint that each should get


def bottleneck_as_a_model(x, width):
    branch = keras.Sequential()
    for kernel, channels in ((1, width), (3, width), (1, x.shape[-1])):
        branch.add(layers.Conv2D(channels, kernel, padding="same", use_bias=False))
        branch.add(layers.BatchNormalization())
        branch.add(layers.ReLU())
    branch.pop()
    return layers.ReLU()(x + branch(x))


def bottleneck(
    *, inner=True, last="after", shortcut=True, bias=False, kernels=(1, 3, 1), norms=3, second="chain", back=None
):
    def block(x, width):
        y = x
        channels_of = (width, width, back(width) if back else x.shape[-1])
        for k, (kernel, channels) in enumerate(zip(kernels, channels_of, strict=True)):
            inputs = x if second == "from x" and k == 1 else y
            y = layers.Conv2D(channels, kernel, padding="same", use_bias=bias)(inputs)
            y = layers.BatchNormalization()(y) if k < norms else y
            y = ops.relu(y) if k < 2 and inner else y
        y = ops.relu(y) if last == "before" else y
        y = x + y if shortcut else y
        return layers.Activation("relu")(y) if last == "after" else y

    return block


def separable(**changes):
    """Measurements and a conclusion that are correct without changes."""
    measured = {"ordinary": (5, [0.4, 0.5, 0.6]), "separable": (1, [0.3, 0.4, 0.5]), "lost": 0.1, "clear": False}
    return measured | changes


ALTERNATIVES = {
    "12.bottleneck_block": [bottleneck(), bottleneck_as_a_model],
    "12.separable_cnn": [
        {
            "ordinary": [5e6, np.array([0.4, 0.42, 0.39])],
            "separable": (1e6, (0.41, 0.38, 0.4)),
            "lost": np.float32(0.0067),
            "clear": np.False_,
        },
        separable(lost=-0.4, separable=(1, [0.9, 0.95, 0.85]), clear=True),
    ],
    "12.vgg_dense_layer": [102_764_544.0],
}

MISTAKES = {
    "12.bottleneck_block": [
        (bottleneck(shortcut=False), "x is not added"),
        (bottleneck(last=None), "missing after the sum"),
        (bottleneck(last="before"), "belongs after it"),
        (bottleneck(inner=False), "missing between"),
        (bottleneck(bias=True), "use_bias=False"),
        (bottleneck(kernels=(3, 3, 1)), "found [(3, 4), (3, 4), (1, 8)]"),
        (bottleneck(back=lambda width: 2 * width), "raised"),
        (bottleneck(back=lambda width: 8), "raised"),
        (lambda x, width: bottleneck()(x, 4), "(1, 2), (3, 2)"),
        (bottleneck(norms=2), "found 2"),
        (bottleneck(norms=0), "found 0"),
        (lambda x, width: x, "found []"),
        (lambda x, width: x[..., :4], "to the same shape"),
    ],
    "12.separable_cnn": [
        (separable(separable=(4, [0.4, 0.5, 0.6])), "less than half"),
        (separable(ordinary=(1, [0.4, 0.5, 0.6]), separable=(4, [0.4, 0.5, 0.6])), "exchanged"),
        (separable(ordinary=(5, [0.4])), "at least three"),
        (separable(ordinary=(5, [40, 50, 60])), "not percentages"),
        (separable(separable=(1, [0.4] * 3)), "another seed"),
        (separable(ordinary=5), "are pairs"),
        ({"ordinary": (5, [0.4, 0.5, 0.6]), "separable": (1, [0.3, 0.4, 0.5])}, "give"),
        (separable(lost=-0.1), "a loss is positive"),
        (separable(ordinary=(5, [0.4, 0.5, 0.7]), lost=0.2), "not the best ones"),
        (separable(lost=0.3), "minus that of the separable"),
        (separable(lost=None), "give one number"),
        (separable(clear=True), "only if all runs"),
        (separable(ordinary=(5, [0.6, 0.7, 0.8]), lost=0.3, clear=False), "only if all runs"),
        (separable(clear="no"), "True or False"),
    ],
    "12.vgg_dense_layer": [
        (7 * 7 * 512 * 4096, "bias too"),
        (7 * 512 * 4096 + 4096, "7 columns"),
        (512 * 4096 + 4096, "mean over the image"),
        (138_357_544, "complete network"),
        (1, "inputs"),
        ("many", "give one number"),
    ],
}


class TestExercises(ExerciseTests):
    def test_solution_is_right_in_mixed_precision(self, request, mixed_precision):
        assert (
            exercises.verdict("12.bottleneck_block", answer_of(request.module.SOLUTIONS["12.bottleneck_block"]))
            == "✓ right"
        )
