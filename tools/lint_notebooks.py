"""Checks the form of notebooks and repairs what can be repaired.

python -m tools.lint_notebooks [--fix] [notebook ...]     all lessons and solutions by default

Errors are what a reader would notice or what breaks a tool; with any, the exit status is 1. Warnings are advice.
"""

from __future__ import annotations

import argparse
import ast
import io
import re
import sys
import tokenize
from dataclasses import dataclass
from pathlib import Path

from dlkit import data
from tools import lessons_table
from tools.free_names import free_names, imports_of
from tools.notebooks import LESSONS, ROOT, SOLUTIONS, bad_ids, code_cells, normalize, prose, read, write

HEADINGS = ("## Setup", "## (What we saw|Summary)", "## Exercises", "## Where next")
LINES, COLUMNS = 25, 88  # of a code cell: what a projector shows
CHECK = {"check": "from dlkit.exercises import check"}
EXPERIMENT = "By experiment"
ALWAYS_THERE = {"digits", "sunspots"}  # data sets that need no download


@dataclass(frozen=True)
class Problem:
    """One finding: the number of its cell, from 1, is None where it concerns the whole notebook."""

    message: str
    cell: int | None = None
    warning: bool = False


def advice(message, cell=None):
    return Problem(message, cell, warning=True)


def lint(path):
    """Problems of a notebook's form.

    Args:
        path: notebook, a lesson or, in a folder called solutions, the solutions of one.

    Returns:
        List of `Problem`, in the order of the cells.
    """
    notebook = read(path)
    if problems := list(check_python(path, notebook)):
        return problems  # no other rule can read these cells
    rules = [check_saved, check_code, check_exercises]
    if Path(path).parent.name != "solutions":
        rules += [check_head, check_skeleton, check_settings, check_terms]
    problems = [problem for rule in rules for problem in rule(Path(path), notebook)]
    return sorted(problems, key=lambda problem: problem.cell or 0)


def numbered(notebook, kind="code", tag=None):
    """Pairs (number from 1, cell) of the cells of a kind that have content, and this tag if one is given."""
    for number, cell in enumerate(notebook.cells, start=1):
        if cell.cell_type == kind and cell.source.strip() and (tag is None or tag in cell.metadata.get("tags", [])):
            yield number, cell


def check_python(path, notebook):
    """Every code cell is Python, without commands for the shell or for IPython."""
    for number, cell in numbered(notebook):
        try:
            ast.parse(cell.source)
        except SyntaxError as error:
            yield Problem(f"expected Python. Received: {(error.text or '').strip()}", number)


def check_saved(path, notebook):
    """Ids, metadata and outputs are those that `normalize` leaves."""
    for position in bad_ids(notebook.cells):
        yield Problem("expected an id of its own. Repair: --fix", position + 1)
    normal = normalize(read(path))
    if normal.metadata != notebook.metadata or normal.nbformat_minor != notebook.nbformat_minor:
        yield Problem("the notebook's metadata are not normal. Repair: --fix")
    for number, (cell, other) in enumerate(zip(notebook.cells, normal.cells, strict=True), start=1):
        if cell.metadata != other.metadata:
            yield Problem(f"expected no metadata but tags. Received: {', '.join(cell.metadata)}. Repair: --fix", number)
        if cell.get("outputs") != other.get("outputs"):
            yield Problem("the saved outputs are not normal. Repair: --fix", number)
        if "stand-in" in str(cell.get("outputs")):
            yield advice("the saved output is of a stand-in: run the lesson with the real data", number)


def check_code(path, notebook):
    """Every cell fits a screen, and defines what no other cell has defined."""
    defined = {}
    for number, cell in numbered(notebook):
        lines = cell.source.splitlines()
        if (count := len(list(filter(str.strip, lines)))) > LINES:
            yield advice(f"{count} lines of code; {LINES} fit a screen", number)
        for line in lines:
            if len(line) > COLUMNS and "http" not in line:
                yield advice(f"a line of {len(line)} characters; {COLUMNS} fit: {line.strip()[:40]}…", number)
        found = set(re.findall(r'data\.load\("(\w+)"\)', cell.source)) - ALWAYS_THERE
        if found and "nbval-check-output" in cell.metadata.get("tags", []):
            yield Problem(f"its output is compared, but depends on which data is found: {', '.join(found)}", number)
        for node in ast.parse(cell.source).body:
            if isinstance(node, ast.ImportFrom) and node.names[0].name == "*":
                yield Problem(f"from {node.module} import *: name what you import", number)
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                if node.name in defined:
                    yield Problem(f"defines {node.name}, as cell {defined[node.name]} does: rename one", number)
                defined[node.name] = number


def check_head(path, notebook):
    """The first cell says topic, question, objectives and time."""
    try:
        lesson = lessons_table.read_lesson(path)
    except ValueError as error:
        yield Problem(" ".join(str(error).split()), 1)
        return
    if path.stem[:2] != f"{lesson.number:02d}":
        yield Problem(f"expected the number of the file, {path.stem[:2]}. Received: {lesson.number:02d}", 1)
    if lesson.topic.endswith("?"):
        yield Problem("expected a topic as title; the question stands below it", 1)
    head = notebook.cells[0].source
    if not re.search(r"After this lesson you can|you will be able to", head):
        yield Problem("expected objectives, such as '**After this lesson you can**'", 1)
    if not re.search(r"\*\*Time:\*\* .*\d+ s on two processor cores", head):
        yield advice("expected how long all cells run, 'about 5 s on two processor cores'", 1)


def check_skeleton(path, notebook):
    """Setup first, headings in order, a guess, three claims, three exercises."""
    text = prose(notebook)
    found = [re.search(rf"^{heading}\b", text, re.MULTILINE) for heading in HEADINGS]
    for heading, match in zip(HEADINGS, found, strict=True):
        if not match:
            yield Problem(f"expected a heading {heading}")
    places = [match.start() for match in found if match]
    if places != sorted(places):
        yield Problem(f"expected the headings in this order: {' · '.join(HEADINGS)}")
    cells = code_cells(notebook)
    if not cells or "runtime.setup(" not in cells[0].source:
        yield Problem("expected rt = runtime.setup(seed=0) in the first code cell")
    nodes = [node for cell in cells for node in ast.walk(ast.parse(cell.source))]
    claims = sum(isinstance(node, ast.Call) and getattr(node.func, "id", "") == "claim" for node in nodes)
    if claims < 3:
        yield Problem(f"{claims} claims; at least 3")
    if (exercises := len(list(numbered(notebook, tag="exercise")))) != 3:
        yield Problem(f"{exercises} cells are tagged exercise; expected 3")
    if "> **Guess.**" not in text:
        yield advice("no guess before a result: '> **Guess.** …'")


def check_settings(path, notebook):
    """The settings are in one cell, and a comment above, in or behind each of them gives its reason."""
    tagged = list(numbered(notebook, tag="parameters"))
    if len(tagged) != 1:
        yield Problem(f"{len(tagged)} cells are tagged parameters; expected 1")
    for number, cell in tagged:
        tokens = tokenize.generate_tokens(io.StringIO(cell.source).readline)
        commented = {token.start[0] for token in tokens if token.type == tokenize.COMMENT and token.string.strip("# ")}
        for node in ast.parse(cell.source).body:
            alone = node.lineno - 1 in commented and cell.source.splitlines()[node.lineno - 2].lstrip().startswith("#")
            if not alone and not commented & set(range(node.lineno, node.end_lineno + 1)):
                yield advice(f"expected a reason, a comment above or behind: {ast.unparse(node)[:40]}", number)


def check_terms(path, notebook):
    """What is set in bold within a sentence is a term, and the glossary has it."""
    terms = {row["term"].lower() for row in data.glossary()}
    for number, cell in numbered(notebook, "markdown"):
        text = re.sub(r"```.*?```|\$\$.*?\$\$|\$[^$\n]*\$|`[^`]*`", " ", cell.source, flags=re.DOTALL)
        for phrase in re.findall(r"(?<=[\w,:(] )\*\*([^*\n]+)\*\*", text):
            word = phrase.strip(" .:,").lower()
            if len(word.split()) <= 3 and not {word, word.removesuffix("s"), word.removesuffix("es")} & terms:
                yield advice(f"set in bold, not in the glossary: {phrase}", number)


def check_exercises(path, notebook):
    """An exercise runs alone, so that it can be graded alone; an experiment may use the lesson, with the tag for it."""
    kind = ""
    for number, cell in enumerate(notebook.cells, start=1):
        if cell.cell_type == "markdown":
            kind = (re.findall(r"\*\*\d · ([\w ]+)\.\*\*", cell.source) or [kind])[-1]
        elif "exercise" in cell.metadata.get("tags", []):
            names = ", ".join(sorted(free_names(cell.source)))
            if "uses-lesson" not in cell.metadata.tags:
                if names:
                    yield Problem(f"an exercise must run alone, but it reads {names} from other cells", number)
            elif kind != EXPERIMENT:
                yield Problem(f"the tag uses-lesson is for exercises '{EXPERIMENT}'. Received: '{kind}'", number)
            else:
                yield advice(f"tagged uses-lesson, cannot be graded alone: {names or 'its answer'}", number)


def fix(path):
    """Repairs ids, metadata and outputs, and imports in each exercise what the notebook imports elsewhere.

    Returns:
        Whether the file was changed.
    """
    before, notebook = read(path), normalize(read(path))
    if not list(check_python(path, notebook)):
        nodes = [node for cell in code_cells(notebook) for node in ast.parse(cell.source).body]
        imports = CHECK | dict(pair for node in nodes for pair in imports_of(node))
        for _, cell in numbered(notebook, tag="exercise"):
            missing = sorted(free_names(cell.source) & set(imports))
            cell.source = "\n".join([*(imports[name] for name in missing), cell.source])
    if notebook == before:
        return False
    write(notebook, path)
    return True


def main(arguments=None):
    """Prints the problems of notebooks, one a line.

    Args:
        arguments: list of strings, those of the command line by default.

    Returns:
        Exit status: 0 without errors, 1 with errors.
    """
    parser = argparse.ArgumentParser(prog="python -m tools.lint_notebooks", description="checks the form of notebooks")
    parser.add_argument("--fix", action="store_true", help="repair what can be repaired; then run make fix")
    parser.add_argument("notebook", type=Path, nargs="*", help="all lessons and solutions by default")
    options = parser.parse_args(arguments)
    counts = {True: 0, False: 0}
    paths = [path.resolve() for path in options.notebook] or [*LESSONS, *SOLUTIONS]
    for path in paths:
        name = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
        if options.fix and fix(path):
            print(f"{name}: repaired")
        cells = read(path).cells
        for problem in lint(path):
            counts[problem.warning] += 1
            place = f" cell {problem.cell} ({cells[problem.cell - 1].get('id')})" if problem.cell else ""
            print(f"{name}{place}: {'warning: ' * problem.warning}{problem.message}")
    print(f"{len(paths)} notebooks: {counts[False]} errors, {counts[True]} warnings")
    return int(counts[False] > 0)


if __name__ == "__main__":
    sys.exit(main())
