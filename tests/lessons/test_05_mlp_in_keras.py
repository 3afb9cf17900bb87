"""Tests the code of lesson 05 on more cases than the lesson shows, and the checkers of its exercises."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from dlkit import exercises
from tests.lessons.exercise_tests import ExerciseTests
from tools.solutions import answer_of


def test_subclass_mlp_matches_functional_and_is_reloaded(lesson, tmp_path):
    functional, subclass = lesson.build_functional(), lesson.SubclassMLP()
    images = np.random.default_rng(0).integers(0, 256, (5, 28, 28)).astype("uint8")
    subclass(images)
    assert [w.shape for w in functional.get_weights()] == [w.shape for w in subclass.get_weights()]
    subclass.set_weights(functional.get_weights())
    np.testing.assert_allclose(subclass(images), functional(images), atol=1e-6)
    subclass.save(tmp_path / "class.keras")
    np.testing.assert_array_equal(keras.models.load_model(tmp_path / "class.keras")(images), subclass(images))


@pytest.mark.parametrize("optimizer", ["SGD", "Adam", "RMSprop"])
def test_train_by_hand_matches_fit_step_by_step(lesson, optimizer):
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (90, 28, 28)).astype("uint8"), rng.integers(0, 10, 90)
    lesson.cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    network = lesson.build_functional()
    start, traces = network.get_weights(), []
    for by_hand in (True, False):
        network.set_weights(start)
        network.compile(getattr(keras.optimizers, optimizer)(0.01), lesson.cross_entropy)
        if by_hand:
            losses, trace = lesson.train_by_hand(network, network.optimizer, images, labels, 32)
        else:
            recorder = lesson.RecordWeights()
            history = network.fit(images, labels, 32, shuffle=False, callbacks=[recorder], verbose=0)
            trace = recorder.trace
        traces.append(trace)
    assert [len(trace) for trace in traces] == [3, 3]
    for ours, theirs in zip(*traces, strict=True):
        assert lesson.max_difference(ours, theirs) < 1e-5
    mean = np.average(losses, weights=[32, 32, 26])
    np.testing.assert_allclose(mean, history.history["loss"][0], rtol=1e-5)


def test_numpy_step_matches_gradient_tape(lesson):
    rng = np.random.default_rng(2)
    weights = [rng.normal(size=shape) for shape in ((3, 5), (5,), (5, 4), (4,))]
    x, y = rng.normal(size=(6, 3)), rng.integers(0, 4, 6)
    variables = [tf.Variable(w) for w in weights]
    with tf.GradientTape() as tape:
        hidden = tf.nn.relu(x @ variables[0] + variables[1])
        logits = hidden @ variables[2] + variables[3]
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits))
    gradients = tape.gradient(loss, variables)
    for found, w, g in zip(lesson.numpy_step(x, y, weights, 0.3), weights, gradients, strict=True):
        np.testing.assert_allclose(found, w - 0.3 * g.numpy(), atol=1e-10)


def test_watched_model_trains_like_keras_and_logs_the_gradient(lesson):
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (64, 28, 28)).astype("uint8"), rng.integers(0, 10, 64)
    network = lesson.build_functional()
    start, found = network.get_weights(), []
    for model in (network, lesson.WatchedModel(network.inputs, network.outputs)):
        model.set_weights(start)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.SGD(0.1), loss, metrics=["accuracy"])
        history = model.fit(images, labels, 64, shuffle=False, verbose=0).history
        found.append((model.get_weights(), history))
    (weights, plain), (watched_weights, watched) = found
    for w, v in zip(weights, watched_weights, strict=True):
        np.testing.assert_allclose(w, v, atol=1e-6)
    assert watched["accuracy"] == plain["accuracy"]
    np.testing.assert_allclose(watched["loss"], plain["loss"], rtol=1e-5)
    length = np.sqrt(sum(np.sum(((a - b) / 0.1) ** 2) for a, b in zip(start, watched_weights, strict=True)))
    np.testing.assert_allclose(watched["gradient_length"], [length], rtol=1e-3)


def test_make_pairs_compares_with_the_next_image(lesson):
    inputs, targets = lesson.make_pairs(np.arange(4)[:, None, None] + np.zeros((4, 28, 28)), np.array([3, 1, 1, 2]))
    assert targets["larger"].ravel().tolist() == [1, 0, 0, 0]
    assert inputs["right"][:, 0, 0].tolist() == [1, 2, 3, 0]


def test_scramble_permutes_all_images_alike(lesson):
    images = np.arange(2 * 784).reshape(2, 28, 28)
    lesson.order = np.random.default_rng(1).permutation(784)
    scrambled = lesson.scramble(images)
    assert np.array_equal(np.sort(scrambled.ravel()), images.ravel())
    assert np.array_equal(scrambled[1] - scrambled[0], np.full((28, 28), 784))


# Exercises: other correct answers, and mistakes with a word of the hint that each should get


def per_array(clip):
    return lambda gradients, limit: [clip(g, limit) for g in gradients]


def by_global_norm(gradients, limit):
    norm = np.sqrt(sum(np.sum(g**2) for g in gradients))
    return [g * min(1, limit / norm) for g in gradients]


BY_VALUE = per_array(lambda g, limit: np.clip(g, -limit, limit))


def clipped(clip=BY_VALUE, sign=1, loss_of=lambda before, after: before, training=True, swapped=False):
    def answer(network, loss_function, optimizer, x, y, limit):
        with tf.GradientTape() as tape:
            outputs = network(x, training=training)
            before = loss_function(outputs, y) if swapped else loss_function(y, outputs)
        variables = network.trainable_variables
        gradients = clip([g.numpy() for g in tape.gradient(before, variables)], limit)
        optimizer.apply_gradients([(tf.constant(sign * g), v) for g, v in zip(gradients, variables, strict=True)])
        return loss_of(float(before), float(loss_function(y, network(x))))

    return answer


def clipped_by_formula(network, loss_function, optimizer, x, y, limit):
    """Clips correctly, but only for one dense layer and squared errors."""
    W, b = network.get_weights()[-2:]
    error = x @ W + b - y
    gradients = [2 * x.T @ error / len(x), 2 * error.mean(axis=0)]
    optimizer.apply([np.clip(g, -limit, limit).astype("float32") for g in gradients], network.trainable_variables[-2:])
    network(x, training=True)
    return np.mean(error**2)


def accuracy_of(shifted, score=lambda hits: hits.mean()):
    def answer(network, images, labels, shift):
        logits = np.asarray(network(shifted(images, shift)))
        return score(logits.argmax(axis=1) == labels)

    return answer


def by_evaluate(network, images, labels, shift):
    network.compile(metrics=["accuracy"], loss="sparse_categorical_crossentropy")
    return network.evaluate(np.roll(images, shift, 2), labels, verbose=0)[1]


def in_place(network, images, labels, shift):
    images[:] = np.roll(images, shift, axis=2)
    return np.mean(network.predict(images, verbose=0).argmax(axis=1) == labels)


def to_the_right(images, shift):
    return np.roll(images, shift, axis=2)


ALTERNATIVES = {
    "05.clipped_step": [clipped()],
    "05.largest_width": [200.0],
    "05.shifted_digits": [accuracy_of(to_the_right), by_evaluate],
}

MISTAKES = {
    "05.clipped_step": [
        (clipped(clip=per_array(lambda g, limit: g)), "not clipped"),
        (clipped(clip=per_array(np.minimum)), "but not the negative"),
        (clipped(clip=by_global_norm), "norm of all gradients"),
        (clipped(clip=per_array(lambda g, limit: 0.5 * g)), "not those of one SGD step"),
        (clipped(sign=-1), "goes uphill"),
        (clipped(sign=0), "did not change"),
        (clipped(loss_of=lambda before, after: after), "before the step"),
        (clipped(loss_of=lambda before, after: None), "is the `return` missing"),
        (clipped(loss_of=lambda before, after: [before, after]), "one number"),
        (clipped(training=False), "training=True"),
        (clipped(training=None), "training=True"),
        (clipped(swapped=True), "targets first"),
        (clipped_by_formula, "linear network"),
    ],
    "05.largest_width": [
        (201, "bias"),
        (251, "two hidden layers"),
        (254, "first layer only"),
        (202, "last layer"),
        (100, "add up 785 u"),
    ],
    "05.shifted_digits": [
        (accuracy_of(lambda images, shift: images), "not shifted"),
        (accuracy_of(lambda images, shift: np.roll(images, -shift, axis=2)), "to the left"),
        (accuracy_of(lambda images, shift: np.roll(images, shift, axis=1)), "downward"),
        (accuracy_of(lambda images, shift: np.roll(images, shift, axis=0)), "whole images"),
        (accuracy_of(lambda images, shift: np.roll(images, shift)), "without an axis"),
        (accuracy_of(to_the_right, lambda hits: 100 * hits.mean()), "percentage"),
        (accuracy_of(to_the_right, lambda hits: 1 - hits.mean()), "fraction of errors"),
        (accuracy_of(to_the_right, np.sum), "number of correct answers"),
        (accuracy_of(to_the_right, lambda hits: hits), "one number"),
        (accuracy_of(to_the_right, lambda hits: None), "is the `return` missing"),
        (accuracy_of(lambda images, shift: to_the_right(images, 2)), "places of the largest logits"),
        (in_place, "changes the images"),
    ],
}


class TestExercises(ExerciseTests):
    def test_solution_is_right_in_mixed_precision(self, request, mixed_precision):
        assert exercises.verdict("05.clipped_step", answer_of(request.module.SOLUTIONS["05.clipped_step"])) == "✓ right"
