"""Linter of the notebooks: checks their form and fixes what can be fixed automatically.

python -m tools.lint_notebooks [--fix] [notebook ...]     by default all lessons and solutions

An error is what a reader would notice or what breaks a tool; with any error, the exit status is 1. A warning is advice.
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
from dlkit.data.registry import REGISTRY
from tools import lessons_table
from tools.free_names import free_names, imports_of
from tools.notebooks import (
    CELL_METADATA,
    LESSONS,
    ROOT,
    SOLUTIONS,
    code_cells,
    find_bad_ids,
    markdown_text,
    normalize,
    read,
    write,
)

HEADINGS = ("## Setup", "## (What we saw|Summary)", "## Exercises", "## Where next")
MAX_LINES, MAX_COLUMNS = 25, 88  # of a code cell: what a projector shows
CHECK_IMPORT = {"check": "from dlkit.exercises import check"}
EXPERIMENT = "By experiment"


@dataclass(frozen=True)
class Problem:
    """What the linter found.

    Attributes:
        message: String.
        cell: Integer, the number of the cell, from 1; None where the problem concerns the complete notebook.
        warning: Boolean, whether it is advice and not an error.
    """

    message: str
    cell: int | None = None
    warning: bool = False


def make_warning(message, cell=None):
    """A `Problem` that is only advice."""
    return Problem(message, cell, warning=True)


def lint(path):
    """Checks the form of one notebook.

    Args:
        path: Path of a notebook: a lesson or, in a folder called solutions, the solutions of a lesson.

    Returns:
        List of `Problem`, in the order of the cells.
    """
    notebook = read(path)
    if problems := list(check_python(path, notebook)):
        return problems  # the other rules need cells that can be parsed
    rules = [check_saved, check_code, check_exercises]
    if Path(path).parent.name != "solutions":
        rules += [check_head, check_skeleton, check_settings, check_terms]
    problems = [problem for rule in rules for problem in rule(Path(path), notebook)]
    return sorted(problems, key=lambda problem: problem.cell or 0)


def numbered(notebook, cell_type="code", tag=None):
    """Yields (number from 1, cell) for the nonempty cells of a type that have the given tag, if any."""
    for number, cell in enumerate(notebook.cells, start=1):
        if (
            cell.cell_type == cell_type
            and cell.source.strip()
            and (tag is None or tag in cell.metadata.get("tags", []))
        ):
            yield number, cell


def check_python(path, notebook):
    """Every code cell is plain Python, without commands for the shell or for IPython."""
    for number, cell in numbered(notebook):
        try:
            ast.parse(cell.source)
        except SyntaxError as error:
            yield Problem(f"expected plain Python. Received: {(error.text or '').strip()}", number)


def check_saved(path, notebook):
    """Cell ids, metadata and outputs are as `normalize` makes them."""
    for position in find_bad_ids(notebook.cells):
        yield Problem("the cell has no valid, unique id. Use --fix", position + 1)
    normal = normalize(read(path))
    if normal.metadata != notebook.metadata or normal.nbformat_minor != notebook.nbformat_minor:
        yield Problem("the metadata of the notebook are not normalized. Use --fix")
    for number, (cell, other) in enumerate(zip(notebook.cells, normal.cells, strict=True), start=1):
        if cell.metadata != other.metadata:
            yield Problem(
                f"expected no metadata but {', '.join(CELL_METADATA)}. Received: {', '.join(cell.metadata)}. Use --fix",
                number,
            )
        if cell.get("outputs") != other.get("outputs"):
            yield Problem("the saved outputs are not normalized. Use --fix", number)
        if "stand-in" in str(cell.get("outputs")):
            yield make_warning("the saved output comes from a stand-in. Run the lesson with the real data", number)


def check_code(path, notebook):
    """Every cell fits on a screen, and no function or class is defined in two cells."""
    defined = {}
    for number, cell in numbered(notebook):
        lines = cell.source.splitlines()
        if (count := len(list(filter(str.strip, lines)))) > MAX_LINES:
            yield make_warning(f"the cell has {count} lines of code. A screen shows {MAX_LINES}", number)
        for line in lines:
            if len(line) > MAX_COLUMNS and "http" not in line:
                yield make_warning(
                    f"a line has {len(line)} characters. A screen shows {MAX_COLUMNS}: {line.strip()[:40]}…", number
                )
        found = [
            name
            for name in re.findall(r'data\.load\("(\w+)"\)', cell.source)
            if name in REGISTRY and REGISTRY[name].fallback
        ]
        if found and "nbval-check-output" in cell.metadata.get("tags", []):
            yield Problem(
                f"the output is compared, but it depends on the data that is found: {', '.join(found)}", number
            )
        for node in ast.parse(cell.source).body:
            if isinstance(node, ast.ImportFrom) and node.names[0].name == "*":
                yield Problem(f"expected the names that are imported. Received: from {node.module} import *", number)
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                if node.name in defined:
                    yield Problem(
                        f"{node.name} is already defined in cell {defined[node.name]}. Rename one of them", number
                    )
                defined[node.name] = number


def check_head(path, notebook):
    """The first cell gives topic, question, objectives and time."""
    try:
        lesson = lessons_table.read_lesson(path)
    except ValueError as error:
        yield Problem(" ".join(str(error).split()), 1)
        return
    if path.stem[:2] != f"{lesson.number:02d}":
        yield Problem(f"expected the number in the name of the file, {path.stem[:2]}. Received: {lesson.number:02d}", 1)
    if lesson.topic.endswith("?"):
        yield Problem("expected a topic as the title. The question belongs below it", 1)
    head = notebook.cells[0].source
    if not re.search(r"After this lesson you can|you will be able to", head):
        yield Problem("expected learning objectives, such as '**After this lesson you can**'", 1)
    if not re.search(r"\*\*Time:\*\* .*\d+ s on two processor cores", head):
        yield make_warning("expected the time that all cells take, such as 'about 5 s on two processor cores'", 1)


def check_skeleton(path, notebook):
    """The setup comes first, the headings are in order, and there are a guess, three claims and three exercises."""
    text = markdown_text(notebook)
    found = [re.search(rf"^{heading}\b", text, re.MULTILINE) for heading in HEADINGS]
    for heading, match in zip(HEADINGS, found, strict=True):
        if not match:
            yield Problem(f"expected a heading {heading}")
    positions = [match.start() for match in found if match]
    if positions != sorted(positions):
        yield Problem(f"expected the headings in this order: {' · '.join(HEADINGS)}")
    cells = code_cells(notebook)
    if not cells or "runtime.setup(" not in cells[0].source:
        yield Problem("expected rt = runtime.setup(seed=0) in the first code cell")
    nodes = [node for cell in cells for node in ast.walk(ast.parse(cell.source))]
    claims = sum(isinstance(node, ast.Call) and getattr(node.func, "id", "") == "claim" for node in nodes)
    if claims < 3:
        yield Problem(f"expected at least 3 claims. Received: {claims}")
    if (exercises := len(list(numbered(notebook, tag="exercise")))) != 3:
        yield Problem(f"expected 3 cells with the tag exercise. Received: {exercises}")
    if "> **Guess.**" not in text:
        yield make_warning("expected a guess before a result, such as '> **Guess.** …'")


def check_settings(path, notebook):
    """The settings are in one cell, and a comment above, in or after each of them gives its reason."""
    tagged = list(numbered(notebook, tag="parameters"))
    if len(tagged) != 1:
        yield Problem(f"expected 1 cell with the tag parameters. Received: {len(tagged)}")
    for number, cell in tagged:
        tokens = tokenize.generate_tokens(io.StringIO(cell.source).readline)
        commented = {token.start[0] for token in tokens if token.type == tokenize.COMMENT and token.string.strip("# ")}
        for node in ast.parse(cell.source).body:
            alone = node.lineno - 1 in commented and cell.source.splitlines()[node.lineno - 2].lstrip().startswith("#")
            if not alone and not commented & set(range(node.lineno, node.end_lineno + 1)):
                yield make_warning(
                    f"expected a comment above or after the setting that gives the reason: {ast.unparse(node)[:40]}",
                    number,
                )


def check_terms(path, notebook):
    """Words in bold within a sentence are terms, and the glossary contains them."""
    terms = {row["term"].lower() for row in data.glossary()}
    for number, cell in numbered(notebook, "markdown"):
        text = re.sub(r"```.*?```|\$\$.*?\$\$|\$[^$\n]*\$|`[^`]*`", " ", cell.source, flags=re.DOTALL)
        for phrase in re.findall(r"(?<=[\w,:(] )\*\*([^*\n]+)\*\*", text):
            word = phrase.strip(" .:,").lower()
            if len(word.split()) <= 3 and not {word, word.removesuffix("s"), word.removesuffix("es")} & terms:
                yield make_warning(f"this term is in bold, but not in the glossary: {phrase}", number)


def check_exercises(path, notebook):
    """An exercise runs alone, so that it can be graded alone; an experiment may use the lesson if it has the tag."""
    exercise_type = ""
    for number, cell in enumerate(notebook.cells, start=1):
        if cell.cell_type == "markdown":
            exercise_type = (re.findall(r"\*\*\d · ([\w ]+)\.\*\*", cell.source) or [exercise_type])[-1]
        elif "exercise" in cell.metadata.get("tags", []):
            names = ", ".join(sorted(free_names(cell.source)))
            if "uses-lesson" not in cell.metadata.tags:
                if names:
                    yield Problem(
                        f"an exercise must run alone, but this one uses names of other cells: {names}", number
                    )
            elif exercise_type != EXPERIMENT:
                yield Problem(
                    f"the tag uses-lesson is only for exercises '{EXPERIMENT}'. Received: '{exercise_type}'", number
                )
            else:
                yield make_warning(
                    f"the tag uses-lesson prevents grading this exercise alone: {names or 'its answer'}", number
                )


def fix(path):
    """Normalizes ids, metadata and outputs, and adds imports to exercises that use modules imported in other cells.

    Args:
        path: Path of a notebook.

    Returns:
        Boolean, whether the file was changed.
    """
    before, notebook = read(path), normalize(read(path))
    if not list(check_python(path, notebook)):
        nodes = [node for cell in code_cells(notebook) for node in ast.parse(cell.source).body]
        imports = CHECK_IMPORT | dict(pair for node in nodes for pair in imports_of(node))
        for _, cell in numbered(notebook, tag="exercise"):
            missing = sorted(free_names(cell.source) & set(imports))
            cell.source = "\n".join([*(imports[name] for name in missing), cell.source])
    if notebook == before:
        return False
    write(notebook, path)
    return True


def main(arguments=None):
    """Prints the problems of notebooks, one on each line.

    Args:
        arguments: List of strings, default those of the command line.

    Returns:
        Integer, the exit status: 0 without errors, 1 with errors.
    """
    parser = argparse.ArgumentParser(prog="python -m tools.lint_notebooks", description="checks the form of notebooks")
    parser.add_argument("--fix", action="store_true", help="fix what can be fixed automatically; then run make fix")
    parser.add_argument("notebook", type=Path, nargs="*", help="by default all lessons and solutions")
    options = parser.parse_args(arguments)
    counts = {True: 0, False: 0}
    paths = [path.resolve() for path in options.notebook] or [*LESSONS, *SOLUTIONS]
    for path in paths:
        name = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
        if options.fix and fix(path):
            print(f"{name}: fixed")
        cells = read(path).cells
        for problem in lint(path):
            counts[problem.warning] += 1
            location = f" cell {problem.cell} ({cells[problem.cell - 1].get('id')})" if problem.cell else ""
            print(f"{name}{location}: {'warning: ' * problem.warning}{problem.message}")
    print(f"{len(paths)} notebooks: {counts[False]} errors, {counts[True]} warnings")
    return int(counts[False] > 0)


if __name__ == "__main__":
    sys.exit(main())
