"""Tests the code of lesson 03 on more cases than the lesson shows, and the checkers of its exercises."""

import re

import nbformat
import numpy as np
import pytest
import tensorflow as tf

from tests.lessons import helpers
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
    for mistake in ("flipped sign", "sigmoid twice"):
        wrong = lesson.backward_with(mistake, x, y, weights)
        assert lesson.largest_difference(expected, wrong) > 1e-3
    np.testing.assert_allclose(lesson.backward_with("correct", x, y, weights)[0], expected[0])


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


@pytest.mark.parametrize("seed", range(3))
def test_value_matches_tape(lesson, seed):
    """A formula with all operations, with values that are used several times."""
    data = np.random.default_rng(seed).normal(size=3)

    def formula(a, b, c, exp, log, relu):
        u = a * b + 2
        v = u + exp(u * c) * relu(b + u)
        return log(exp(v * 0.1) + 1) + v * u + relu(a * -1)

    values = [lesson.Value(number) for number in data]
    Value = lesson.Value
    result = formula(*values, Value.exp, Value.log, Value.relu)
    lesson.backpropagate(result)
    expected, taped = helpers.taped(lambda a, b, c: formula(a, b, c, tf.exp, tf.math.log, tf.nn.relu), *data)
    assert result.data == pytest.approx(expected)
    np.testing.assert_allclose([value.grad for value in values], taped)


def test_topological_order(lesson):
    a = lesson.Value(1)
    u = a * 2
    end = u + u * a
    order = lesson.topological_order(end)
    position = {id(node): k for k, node in enumerate(order)}
    assert len(position) == len(order)
    assert all(position[id(source)] < position[id(node)] for node in order for source, _ in node.sources)


@pytest.mark.parametrize("shapes", [((4, 3), (3,)), ((4, 3), (1, 3)), ((4, 1), (4, 3)), ((3,), (4, 3)), ((), (2, 3))])
def test_tensor_broadcasts_as_tape(lesson, shapes):
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=shape) for shape in shapes]
    tensors = [lesson.Tensor(array) for array in arrays]
    a, b = tensors
    lesson.backpropagate_arrays(lesson.exp(a * b) + lesson.relu(a + b) * a)
    _, expected = helpers.taped(lambda a, b: tf.exp(a * b) + tf.nn.relu(a + b) * a, *arrays)
    for tensor, gradient in zip(tensors, expected, strict=True):
        assert tensor.grad.shape == tensor.data.shape
        np.testing.assert_allclose(tensor.grad, gradient)


@pytest.mark.parametrize("seed", range(3))
def test_engine_loss_matches_mlp_backward(lesson, seed):
    rng = np.random.default_rng(seed)
    x, weights = random_problem(rng, outputs=10)
    y = rng.integers(0, 10, 6)
    params = [lesson.Tensor(values) for values in weights]
    loss = lesson.engine_loss(x, y, params)
    lesson.backpropagate_arrays(loss)
    assert loss.data.item() == pytest.approx(lesson.cross_entropy(x, y, weights))
    for parameter, gradient in zip(params, lesson.mlp_backward(x, y, weights), strict=True):
        np.testing.assert_allclose(parameter.grad, gradient, atol=1e-12)


@pytest.mark.parametrize("every", [1, 2, 3, 5, 7])
def test_checkpointed_gradients_match_tape(lesson, every):
    rng = np.random.default_rng(0)
    x, matrices = rng.normal(size=(6, 4)), [rng.normal(size=(4, 4)) for _ in range(5)]

    def loss(*matrices):
        h = x
        for W in matrices:
            h = tf.nn.relu(h @ W)
        return tf.reduce_mean(h**2)

    _, expected = helpers.taped(loss, *matrices)
    for gradient, taped in zip(lesson.checkpointed_gradients(x, matrices, every), expected, strict=True):
        np.testing.assert_allclose(gradient, taped)


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
        untimed = [cell for cell in code_cells(notebook) if not re.search("fastest|times_slower|peaks", cell.source)]
        assert len(untimed) > len(code_cells(notebook)) / 2
        return [normalize(nbformat.v4.new_notebook(cells=[cell])).cells[0].outputs for cell in untimed]

    first, second = run(), run()
    assert re.fullmatch("'[0-9a-f]{64}'", first[-1][0].data["text/plain"])
    assert [strip_counts(outputs) for outputs in first] == [strip_counts(outputs) for outputs in second]


def strip_counts(outputs):
    return [{key: value for key, value in output.items() if key != "execution_count"} for output in outputs]


# Exercises: other correct answers, and mistakes with a word of the hint that each should get


def alternative_tanh(x, W, b, dh):
    z = x @ W + b
    dz = dh / np.cosh(z) ** 2
    return [np.einsum("ni,nj->ij", x, dz), np.ones(len(x)) @ dz, np.einsum("nj,ij->ni", dz, W)]


def mistaken_tanh(dz_of, db_of=lambda dz: dz.sum(axis=0), sign=1, returns=3):
    def answer(x, W, b, dh):
        dz = sign * dz_of(x @ W + b, dh)
        return (x.T @ dz, db_of(dz), dz @ W.T)[:returns]

    return answer


def correct_dz(z, dh):
    return dh * (1 - np.tanh(z) ** 2)


def differences(loss, w, step):
    above_and_below = [(loss(w + move), loss(w - move)) for move in step * np.eye(len(w))]
    return np.array([(above - below) / (2 * step) for above, below in above_and_below])


def alternative_entries(loss, w, gradient):
    """Returns a NumPy array and uses another step."""
    true = differences(loss, w, 1e-4)
    return np.flatnonzero(~np.isclose(gradient, true, rtol=0, atol=0.01 * np.abs(true).max()))


def mistaken_entries(step=1e-5, relative=None, absolute=0.0):
    def answer(loss, w, gradient):
        true = differences(loss, w, step)
        limit = absolute if relative is None else relative * np.abs(true).max()
        return [k for k in range(len(w)) if abs(gradient[k] - true[k]) > limit]

    return answer


def entry_errors(loss, w, gradient):
    """Compares each entry with itself instead of the largest one."""
    true = differences(loss, w, 1e-5)
    return np.abs(gradient - true) > 0.01 * np.abs(true)


def changes_w(loss, w, gradient):
    w += 1e-5
    return []


ALTERNATIVES = {
    "03.shared_weight": [np.float64(52)],
    "03.tanh_layer_gradient": [alternative_tanh],
    "03.wrong_entries": [alternative_entries, mistaken_entries(step=1e-6, relative=0.01)],
}

MISTAKES = {
    "03.shared_weight": [
        (28, "Add both paths"),
        (24.0, "path through h"),
        (26, "factor of 2"),
        (13, "derivative of ŷ"),
        (672, "multiplied the two paths"),
        (-52, "sign"),
        (7, "forward"),
        ("52", "give one number"),
    ],
    "03.tanh_layer_gradient": [
        (mistaken_tanh(lambda z, dh: dh), "derivative of tanh is missing"),
        (mistaken_tanh(correct_dz, sign=-1), "sign is flipped"),
        (mistaken_tanh(correct_dz, db_of=lambda dz: dz), "sum over the batch"),
        (mistaken_tanh(correct_dz, db_of=lambda dz: dz.mean(axis=0)), "db is a mean"),
        (mistaken_tanh(lambda z, dh: dh * (1 - np.tanh(np.tanh(z)) ** 2)), "applied twice"),
        (mistaken_tanh(correct_dz, returns=2), "three arrays"),
        (lambda x, W, b, dh: (W, b, x), "dW does not match finite differences"),
        (lambda x, W, b, dh: (x @ dh, b, x), "your function raised ValueError"),
        (lambda x, W, b, dh: (W, x[0], x), "db must have the shape (2,) of b"),
        (lambda x, W, b, dh: (W.T, b, x), "this has shape (2, 3)"),
    ],
    "03.wrong_entries": [
        (mistaken_entries(absolute=1e-12), "finds some"),
        (lambda loss, w, gradient: w[:0], "one wrong entry of five"),
        (lambda loss, w, gradient: [2] if len(w) == 5 else [], "two wrong entries"),
        (mistaken_entries(relative=0.3), "too wide"),
        (lambda loss, w, gradient: np.flatnonzero(entry_errors(loss, w, gradient)), "however small"),
        (mistaken_entries(absolute=1e-4), "very small loss"),
        (mistaken_entries(absolute=5e-9, step=1e-5), "very large loss"),
        (changes_w, "changed w"),
        (lambda loss, w, gradient: len(w), "list of indices"),
        (lambda loss, w, gradient: gradient.sort(), "returns nothing"),
    ],
}


class TestExercises(ExerciseTests):
    pass
