"""Tests the code of lesson 08 on more cases than the lesson shows, and the checkers of its exercises."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from benchmarks.experiments import load_protocol
from dlkit.exercises.lesson_08 import broken_trainings
from tests.lessons.exercise_tests import ExerciseTests
from tools.notebooks import code_cells, read


@pytest.mark.parametrize("skip", [False, True])
@pytest.mark.parametrize("activation", ["relu", "sigmoid"])
def test_backward_matches_keras_in_every_layer(lesson, activation, skip):
    deep = lesson
    deep.depth, deep.units = 6, 12
    deep.cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    network = deep.build(activation, "glorot_normal", skip=skip)
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (20, 28, 28)).astype("uint8"), rng.integers(0, 10, 20)
    x = images.reshape(20, -1) / 255
    weights = deep.layer_weights(network)
    assert len(weights) == 7
    logits = deep.forward(x, weights, getattr(deep, activation), skip)[-1]
    np.testing.assert_allclose(logits, network(images), atol=1e-4)
    keras_norms = deep.gradient_norms(network, images, labels)
    by_hand = deep.norms_by_hand(network, images, labels, getattr(deep, activation), skip)
    np.testing.assert_allclose(by_hand, keras_norms, rtol=1e-3)


def test_build_adds_parameters_for_batch_norm_only(lesson):
    deep = lesson
    deep.depth, deep.units = 4, 8
    counts = {
        (bn, skip): deep.build("relu", "he_normal", batch_norm=bn, skip=skip).count_params()
        for bn in (False, True)
        for skip in (False, True)
    }
    assert counts[False, False] == counts[False, True] == 784 * 8 + 8 + 3 * (8 * 8 + 8) + 8 * 10 + 10
    assert counts[True, True] == counts[True, False] == counts[False, False] + 3 * 4 * 8


def test_experiment_builds_the_networks_of_the_lesson(lesson_path):
    named = {}
    (source,) = [cell.source for cell in code_cells(read(lesson_path)) if cell.source.startswith("setups = ")]
    exec(source, named)
    assert load_protocol("08").SETTINGS["networks"] == named["setups"]


def test_train_takes_the_same_steps_with_one_seed(lesson):
    deep = lesson
    deep.depth, deep.units, deep.steps = 2, 8, 3
    deep.cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    rng = np.random.default_rng(0)
    deep.images, deep.labels = rng.integers(0, 256, (50, 28, 28)).astype("uint8"), rng.integers(0, 10, 50)
    network = deep.compiled(deep.build("relu", "he_normal"))
    weights = []
    for seed in (0, 1, 0):
        deep.train(network, 0.05, seed)
        assert network.optimizer.iterations.numpy() == 3  # even with fewer images than the steps need
        weights.append(np.concatenate([array.ravel() for array in network.get_weights()]))
    np.testing.assert_array_equal(weights[0], weights[2])
    assert abs(weights[0] - weights[1]).max() > 0.01


@pytest.mark.parametrize("limit", [0.1, 1.0, 1e6])
def test_clip_by_global_norm_matches_tensorflow_and_keras(lesson, limit):
    rng = np.random.default_rng(0)
    gradients = [rng.normal(size=(3, 4)), rng.normal(size=4), rng.normal(size=(2, 2, 2))]
    theirs, _ = tf.clip_by_global_norm(gradients, limit)
    ours = lesson.clip_by_global_norm(gradients, limit)
    variables = [keras.Variable(np.zeros(g.shape), dtype="float64") for g in gradients]
    optimizer = keras.optimizers.SGD(1.0, global_clipnorm=limit)
    optimizer.apply([keras.ops.convert_to_tensor(g) for g in gradients], variables)
    for mine, of_tensorflow, variable in zip(ours, theirs, variables, strict=True):
        np.testing.assert_allclose(mine, of_tensorflow, atol=1e-12)
        np.testing.assert_allclose(mine, -variable.numpy(), atol=1e-6)


@pytest.mark.parametrize("units", [64, 400])
def test_signal_sizes_stay_with_he_and_halve_with_glorot(lesson, units):
    x = np.random.default_rng(0).normal(size=(200, units))
    ratios = {}
    for name, std_of in (("He", lambda n, _: np.sqrt(2 / n)), ("Glorot", lambda n, m: np.sqrt(2 / (n + m)))):
        sizes = lesson.signal_sizes(x, std_of, 8, units, np.random.default_rng(1))
        ratios[name] = (sizes[-1] / sizes[0]) ** 2
    assert 0.2 < ratios["He"] < 5
    assert 0.2 < ratios["Glorot"] * 2**7 < 5


def test_broken_trainings_show_their_mistakes():
    curves = {letter: {k: np.array(v) for k, v in pair.items()} for letter, pair in broken_trainings().items()}
    chance = np.log(10)
    mixed, twice, large, zero = (curves[letter] for letter in "ABCD")
    assert mixed["training"][-1] < chance - 0.1
    assert mixed["validation"][-1] > chance + 0.1
    assert 1.461 < twice["training"][-1] < 1.9
    assert abs(twice["training"] - twice["validation"]).max() < 0.1
    assert large["training"].min() > 2 * chance
    assert abs(zero["training"] - chance).max() < 0.01


@pytest.mark.parametrize("rows", [2, 7])
def test_normalization_by_hand_matches_keras(lesson, rows):
    lesson.epsilon = 1e-3
    rng = np.random.default_rng(rows)
    z, dy = rng.normal(1, 3, size=(2, rows, 4)).astype("float32")
    gamma, beta, m = rng.normal(size=(3, 4)).astype("float32")
    v = rng.uniform(0.5, 2, size=4).astype("float32")
    layer, layer_norm = keras.layers.BatchNormalization(), keras.layers.LayerNormalization()
    layer.build(z.shape)
    layer_norm.build(z.shape)
    layer.set_weights([gamma, beta, m, v])
    layer_norm.set_weights([gamma, beta])
    np.testing.assert_allclose(lesson.layer_norm(z, gamma, beta), layer_norm(z), atol=1e-4)
    np.testing.assert_allclose(lesson.batch_norm_inference(z, gamma, beta, m, v), layer(z), atol=1e-4)
    x = tf.constant(z)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x, training=True)
    result, z_hat, sigma = lesson.batch_norm(z, gamma, beta)
    np.testing.assert_allclose(result, y, atol=1e-4)
    theirs = tape.gradient(y, [x, layer.gamma.value, layer.beta.value], output_gradients=tf.constant(dy))
    for ours, gradient in zip(lesson.batch_norm_backward(dy, gamma, z_hat, sigma), theirs, strict=True):
        np.testing.assert_allclose(ours, gradient, atol=1e-4)


# Exercises: other correct answers, and mistakes with a word of the hint that each should get


def skip_gradient(dx_of=lambda x, W, dy: dy + np.where(x > 0, dy @ W.T, 0), dw_of=lambda x, dy: (x * (x > 0)).T @ dy):
    return lambda x, W, dy: [dx_of(x, W, dy), dw_of(x, dy)]


DIAGNOSES = {"A": "labels mixed up", "B": "softmax twice", "C": "rate too large", "D": "zero weights"}


ALTERNATIVES = {
    "08.diagnoses": [DIAGNOSES | {"E": "nothing"}],
    "08.leaky_relu": [{"std": np.float32(0.095), "growth": 8.2}],
    "08.skip_layer_gradient": [skip_gradient()],
}

MISTAKES = {
    "08.diagnoses": [
        ({"A": "zero weights"}, "A, B, C and D"),
        (DIAGNOSES | {"A": "overfitting"}, "not one of the four"),
        (DIAGNOSES | {"D": "softmax twice"}, "does not change at all"),
        (DIAGNOSES | {"C": "labels mixed up"}, "jumps up and down"),
        (DIAGNOSES | {"B": "labels mixed up"}, "stay above 1.46"),
        (DIAGNOSES | {"A": "softmax twice"}, "two losses diverge"),
    ],
    "08.leaky_relu": [
        (0.095, "dictionary"),
        ({"std": 0.095}, "dictionary"),
        ({"std": 0.009, "growth": 8.2}, "variance"),
        ({"std": 0.1, "growth": 8.2}, "ordinary ReLU"),
        ({"std": 0.0866, "growth": 8.2}, "square of 1/3"),
        ({"std": 0.1897, "growth": 8.2}, "number of inputs, not of outputs"),
        ({"std": 1.0, "growth": 8.2}, "solve 200"),
        ({"std": "0.095", "growth": 8.2}, "one number"),
        ({"std": 0.0949, "growth": 2.868}, "root mean square"),
        ({"std": 0.0949, "growth": 1.111}, "one layer"),
        ({"std": 0.0949, "growth": 0.1216}, "inverse"),
        ({"std": 0.0949, "growth": 20}, "20 layers by"),
    ],
    "08.skip_layer_gradient": [
        (skip_gradient(dx_of=lambda x, W, dy: (dy @ W.T) * (x > 0)), "reaches x directly"),
        (skip_gradient(dx_of=lambda x, W, dy: dy), "skip connection alone"),
        (skip_gradient(dx_of=lambda x, W, dy: dy + dy @ W.T), "derivative of ReLU"),
        (skip_gradient(dx_of=lambda x, W, dy: dy + (dy @ W) * (x > 0)), "transposed"),
        (skip_gradient(dx_of=lambda x, W, dy: (dy + dy @ W.T) * (x > 0)), "path through W only"),
        (skip_gradient(dx_of=lambda x, W, dy: dy + (dy @ W.T) * (x >= 0)), "exactly 0"),
        (skip_gradient(dx_of=lambda x, W, dy: -dy), "two paths"),
        (skip_gradient(dx_of=lambda x, W, dy: dy.T), "dx must have the shape"),
        (skip_gradient(dw_of=lambda x, dy: x.T @ dy), "not by x"),
        (skip_gradient(dw_of=lambda x, dy: dy.T @ x), "dense layer"),
        (lambda x, W, dy: dy, "two arrays"),
    ],
}


class TestExercises(ExerciseTests):
    pass
