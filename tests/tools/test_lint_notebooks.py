"""The linter of the notebooks, on a tiny lesson that follows all rules and then breaks one at a time."""

import difflib
import hashlib
import re

import nbformat
import pytest

from tests.tools import helpers
from tools import lint_notebooks
from tools.notebooks import normalize, read, write

HEAD = helpers.HEAD.format(number=27, topic="Some topic", question="Is it so?", time="40 minutes")
CELLS = {
    "head": HEAD,
    "setup-title": "## Setup",
    "setup": ">from dlkit import runtime\n\nrt = runtime.setup(seed=0)",
    "imports": ">import numpy as np\n\nfrom dlkit.claims import claim",
    "settings": "parameters>a = 1  # small\n# one\n# for each\nb = (\n    1,\n    2,\n)\nc = [\n    3,  # odd\n]",
    "guess": "> **Guess.** How many?",
    "claims": ">for k in range(3):\n    claim('A', k)\nclaim('B', 1)\nclaim('C', np.pi)",
    "summary": "## What we saw",
    "title-1": "## Exercises\n\n**1 · On paper.** How many?",
    "exercise-1": 'exercise>from dlkit.exercises import check\n\nn = None\n\ncheck("27.n", n)',
    "title-2": "**2 · In code.** Write f.",
    "exercise-2": 'exercise>from dlkit.exercises import check\n\n\ndef f(x): ...\n\n\ncheck("27.f", f)',
    "title-3": "**3 · By experiment.** Measure.",
    "exercise-3": 'exercise>from dlkit.exercises import check\n\nm = None\n\ncheck("27.m", m)',
    "next": "## Where next",
}


def make_cell(name, text):
    """A Markdown cell, or a code cell if the text begins with its tags and >."""
    tag, separator, source = text.partition(">")
    if not separator or text.startswith("> "):
        return nbformat.v4.new_markdown_cell(text, id=name)
    return nbformat.v4.new_code_cell(source, id=name, metadata={"tags": tag.split()} if tag else {})


@pytest.fixture
def lesson(tmp_path):
    """Function that writes the lesson, with other cells in place of some, and returns its path."""

    def make(changes=(), folder="notebooks"):
        cells = [make_cell(name, text) for name, text in (CELLS | dict(changes)).items() if text]
        path = tmp_path / folder / "27_lesson.ipynb"
        path.parent.mkdir(exist_ok=True)
        write(normalize(nbformat.v4.new_notebook(cells=cells)), path)
        return path

    return make


def test_lint_finds_no_problem_in_a_good_lesson(lesson, capsys):
    assert lint_notebooks.lint(lesson()) == []
    assert lint_notebooks.main([str(lesson())]) == 0
    assert capsys.readouterr().out == "1 notebooks: 0 errors, 0 warnings\n"


ERRORS = [
    ("head", HEAD.replace("# 27 · ", "# "), "a first line like '# 05 · Topic'"),
    ("head", HEAD.replace("*Is it so?*", "Is it so?"), r"a third line like '\*Question"),
    ("head", HEAD.replace("about 40 minutes", "long"), "a line like '\\*\\*Time:\\*\\* about 20 minutes"),
    ("head", HEAD.replace("27", "28"), "expected the number in the name of the file, 27. Received: 28"),
    ("head", HEAD.replace("Some topic", "Is it?"), "a topic as the title"),
    ("head", HEAD.replace("After this lesson you can", "Goals"), "expected learning objectives"),
    ("setup-title", None, "expected a heading ## Setup"),
    ("summary", None, r"expected a heading ## \(What we saw"),
    ("setup-title", "## Setup\n\n## Where next", "expected the headings in this order"),
    ("setup", ">import keras", "expected rt = runtime.setup"),
    ("settings", ">a = 1", "expected 1 cell with the tag parameters. Received: 0"),
    ("claims", ">claim('A', np.pi)\nclaim('B', 1)", "expected at least 3 claims. Received: 2"),
    ("exercise-3", None, "expected 3 cells with the tag exercise. Received: 2"),
    ("claims", ">%time print()", "expected plain Python. Received: %time"),
    ("claims", ">!ls", "expected plain Python. Received: !ls"),
    ("imports", ">from numpy import *", r"names that are imported. Received: from numpy import \*"),
    ("imports", ">import numpy as np\n\n\ndef f(): ...", "f is already defined in cell 4"),
    (
        "claims",
        'nbval-check-output>data.load("cifar10")\n' + "claim()\n" * 3,
        "depends on the data that is found: cifar10",
    ),
    ("exercise-1", "exercise>n = np.pi", "an exercise must run alone, but this one uses names of other cells: np"),
    (
        "exercise-2",
        "exercise uses-lesson>n = a",
        "is only for exercises 'By experiment'. Received: 'In code'",
    ),
]
WARNINGS = [
    ("head", HEAD.replace(" s on two processor cores", ""), "the time that all cells take"),
    (
        "settings",
        "parameters>a = 1  # small\nb = 2",
        "after the setting that gives the reason: b = 2",
    ),
    (
        "settings",
        "parameters>a = 1  # small\nb = 2  #",
        "after the setting that gives the reason: b = 2",
    ),
    ("guess", "Now run it.", "expected a guess"),
    ("guess", "> **Guess.** Is it a **quuxification**?", "not in the glossary: quuxification"),
    ("setup", CELLS["setup"] + "\nprint()" * 24, "26 lines of code. A screen shows 25"),
    ("setup", CELLS["setup"] + "  # " + "a" * 80, "a line has 110 characters. A screen shows 88"),
    ("exercise-3", "exercise uses-lesson>m = a", "the tag uses-lesson prevents grading this exercise alone: a"),
]


@pytest.mark.parametrize(
    ("warning", "name", "text", "message"), [(False, *e) for e in ERRORS] + [(True, *w) for w in WARNINGS]
)
def test_lint_reports_each_broken_rule_once(lesson, warning, name, text, message):
    (problem,) = lint_notebooks.lint(lesson({name: text}))
    assert re.search(message, problem.message)
    assert problem.warning == warning


def test_lint_does_not_expect_a_skeleton_of_solutions(lesson):
    assert lint_notebooks.lint(lesson({"head": "# Solutions", "claims": None}, folder="solutions")) == []


def test_main_prints_cell_number_and_id_of_a_problem(lesson, capsys):
    path = lesson({"claims": ">%time print()"})
    assert lint_notebooks.main([str(path)]) == 1
    line, summary = capsys.readouterr().out.splitlines()
    assert line == f"{path} cell 7 (claims): expected plain Python. Received: %time print()"
    assert summary == "1 notebooks: 1 errors, 0 warnings"


def test_main_succeeds_with_warnings_only(lesson, capsys):
    assert lint_notebooks.main([str(lesson({"guess": "Now run it."}))]) == 0
    assert ": warning: expected a guess" in capsys.readouterr().out


def test_lint_warns_of_outputs_of_a_stand_in(lesson):
    path = lesson()
    notebook = read(path)
    notebook.cells[3].outputs = [nbformat.v4.new_output("stream", name="stdout", text="cifar10 (stand-in)")]
    write(notebook, path)
    (problem,) = lint_notebooks.lint(path)
    assert problem == lint_notebooks.Problem(problem.message, 4, warning=True)


# --- fixes


def damage_metadata(notebook):
    notebook.metadata["widgets"] = {}


def damage_cell_metadata(notebook):
    notebook.cells[2].metadata["collapsed"] = True


def damage_outputs(notebook):
    pieces = [nbformat.v4.new_output("stream", name="stdout", text=text) for text in ("a", "b")]
    notebook.cells[2].outputs = pieces


def remove_id(notebook):
    del notebook.cells[2]["id"]


def repeat_id(notebook):
    notebook.cells[2].id = notebook.cells[1].id


def spoil_id(notebook):
    notebook.cells[2].id = "not an id"


def remove_imports(notebook):
    for cell in notebook.cells[9:]:
        cell.source = cell.source.replace("from dlkit.exercises import check\n\n", "n = np.pi\n")


DAMAGES = [
    damage_metadata,
    damage_cell_metadata,
    damage_outputs,
    remove_id,
    repeat_id,
    spoil_id,
    remove_imports,
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_fix_repairs_damage(lesson, damage, capsys):
    path = lesson()
    notebook = read(path)
    damage(notebook)
    write(notebook, path)
    assert lint_notebooks.main([str(path)]) == 1
    assert lint_notebooks.main(["--fix", str(path)]) == 0
    assert f"{path}: fixed" in capsys.readouterr().out
    assert lint_notebooks.main(["--fix", str(path)]) == 0
    assert ": fixed" not in capsys.readouterr().out


def test_fix_does_not_change_invalid_python(lesson):
    path = lesson({"exercise-1": "exercise>n ="})
    saved = path.read_bytes()
    assert lint_notebooks.main(["--fix", str(path)]) == 1
    assert path.read_bytes() == saved


def test_inserted_cell_is_one_cell_in_the_diff(lesson):
    path = lesson()
    before = path.read_text().splitlines()
    notebook = read(path)
    notebook.cells.insert(5, nbformat.from_dict({"cell_type": "markdown", "metadata": {}, "source": "New."}))
    write(normalize(notebook), path)
    diff = list(difflib.unified_diff(before, path.read_text().splitlines(), n=0, lineterm=""))[2:]
    assert [line for line in diff if line.startswith("-")] == []
    assert sum(line.startswith('+   "id"') for line in diff) == 1
    assert read(path).cells[5].id == hashlib.sha256(b"New.").hexdigest()[:8]
