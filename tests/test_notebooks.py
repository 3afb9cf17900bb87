"""The saved notebooks as a learner sees them. Their form is checked by `python -m tools.lint_notebooks`."""

import json
import re

import pytest

from tools import lint_notebooks
from tools.notebooks import LESSONS, SOLUTIONS, code_cells, output_text, read

EVERY_NOTEBOOK = pytest.mark.parametrize("path", [*LESSONS, *SOLUTIONS], ids=lambda path: "/".join(path.parts[-2:]))
MACHINE_PATH = re.compile(r"/(home|root|tmp|Users)/|[A-Z]:\\\\Users")  # as JSON writes it
MAX_BYTES = 500_000


@EVERY_NOTEBOOK
def test_cells_were_run_once_from_top_to_bottom(path):
    counts = [cell.execution_count for cell in code_cells(read(path))]
    assert counts == list(range(1, len(counts) + 1))


@EVERY_NOTEBOOK
def test_outputs_have_no_errors_warnings_or_paths(path):
    for cell in code_cells(read(path)):
        for output in cell.outputs:
            assert output.output_type != "error", output.ename
            assert output.get("name") != "stderr", output.text
            texts = {kind: text for kind, text in output.get("data", {}).items() if "text" in kind}
            text = json.dumps(output.get("text") or texts)
            assert "WARNING" not in text
            assert not MACHINE_PATH.search(text), text


@EVERY_NOTEBOOK
def test_saved_claims_hold(path):
    for cell in code_cells(read(path)):
        if re.search(r"^\s*claim\(", cell.source, re.MULTILINE):
            boxes = "".join(output.get("data", {}).get("text/html", "") for output in cell.outputs)
            assert "✓ Holds:" in boxes
            assert "✗ Does not hold:" not in boxes


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_exercises_are_open_in_lessons_and_solved_in_solutions(path):
    for notebook_path, verdict in ((path, "not attempted yet"), (path.parent / "solutions" / path.name, "✓ right")):
        cells = [cell for cell in code_cells(read(notebook_path)) if "exercise" in cell.metadata.get("tags", [])]
        verdicts = re.findall(r"^\d\d\.\w+: (.*)$", "\n".join(map(output_text, cells)), re.MULTILINE)
        assert verdicts == [verdict] * len(cells) != []


@EVERY_NOTEBOOK
def test_file_is_small(path):
    assert path.stat().st_size < MAX_BYTES


@EVERY_NOTEBOOK
def test_linter_finds_no_error(path):
    errors = [f"cell {problem.cell}: {problem.message}" for problem in lint_notebooks.lint(path) if not problem.warning]
    assert errors == []
