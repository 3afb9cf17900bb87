"""Reads, executes and normalizes notebooks, for the tests and for `make notebooks`.

python -m tools.notebooks [notebook ...]     re-executes notebooks in place, by default all
"""

from __future__ import annotations

import ast
import base64
import hashlib
import io
import itertools
import linecache
import os
import re
import sys
import time
import types
from datetime import datetime
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
LESSONS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
SOLUTIONS = sorted((ROOT / "notebooks" / "solutions").glob("[0-9][0-9]_*.ipynb"))


def read(path):
    """Reads a notebook exactly as it was saved, while `nbformat.read` would replace bad cell ids by random ones.

    Args:
        path: String or path.

    Returns:
        An `nbformat.NotebookNode`, version 4.
    """
    return nbformat.v4.reads(Path(path).read_text(encoding="utf-8"))


def write(notebook, path):
    """Saves a notebook, an `nbformat.NotebookNode`. An existing file is replaced in one step."""
    part = path.with_suffix(".part")
    part.write_text(nbformat.v4.writes(notebook) + "\n", encoding="utf-8")
    os.replace(part, path)


def code_cells(notebook):
    """Lists the code cells of a notebook that are not empty."""
    return [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]


def markdown_text(notebook):
    """Joins the Markdown cells of a notebook to one string."""
    return "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def output_text(cell):
    """Joins the outputs of a cell to one string: printed text, and the plain text of boxes and values."""
    texts = (output.get("text") or output.get("data", {}).get("text/plain", "") for output in cell.outputs)
    return "\n".join(text.removesuffix("\n") for text in texts)


def definitions(path):
    """Executes the imports, functions and classes of a notebook, and nothing else of it.

    Args:
        path: String or path of a notebook.

    Returns:
        A module whose functions can be called as in the notebook. A name that the notebook defines twice has its last
        definition.
    """
    module = types.ModuleType(Path(path).stem)
    definition_types = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef)
    for number, cell in enumerate(code_cells(read(path))):
        body = [node for node in ast.parse(cell.source).body if isinstance(node, definition_types)]
        name = f"{path}, code cell {number}"
        # tf.function looks up the source code of a function there.
        linecache.cache[name] = (len(cell.source), None, cell.source.splitlines(True), name)
        exec(compile(ast.Module(body, []), name, "exec"), module.__dict__)
    return module


def execute(path):
    """Runs a notebook in a new kernel and saves it in place with its outputs, normalized.

    Args:
        path: `Path` of a notebook.

    Returns:
        Tuple of two floats: the seconds that the notebook took, and the seconds of its slowest cell.

    Raises:
        nbclient.exceptions.CellExecutionError: If a cell fails. The file is left as it was.
    """
    notebook = read(path)
    start = time.perf_counter()
    NotebookClient(
        notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": path.parent}}
    ).execute()
    seconds = time.perf_counter() - start
    slowest = max(_cell_seconds(cell) for cell in code_cells(notebook))
    write(normalize(notebook), path)
    return seconds, slowest


def _cell_seconds(cell):
    times = cell.metadata.get("execution", {})
    ends = [times.get(key) for key in ("iopub.execute_input", "shell.execute_reply")]
    if None in ends:
        return 0.0
    begin, end = (datetime.fromisoformat(text.replace("Z", "+00:00")) for text in ends)
    return (end - begin).total_seconds()


# What a cell may say about itself: its tags, the alternative text of its figure, whether its source is collapsed.
CELL_METADATA = ("tags", "alt", "jupyter")


def normalize(notebook):
    """Removes what differs between machines and runs: metadata, memory addresses, empty outputs, widgets.

    A cell's id stays the same, so that a change of one cell is a change of one cell in the diff.

    Args:
        notebook: `nbformat.NotebookNode`; it is changed in place.

    Returns:
        The same notebook.
    """
    notebook.nbformat, notebook.nbformat_minor = 4, 5  # the first version with ids
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }
    )
    _complete_ids(notebook.cells)
    for cell in notebook.cells:
        cell.metadata = nbformat.from_dict({key: cell.metadata[key] for key in CELL_METADATA if key in cell.metadata})
        if cell.cell_type == "code":
            cell.outputs = [output for output in _join_streams(cell.outputs) if not _is_empty(output)]
            for output in cell.outputs:
                output.pop("transient", None)
                if "image/png" in output.get("data", {}):
                    output.data["image/png"] = _compress(output.data["image/png"])
                if "text/plain" in output.get("data", {}):
                    text = re.sub(r"0x[0-9a-f]{6,}", "0x…", output.data["text/plain"])
                    output.data["text/plain"] = re.sub(r"<Figure size .*>", "<Figure>", text)
    return notebook


def find_bad_ids(cells):
    """Finds cells whose id is missing, invalid, or the same as that of an earlier cell.

    Args:
        cells: List of the cells of a notebook.

    Returns:
        List of integers, the positions of those cells, from 0.
    """
    seen, bad = set(), []
    for position, cell in enumerate(cells):
        if not re.fullmatch(r"[\w-]{1,64}", cell.get("id") or "", re.ASCII) or cell.id in seen:
            bad.append(position)
        else:
            seen.add(cell.id)
    return bad


def _complete_ids(cells):
    """Gives cells without a valid, unique id a new one, which is made from their source."""
    bad = find_bad_ids(cells)
    taken = {cell.id for position, cell in enumerate(cells) if position not in bad}
    for position in bad:
        digest = hashlib.sha256(cells[position].source.encode()).hexdigest()[:8]
        names = (digest if count == 1 else f"{digest}-{count}" for count in itertools.count(1))
        cells[position].id = next(name for name in names if name not in taken)
        taken.add(cells[position].id)


def _compress(png):
    """Removes the alpha channel of a PNG, which nobody sees; figures with few colors get a palette.

    Matplotlib's PNGs would make a notebook with photographs three times as large.
    """
    image = Image.open(io.BytesIO(base64.b64decode(png)))
    if image.mode != "RGBA":  # compressed already
        return png
    image = image.convert("RGB")
    if image.getcolors(4096):
        image = image.quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    file = io.BytesIO()
    image.save(file, "PNG", optimize=True)
    return base64.b64encode(file.getvalue()).decode()


def _join_streams(outputs):
    """Joins printed text to one output, because the pieces in which it arrives differ from run to run."""
    result = []
    for output in outputs:
        stream = output.output_type == "stream"
        if stream and result and result[-1].output_type == "stream" and result[-1].name == output.name:
            result[-1].text += output.text
        else:
            result.append(output)
    for output in result:
        if output.output_type == "stream":  # of text that overwrites the same line, a screen shows only the last
            output.text = re.sub(r"[^\n]*\r(?!\n)", "", output.text)
    return result


def _is_empty(output):
    """Whether an output shows nothing in a saved notebook: blank text, or a widget, which needs a running kernel."""
    is_widget = "application/vnd.jupyter.widget-view+json" in output.get("data", {})
    return is_widget or (output.output_type == "stream" and not output.text.strip())


def main(arguments):
    """Re-executes notebooks in place and prints how long each took.

    Args:
        arguments: List of strings, paths of notebooks; default all lessons and solutions.
    """
    paths = [Path(name).resolve() for name in arguments] or [*LESSONS, *SOLUTIONS]
    for path in paths:
        seconds, slowest = execute(path)
        print(f"{path.relative_to(ROOT)}: {seconds:.0f} s, slowest cell {slowest:.0f} s", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
