"""Tests the code of lesson 03 on more cases than the lesson shows, and the checkers of its exercises."""

import re

import nbformat
import numpy as np
import pytest
import tensorflow as tf

from tests.lessons.exercise_tests import ExerciseTests
from tools.notebooks import ROOT, code_cells, normalize, read


def random_problem(rng, batch=6, inputs=3, hidden=5, outputs=1):
    weights = [rng.normal(size=s) for s in ((inputs, hidden), (hidden,), (hidden, outputs), (outputs,))]
    return rng.normal(size=(batch, inputs)), weights


@pytest.mark.parametrize("seed", range(5))
def test_backward_matches_finite_differences_and_tape(lesson, seed):
    rng = np.random.default_rng(seed)
    x, weights = random_problem(rng)
    y = rng.random((6, 1))
    by_hand = lesson.backward(x, y, weights)
    finite_differences = lesson.numerical_gradients(lambda: lesson.mse(lesson.forward(x, weights)[-1], y), weights)
    variables = [tf.Variable(values) for values in weights]
    with tf.GradientTape() as tape:
        hidden = tf.nn.relu(x @ variables[0] + variables[1])
        loss = tf.reduce_mean((tf.sigmoid(hidden @ variables[2] + variables[3]) - y) ** 2)
    taped = tape.gradient(loss, variables)
    for a, b, c in zip(by_hand, finite_differences, taped, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
        np.testing.assert_allclose(a, c, atol=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_mlp_backward_matches_finite_differences_and_tape(lesson, seed):
    rng = np.random.default_rng(seed)
    x, weights = random_problem(rng, outputs=4)
    y = rng.integers(0, 4, 6)
    by_hand = lesson.mlp_backward(x, y, weights)
    finite_differences = lesson.numerical_gradients(lambda: lesson.cross_entropy(x, y, weights), weights)
    variables = [tf.Variable(values) for values in weights]
    with tf.GradientTape() as tape:
        logits = tf.nn.relu(x @ variables[0] + variables[1]) @ variables[2] + variables[3]
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits))
    taped = tape.gradient(loss, variables)
    assert float(loss) == pytest.approx(lesson.cross_entropy(x, y, weights), abs=1e-12)
    for a, b, c in zip(by_hand, finite_differences, taped, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
        np.testing.assert_allclose(a, c, atol=1e-12)


def test_softmax_does_not_overflow(lesson):
    np.testing.assert_allclose(lesson.softmax(np.array([[1001.0, 1002, 1003]])).sum(), 1)


def test_backward_with_mistake_differs_from_backward(lesson):
    rng = np.random.default_rng(0)
    x, weights = random_problem(rng)
    y = rng.random((6, 1))
    expected = lesson.backward(x, y, weights)
    for mistake in ("turned", "twice"):
        wrong = lesson.backward_with(mistake, x, y, weights)
        assert lesson.largest_difference(expected, wrong) > 1e-3
    np.testing.assert_allclose(lesson.backward_with("none", x, y, weights)[0], expected[0])


def test_train_epoch_is_reproducible(lesson):
    def train():
        rng = np.random.default_rng(0)
        x, y = rng.random((100, 64)), rng.integers(0, 10, 100)
        weights = lesson.initial_weights(64, 16, 10, rng)
        losses = [lesson.train_epoch(x, y, weights, 32, 0.1, rng) for _ in range(3)]
        return losses, weights

    (losses, weights), (losses_again, weights_again) = train(), train()
    assert losses == losses_again
    assert losses[-1] < losses[0]
    for a, b in zip(weights, weights_again, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.slow
def test_notebook_is_reproducible(tmp_path):
    """Two runs in fresh kernels give the same weights, texts and figures, except where times are measured."""
    from nbclient import NotebookClient

    def run():
        notebook = read(ROOT / "notebooks" / "03_backpropagation.ipynb")
        digest = "import hashlib\nweights = [*mlp_weights, *mlp.get_weights()]\n"
        digest += "hashlib.sha256(b''.join(values.tobytes() for values in weights)).hexdigest()"
        notebook.cells.append(nbformat.v4.new_code_cell(digest))
        NotebookClient(
            notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": tmp_path}}
        ).execute()
        untimed = [cell for cell in code_cells(notebook) if not re.search("fastest|times_slower", cell.source)]
        assert len(untimed) > len(code_cells(notebook)) / 2
        return [normalize(nbformat.v4.new_notebook(cells=[cell])).cells[0].outputs for cell in untimed]

    first, second = run(), run()
    assert re.fullmatch("'[0-9a-f]{64}'", first[-1][0].data["text/plain"])
    assert [strip_counts(outputs) for outputs in first] == [strip_counts(outputs) for outputs in second]


def strip_counts(outputs):
    return [{key: value for key, value in output.items() if key != "execution_count"} for output in outputs]


# Exercises: other correct answers, and mistakes with a word of the hint that each should get


def alternative_tanh(x, W, b, da):
    z = x @ W + b
    dz = da / np.cosh(z) ** 2
    return [np.einsum("ni,nj->ij", x, dz), np.ones(len(x)) @ dz, np.einsum("nj,ij->ni", dz, W)]


def mistaken_tanh(dz_of, db_of=lambda dz: dz.sum(axis=0), sign=1, returns=3):
    def answer(x, W, b, da):
        dz = sign * dz_of(x @ W + b, da)
        return (x.T @ dz, db_of(dz), dz @ W.T)[:returns]

    return answer


def correct_dz(z, da):
    return da * (1 - np.tanh(z) ** 2)


ALTERNATIVES = {
    "03.flipped_sign": [" Rises "],
    "03.one_step_on_paper": [np.float64(1.3)],
    "03.tanh_layer_gradient": [alternative_tanh],
}

MISTAKES = {
    "03.flipped_sign": [
        ("falls", "uphill"),
        ("stays", "steepest ascent"),
        ("oscillates", "never come back"),
        (1, "one of"),
    ],
    "03.one_step_on_paper": [
        (-0.3, "sign"),
        (0.9, "factor of 2"),
        (8.5, "learning rate"),
        (0.7, "two factors of 2"),
        (-8.0, "take the step"),
        (2.0, "forward"),
        ("1.3", "give one number"),
    ],
    "03.tanh_layer_gradient": [
        (mistaken_tanh(lambda z, da: da), "derivative of tanh is missing"),
        (mistaken_tanh(correct_dz, sign=-1), "sign is flipped"),
        (mistaken_tanh(correct_dz, db_of=lambda dz: dz), "sum over the batch"),
        (mistaken_tanh(correct_dz, db_of=lambda dz: dz.mean(axis=0)), "db is a mean"),
        (mistaken_tanh(lambda z, da: da * (1 - np.tanh(np.tanh(z)) ** 2)), "applied twice"),
        (mistaken_tanh(correct_dz, returns=2), "three arrays"),
        (lambda x, W, b, da: (W, b, x), "dW does not match finite differences"),
        (lambda x, W, b, da: (x @ da, b, x), "your function raised ValueError"),
        (lambda x, W, b, da: (W, x[0], x), "db must have the shape (2,) of b"),
        (lambda x, W, b, da: (W.T, b, x), "this has shape (2, 3)"),
    ],
}


class TestExercises(ExerciseTests):
    pass
