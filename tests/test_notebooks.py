"""What every notebook keeps to, and the functions written in notebooks, tested on their own."""

import ast
import fnmatch
import json
import re
import statistics

import nbformat
import numpy as np
import pytest
import tensorflow as tf

from tools.notebooks import LESSONS, ROOT, SOLUTIONS, code_cells, definitions, normalise, prose, read, said

LESSON = pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
EVERY = pytest.mark.parametrize("path", [*LESSONS, *SOLUTIONS], ids=lambda path: "/".join(path.parts[-2:]))
HEADINGS = ("## Setup", "## What we saw", "## Exercises", "## Where next")


@EVERY
def test_make_runs_a_notebook_that_measures_seconds_alone(path):
    alone = re.search(r"^TIMED := \$\(addprefix notebooks/,(.*)\)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    name = path.relative_to(ROOT / "notebooks").as_posix()
    measures = any(re.search(r'perf_counter|"latency"', cell.source) for cell in code_cells(read(path)))
    assert any(fnmatch.fnmatch(name, pattern.replace("%", "*")) for pattern in alone[1].split()) == measures


@LESSON
class TestLesson:
    def test_skeleton(self, path):
        notebook = read(path)
        number = path.stem[:2]
        title, empty, question = notebook.cells[0].source.splitlines()[:3]
        assert re.fullmatch(rf"# {number} · .*[^?]", title), "the title is the topic"
        assert re.fullmatch(r"\*[A-Z].*\?\*", question), "the question follows in italics"
        assert not empty
        assert "**After this lesson you can**" in notebook.cells[0].source
        assert re.search(
            r"\*\*Time:\*\* .*about .* (minutes|hour).*\d+ s on two processor cores", notebook.cells[0].source
        )
        places = [prose(notebook).find(heading) for heading in HEADINGS]
        assert -1 not in places, HEADINGS[places.index(-1)]
        assert places == sorted(places)
        assert "> **Guess.**" in prose(notebook)

    def test_setup_comes_first(self, path):
        assert code_cells(read(path))[0].source == "from dlkit import runtime\n\nrt = runtime.setup(seed=0)"

    def test_settings_stand_in_one_cell_with_reasons(self, path):
        tagged = [cell for cell in code_cells(read(path)) if "parameters" in cell.metadata.get("tags", [])]
        assert len(tagged) == 1
        for line in tagged[0].source.splitlines():
            assert re.match(r"\w+ = .*  # \S", line), line

    def test_cells_are_short(self, path):
        lengths = [len(list(filter(str.strip, cell.source.splitlines()))) for cell in code_cells(read(path))]
        assert statistics.median(lengths) <= 7
        assert sum(length > 15 for length in lengths) <= len(lengths) / 10
        assert max(lengths) <= 25

    def test_claims_are_made_and_shown(self, path):
        cells = code_cells(read(path))
        made = [cell for cell in cells if re.search(r"^claim\(", cell.source, re.MULTILINE)]
        assert sum(cell.source.count("\nclaim(") + cell.source.startswith("claim(") for cell in made) >= 3
        for cell in made:
            assert "✓ " in said(cell)
            assert "measured " in said(cell)
            assert any("✓ Holds:" in output.get("data", {}).get("text/html", "") for output in cell.outputs)

    def test_links_lead_somewhere(self, path):
        planned = re.compile(r"(0[0-9]|1[0-9]|2[0-6])_[a-z0-9_]+\.ipynb")
        for target in re.findall(r"\]\(([^)#]+)\)", prose(read(path))):
            if not target.startswith("http"):
                assert (path.parent / target).exists() or planned.fullmatch(target), target

    def test_has_a_solution_notebook(self, path):
        assert (path.parent / "solutions" / path.name) in SOLUTIONS


@EVERY
class TestEveryNotebook:
    def test_executed_once_from_top_to_bottom(self, path):
        counts = [cell.execution_count for cell in code_cells(read(path))]
        assert counts == list(range(1, len(counts) + 1))

    def test_no_chatter_no_tracebacks_no_paths(self, path):
        for cell in code_cells(read(path)):
            for output in cell.outputs:
                assert output.output_type != "error"
                assert output.get("name") != "stderr", output.get("text")
                text = json.dumps(
                    output.get("text") or {k: v for k, v in output.get("data", {}).items() if "text" in k}
                )
                assert "WARNING" not in text
                assert not re.search(r"(/(home|root|tmp|Users)/|[A-Z]:\\\\Users)", text), text

    def test_outputs_were_made_on_real_data(self, path):
        text = json.dumps([cell.outputs for cell in code_cells(read(path))])
        assert "stand-in" not in text

    def test_small_and_normal(self, path):
        assert path.stat().st_size < 500_000
        assert normalise(read(path)) == read(path), "run make notebooks"

    def test_lines_fit_a_screen(self, path):
        for cell in code_cells(read(path)):
            for line in cell.source.splitlines():
                assert len(line) <= 88 or "http" in line, line

    def test_no_shell_no_magic_no_star(self, path):
        for cell in code_cells(read(path)):
            assert not re.search(r"^\s*[!%]", cell.source, re.MULTILINE)
            assert "import *" not in cell.source

    def test_no_global_name_means_two_things(self, path):
        """A function or model keeps its name: it is defined once."""
        seen = {}
        for cell in code_cells(read(path)):
            for node in ast.parse(cell.source).body:
                if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                    assert node.name not in seen, node.name
                    seen[node.name] = node


@EVERY
def test_cells_whose_output_is_compared_do_not_depend_on_which_data_was_found(path):
    for cell in code_cells(read(path)):
        if "nbval-check-output" in cell.metadata.get("tags", []):
            assert set(re.findall(r'data\.load\("(\w+)"\)', cell.source)) <= {"digits", "sunspots"}, cell.source


def test_solutions_are_right():
    for path in SOLUTIONS:
        text = "\n".join(map(said, code_cells(read(path))))
        verdicts = re.findall(r"^\d\d\.\w+: .*$", text, re.MULTILINE)
        assert len(verdicts) == 3
        assert all(verdict.endswith("✓ right") for verdict in verdicts), verdicts


def test_the_lesson_shows_untouched_stubs():
    for path in LESSONS:
        text = "\n".join(map(said, code_cells(read(path))))
        assert len(re.findall(r"^\d\d\.\w+: not attempted yet$", text, re.MULTILINE)) == 3


def test_the_readme_lists_every_notebook():
    readme = (ROOT / "README.md").read_text()
    for path in LESSONS:
        assert f"(notebooks/{path.name})" in readme


# --- the code written in notebooks


@pytest.fixture(scope="module")
def backpropagation():
    return definitions(ROOT / "notebooks" / "03_backpropagation.ipynb")


def random_problem(rng, batch=6, inputs=3, hidden=5, outputs=1):
    weights = [rng.normal(size=s) for s in ((inputs, hidden), (hidden,), (hidden, outputs), (outputs,))]
    return rng.normal(size=(batch, inputs)), weights


@pytest.mark.parametrize("seed", range(5))
def test_backward_agrees_with_nudging_and_with_gradient_tape(backpropagation, seed):
    rng = np.random.default_rng(seed)
    x, weights = random_problem(rng)
    y = rng.random((6, 1))
    by_hand = backpropagation.backward(x, y, weights)
    nudged = backpropagation.numerical_gradients(
        lambda: backpropagation.mse(backpropagation.forward(x, weights)[-1], y), weights
    )
    variables = [tf.Variable(values) for values in weights]
    with tf.GradientTape() as tape:
        hidden = tf.nn.relu(x @ variables[0] + variables[1])
        loss = tf.reduce_mean((tf.sigmoid(hidden @ variables[2] + variables[3]) - y) ** 2)
    taped = tape.gradient(loss, variables)
    for a, b, c in zip(by_hand, nudged, taped, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
        np.testing.assert_allclose(a, c, atol=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_the_mlps_backward_agrees_with_nudging_and_with_gradient_tape(backpropagation, seed):
    rng = np.random.default_rng(seed)
    x, weights = random_problem(rng, outputs=4)
    y = rng.integers(0, 4, 6)
    by_hand = backpropagation.mlp_backward(x, y, weights)
    nudged = backpropagation.numerical_gradients(lambda: backpropagation.cross_entropy(x, y, weights), weights)
    variables = [tf.Variable(values) for values in weights]
    with tf.GradientTape() as tape:
        logits = tf.nn.relu(x @ variables[0] + variables[1]) @ variables[2] + variables[3]
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits))
    taped = tape.gradient(loss, variables)
    assert float(loss) == pytest.approx(backpropagation.cross_entropy(x, y, weights), abs=1e-12)
    for a, b, c in zip(by_hand, nudged, taped, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
        np.testing.assert_allclose(a, c, atol=1e-12)


def test_softmax_does_not_overflow(backpropagation):
    np.testing.assert_allclose(backpropagation.softmax(np.array([[1001.0, 1002, 1003]])).sum(), 1)


def test_the_finite_difference_check_would_find_a_planted_mistake(backpropagation):
    rng = np.random.default_rng(0)
    x, weights = random_problem(rng)
    y = rng.random((6, 1))
    right = backpropagation.backward(x, y, weights)
    for mistake in ("turned", "twice"):
        wrong = backpropagation.backward_with(mistake, x, y, weights)
        assert backpropagation.largest_difference(right, wrong) > 1e-3
    np.testing.assert_allclose(backpropagation.backward_with("none", x, y, weights)[0], right[0])


def test_two_runs_of_a_training_in_numpy_give_the_same_bits(backpropagation):
    def train():
        rng = np.random.default_rng(0)
        x, y = rng.random((100, 64)), rng.integers(0, 10, 100)
        weights = backpropagation.initial_weights(64, 16, 10, rng)
        losses = [backpropagation.train_epoch(x, y, weights, 32, 0.1, rng) for _ in range(3)]
        return losses, weights

    (losses, weights), (losses_again, weights_again) = train(), train()
    assert losses == losses_again
    assert losses[-1] < losses[0]
    for a, b in zip(weights, weights_again, strict=True):
        np.testing.assert_array_equal(a, b)


def test_printed_text_is_one_output_however_many_pieces_it_came_in():
    def normalised(*pieces):
        outputs = [nbformat.v4.new_output("stream", name="stdout", text=piece) for piece in pieces]
        cell = nbformat.v4.new_code_cell("print()", outputs=outputs)
        return normalise(nbformat.v4.new_notebook(cells=[cell])).cells[0].outputs

    assert normalised("solved", "\n", "next\n") == normalised("solved\nnext\n")
    assert len(normalised("solved\n", "next\n")) == 1


def test_two_runs_of_the_whole_notebook_give_the_same_bits(tmp_path):
    """Fresh kernels, all cells: the same texts and pictures but for what is timed, and the same weights."""
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
        assert len(code_cells(notebook)) - len(untimed) == 3
        return [normalise(nbformat.v4.new_notebook(cells=[cell])).cells[0].outputs for cell in untimed]

    first, second = run(), run()
    assert re.fullmatch("'[0-9a-f]{64}'", first[-1][0].data["text/plain"])
    assert [strip_counts(outputs) for outputs in first] == [strip_counts(outputs) for outputs in second]


def test_a_line_that_was_overwritten_is_not_saved():
    """As in setup, which says that TensorFlow starts and then overwrites it."""
    output = nbformat.v4.new_output(
        "stream", name="stdout", text="before\nStarting …\r          \rlesson tier\nafter\n"
    )
    cell = nbformat.v4.new_code_cell("print()", outputs=[output])
    outputs = normalise(nbformat.v4.new_notebook(cells=[cell])).cells[0].outputs
    assert outputs[0].text == "before\nlesson tier\nafter\n"


def strip_counts(outputs):
    return [{key: value for key, value in output.items() if key != "execution_count"} for output in outputs]
