"""Every checker accepts the solution and another right way, knows a stub, and gives mistakes the fitting hint."""

import ast

import numpy as np
import pytest

from dlkit import exercises
from tests.notebook_tools import LESSONS, SOLUTIONS, code_cells, read

RNG = np.random.default_rng(0)


# --- other right ways, and typical mistakes with a word from the hint they should get


def accuracy_with_a_loop(labels, probs):
    right = 0
    for label, row in zip(labels, probs, strict=True):
        right += list(row).index(max(row)) == label
    return right / len(labels)


def tanh_another_way(x, W, b, da):
    z = x @ W + b
    dz = da / np.cosh(z) ** 2
    return [np.einsum("ni,nj->ij", x, dz), np.ones(len(x)) @ dz, np.einsum("nj,ij->ni", dz, W)]


def tanh_mistake(dz_of, db_of=lambda dz: dz.sum(axis=0), sign=1, returns=3):
    def mistaken(x, W, b, da):
        dz = sign * dz_of(x @ W + b, da)
        return (x.T @ dz, db_of(dz), dz @ W.T)[:returns]

    return mistaken


def right_slope(z, da):
    return da * (1 - np.tanh(z) ** 2)


def cutout_with_masks(images, size, rng):
    height, width = images.shape[1:3]
    top = rng.integers(0, height - size + 1, (len(images), 1, 1))
    left = rng.integers(0, width - size + 1, (len(images), 1, 1))
    y, x = np.mgrid[0:height, 0:width]
    hole = (y >= top) & (y < top + size) & (x >= left) & (x < left + size)
    return np.where(hole[..., None], np.uint8(0), images)


def cutout_mistake(kind):
    def mistaken(images, size, rng):
        result = images if kind == "in place" else images.copy()
        for image in result:
            top, left = (2, 2) if kind == "same place" else rng.integers(0, 16 - size + 1, 2)
            if kind == "one channel":
                image[top : top + size, left : left + size, 0] = 0
            elif kind == "too large":
                image[top : top + size + 1, left : left + size + 1] = 0
            else:
                image[top : top + size, left : left + size] = 0
        return result.astype("float32") if kind == "float" else None if kind == "no return" else result

    return mistaken


ANOTHER_WAY = {
    "00.count_parameters": 2410.0,
    "00.accuracy": accuracy_with_a_loop,
    "00.smallest_hidden_layer": {5: 0.88, 9: 0.93, 20: 0.95, 3: 0.7},
    "03.one_step_on_paper": np.float64(1.3),
    "03.tanh_layer_gradient": tanh_another_way,
    "03.flipped_sign": " Rises ",
    "11.multiply_adds": np.int64(3_115_008),
    "11.cutout": cutout_with_masks,
    "11.five_points": {"before": [0.5, 10], "after": [0.551, 59.9]},
}

MISTAKES = {
    "00.count_parameters": [
        (64 * 32 + 32 * 10, "bias"),
        (64 * 32 + 32, "output layer"),
        (106, "multiply"),
        (7, "inputs times units"),
        ("2410", "give one number"),
    ],
    "00.accuracy": [
        (lambda labels, probs: np.sum(probs.argmax(axis=1) == labels), "divide"),
        (lambda labels, probs: np.mean(probs.argmax(axis=1) != labels), "wrong answers"),
        (lambda labels, probs: 100 * np.mean(probs.argmax(axis=1) == labels), "percent"),
        (lambda labels, probs: probs.argmax(axis=1) == labels, "mean over the images"),
        (lambda labels, probs: np.sum(probs.argmax(axis=1) == labels) / 5, "written into"),
        (lambda labels, probs: np.mean([probs[k, label] > 0.45 for k, label in enumerate(labels)]), "below one half"),
        (lambda labels, probs: print(end=""), "return"),
    ],
    "00.smallest_hidden_layer": [
        (6, "dictionary"),
        ({8: 91, 4: 83, 6: 90, 2: 50}, "not percentages"),
        ({8: 0.91, 4: 0.8}, "at least four"),
        ({8: 0.91, 16: 0.93, 32: 0.95, 64: 0.97}, "go smaller"),
        ({1: 0.2, 2: 0.5, 3: 0.6, 4: 0.8}, "no size reaches"),
        ({1: 0.2, 2: 0.5, 32: 0.95, 64: 0.97}, "between them"),
    ],
    "03.one_step_on_paper": [
        (-0.3, "sign"),
        (0.9, "factor 2"),
        (8.5, "learning rate"),
        (0.7, "both belong"),
        (-8.0, "take the step"),
        (2.0, "forward"),
        ("1.3", "give one number"),
    ],
    "03.tanh_layer_gradient": [
        (tanh_mistake(lambda z, da: da), "derivative of tanh is missing"),
        (tanh_mistake(right_slope, sign=-1), "sign is turned"),
        (tanh_mistake(right_slope, db_of=lambda dz: dz), "sum over the batch"),
        (tanh_mistake(right_slope, db_of=lambda dz: dz.mean(axis=0)), "db is a mean"),
        (tanh_mistake(lambda z, da: da * (1 - np.tanh(np.tanh(z)) ** 2)), "taken twice"),
        (tanh_mistake(right_slope, returns=2), "three arrays"),
        (lambda x, W, b, da: (W, b, x), "dW does not match finite differences"),
        (lambda x, W, b, da: (x @ da, b, x), "raised ValueError"),
        (lambda x, W, b, da: (W.T, b, x), "dW has shape (2, 3)"),
    ],
    "03.flipped_sign": [
        ("falls", "uphill"),
        ("stays", "fastest growth"),
        ("oscillates", "does not come back"),
        (1, "one of"),
    ],
    "11.multiply_adds": [
        (3 * 3 * 32 * 64, "every place"),
        (13 * 13 * 64 * 9, "32 input channels"),
        (15 * 15 * 64 * 9 * 32, "13 times"),
        (2 * 3_115_008, "count as one"),
        (1, "places of the output"),
    ],
    "11.cutout": [
        (cutout_mistake("in place"), "work on a copy"),
        (cutout_mistake("same place"), "same place"),
        (cutout_mistake("one channel"), "all three channels"),
        (cutout_mistake("too large"), "6 x 6"),
        (cutout_mistake("float"), "keep their type"),
        (cutout_mistake("no return"), "work on a copy|return"),
        (lambda images, size, rng: images.copy(), "no pixel"),
        (lambda images, size, rng: np.zeros_like(images), "6 x 6"),
    ],
    "11.five_points": [
        ({"before": (0.5, 10), "after": (0.52, 30)}, "+2.0 points"),
        ({"before": (0.5, 10), "after": (0.6, 75)}, "budget is 60 s"),
        ({"before": (50, 10), "after": (60, 30)}, "not percentages"),
        ({"after": (0.6, 30)}, "give"),
        ({"before": 0.5, "after": 0.6}, "pair of numbers"),
    ],
}

exercises._load_checkers()
NAMES = sorted(exercises.CHECKERS)


def exercise_cells(path):
    """{exercise: source of its cell} for the cells tagged exercise that end in check(...)."""
    cells = [cell.source for cell in code_cells(read(path)) if "exercise" in cell.metadata.get("tags", [])]
    return {ast.parse(source).body[-1].value.args[0].value: source for source in cells}


def statements(path):
    """The Markdown before each exercise cell, from its bold number on."""
    cells = read(path).cells
    tagged = [k for k, cell in enumerate(cells) if "exercise" in cell.metadata.get("tags", [])]
    texts = []
    for k in tagged:
        while cells[k].cell_type != "markdown":
            k -= 1
        texts.append(cells[k].source[cells[k].source.index("**") :])
    return texts


STUBS = {name: source for path in LESSONS for name, source in exercise_cells(path).items()}
SOLVED = {name: source for path in SOLUTIONS for name, source in exercise_cells(path).items()}


def answer_of(source):
    """Runs an exercise cell on its own and returns what it hands to check()."""
    given = {}
    scope = {"np": np, "check": lambda name, answer: given.update(answer=answer)}
    exec(source, scope)
    return given["answer"]


def test_every_checker_has_an_exercise_a_solution_and_tests():
    assert NAMES == sorted(STUBS) == sorted(SOLVED) == sorted(ANOTHER_WAY) == sorted(MISTAKES)
    for path in LESSONS:
        assert len(exercise_cells(path)) == 3, path.name


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.stem)
def test_solutions_solve_the_exercises_as_they_stand_in_the_lesson(lesson):
    solution = lesson.parent / "solutions" / lesson.name
    assert statements(solution) == statements(lesson)
    for name, stub in exercise_cells(lesson).items():
        for node in ast.parse(stub).body:
            if isinstance(node, ast.FunctionDef):
                solved = [n for n in ast.parse(exercise_cells(solution)[name]).body if isinstance(n, ast.FunctionDef)]
                assert ast.unparse(node.args) in [ast.unparse(other.args) for other in solved]


@pytest.mark.parametrize("name", NAMES)
def test_an_untouched_stub_is_not_attempted_yet(name):
    assert exercises.verdict(name, answer_of(STUBS[name])) == "not attempted yet"


@pytest.mark.parametrize(
    "name", [name for name in NAMES if "fit(" not in SOLVED[name] and "train_and" not in SOLVED[name]]
)
def test_the_solution_is_right(name):
    # Solutions that train are run, and their verdicts tested, with the notebooks.
    assert exercises.verdict(name, answer_of(SOLVED[name])) == "✓ right"


@pytest.mark.parametrize("name", NAMES)
def test_another_right_way_is_right(name):
    assert exercises.verdict(name, ANOTHER_WAY[name]) == "✓ right"


@pytest.mark.parametrize(
    ("name", "answer", "word"), [(name, *mistake) for name in NAMES for mistake in MISTAKES[name]], ids=str
)
def test_a_mistake_gets_the_hint_that_fits(name, answer, word):
    found = exercises.verdict(name, answer)
    assert found.startswith("✗ ")
    assert any(part in found for part in word.split("|")), found


@pytest.mark.parametrize("name", NAMES)
def test_at_least_three_mistakes_are_known(name):
    assert len(MISTAKES[name]) >= 3


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "nonsense", [object(), "x", -1, [], {}, lambda: 1, lambda *a: 1 / 0, lambda *a: "x", np.zeros(3)]
)
def test_nothing_raises(name, nonsense, capsys):
    exercises.check(name, nonsense)
    assert capsys.readouterr().out.startswith(f"{name}: ✗ ")


def test_an_unknown_exercise_is_told_with_the_known_ones(capsys):
    exercises.check("99.nothing", 1)
    assert "there is no exercise of this name. Known: 00.accuracy" in capsys.readouterr().out


def test_not_implemented_and_ellipsis_are_stubs_too():
    def raises(labels, probs):
        raise NotImplementedError

    def with_pass(labels, probs):
        pass

    for stub in (None, ..., raises, with_pass, lambda *a: None):
        assert exercises.verdict("00.accuracy", stub) == "not attempted yet"
