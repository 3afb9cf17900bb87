"""Reading, executing and importing from notebooks: for the tests, and for `make notebooks`.

python -m tools.notebooks [notebook ...]     re-executes in place, all by default
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
from pathlib import Path

import nbformat
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
LESSONS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
SOLUTIONS = sorted((ROOT / "notebooks" / "solutions").glob("[0-9][0-9]_*.ipynb"))


def read(path):
    """The notebook as nbformat's structure, version 4, exactly as it was saved: nbformat.read repairs ids at random."""
    return nbformat.v4.reads(Path(path).read_text(encoding="utf-8"))


def write(notebook, path):
    """Saves a notebook; a file that is there already is replaced in one step."""
    part = path.with_suffix(".part")
    part.write_text(nbformat.v4.writes(notebook) + "\n", encoding="utf-8")
    os.replace(part, path)


def code_cells(notebook):
    """Cells that hold code."""
    return [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]


def prose(notebook):
    """All Markdown of a notebook, joined."""
    return "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def said(cell):
    """What a cell's outputs say as text: what was printed, and the text of boxes and values."""
    texts = (output.get("text") or output.get("data", {}).get("text/plain", "") for output in cell.outputs)
    return "\n".join(text.removesuffix("\n") for text in texts)


def definitions(path):
    """A module with the imports, functions, classes and plain constants of a notebook, nothing else of it run.

    Args:
        path: a notebook.

    Returns:
        A module whose functions can be called as in the notebook. A name that the notebook defines twice has its
        last definition.
    """
    module = types.ModuleType(Path(path).stem)
    kept = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef)
    for number, cell in enumerate(code_cells(read(path))):
        body = [node for node in ast.parse(cell.source).body if isinstance(node, kept)]
        name = f"{path}, code cell {number}"
        linecache.cache[name] = (len(cell.source), None, cell.source.splitlines(True), name)  # for tf.function
        exec(compile(ast.Module(body, []), name, "exec"), module.__dict__)
    return module


def execute(path):
    """Runs a notebook from a fresh kernel and saves it in place with its outputs, normalized.

    Args:
        path: a notebook.

    Returns:
        (seconds of the whole notebook, seconds of its slowest cell).

    Raises:
        nbclient.exceptions.CellExecutionError: when a cell fails; the file is left as it was.
    """
    from nbclient import NotebookClient

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
    from datetime import datetime

    times = cell.metadata.get("execution", {})
    ends = [times.get(key) for key in ("iopub.execute_input", "shell.execute_reply")]
    if None in ends:
        return 0.0
    begin, end = (datetime.fromisoformat(text.replace("Z", "+00:00")) for text in ends)
    return (end - begin).total_seconds()


def normalize(notebook):
    """Keeps what a reader sees and drops what differs between machines and runs: metadata, addresses, empty outputs.

    A cell keeps its id, so that a change of one cell is a change of one cell in the diff.
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
        cell.metadata = nbformat.from_dict({key: cell.metadata[key] for key in ("tags",) if key in cell.metadata})
        if cell.cell_type == "code":
            cell.outputs = [output for output in _joined(cell.outputs) if not _is_empty(output)]
            for output in cell.outputs:
                output.pop("transient", None)
                if "image/png" in output.get("data", {}):
                    output.data["image/png"] = _smaller(output.data["image/png"])
                if "text/plain" in output.get("data", {}):
                    text = re.sub(r"0x[0-9a-f]{6,}", "0x…", output.data["text/plain"])
                    output.data["text/plain"] = re.sub(r"<Figure size .*>", "<Figure>", text)
    return notebook


def bad_ids(cells):
    """Positions of the cells whose id is missing, not valid, or that of a cell before them."""
    seen, bad = set(), []
    for position, cell in enumerate(cells):
        if not re.fullmatch(r"[\w-]{1,64}", cell.get("id") or "", re.ASCII) or cell.id in seen:
            bad.append(position)
        else:
            seen.add(cell.id)
    return bad


def _complete_ids(cells):
    """Gives cells without a valid id of their own a new one, made from their source."""
    bad = bad_ids(cells)
    taken = {cell.id for position, cell in enumerate(cells) if position not in bad}
    for position in bad:
        digest = hashlib.sha256(cells[position].source.encode()).hexdigest()[:8]
        names = (digest if count == 1 else f"{digest}-{count}" for count in itertools.count(1))
        cells[position].id = next(name for name in names if name not in taken)
        taken.add(cells[position].id)


def _smaller(png):
    """A picture without the alpha channel nobody sees; drawings, which have few colors, with a palette.

    Matplotlib's PNGs would make a notebook with photographs three times as large.
    """
    picture = Image.open(io.BytesIO(base64.b64decode(png)))
    if picture.mode != "RGBA":  # done already
        return png
    picture = picture.convert("RGB")
    if picture.getcolors(4096):
        picture = picture.quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    file = io.BytesIO()
    picture.save(file, "PNG", optimize=True)
    return base64.b64encode(file.getvalue()).decode()


def _joined(outputs):
    """Printed text arrives in pieces that depend on the moment; one piece is what a reader sees."""
    result = []
    for output in outputs:
        stream = output.output_type == "stream"
        if stream and result and result[-1].output_type == "stream" and result[-1].name == output.name:
            result[-1].text += output.text
        else:
            result.append(output)
    for output in result:
        if output.output_type == "stream":  # only the last of what overwrites the same line stays on a screen
            output.text = re.sub(r"[^\n]*\r(?!\n)", "", output.text)
    return result


def _is_empty(output):
    return output.output_type == "stream" and not output.text.strip()


def main(arguments):
    paths = [Path(name).resolve() for name in arguments] or [*LESSONS, *SOLUTIONS]
    for path in paths:
        seconds, slowest = execute(path)
        print(f"{path.relative_to(ROOT)}: {seconds:.0f} s, slowest cell {slowest:.0f} s", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
