"""Prints a lesson as text with its outputs and extracts its figures: python -m tools.dump_lesson NOTEBOOK FOLDER"""

from __future__ import annotations

import argparse
import base64
import sys
from pathlib import Path

from tools.notebooks import read


def dump(path, folder):
    """Converts a notebook to text that resembles Markdown, and saves its figures as PNG files.

    Code cells become code blocks, preceded by the number of the cell and its tags. Below them, each line of an output
    begins with `>`, and the path of the file takes the place of a figure.

    Args:
        path: String or path of a notebook.
        folder: String or path of the folder for the figures, which is created if needed. The figure that is output j
            of cell i is saved as NAME_i_j.png, both counted from 1.

    Returns:
        String.
    """
    parts = []
    for number, cell in enumerate(read(path).cells, start=1):
        if cell.cell_type != "code":
            parts.append(cell.source)
            continue
        tags = "".join(f" `{tag}`" for tag in cell.metadata.get("tags", []))
        parts.append(f"[{number}]{tags}\n```python\n{cell.source}\n```")
        for count, output in enumerate(cell.outputs, start=1):
            text = _output_text(output, Path(folder) / f"{Path(path).stem}_{number}_{count}.png")
            parts.append("\n".join(f"> {line}".rstrip() for line in text.splitlines()))
    return "\n\n".join(parts) + "\n"


def _output_text(output, figure_path):
    """The text of an output; a figure is saved, and its path is returned."""
    if output.output_type == "stream":
        return output.text
    if output.output_type == "error":
        return f"{output.ename}: {output.evalue}"
    if png := output.data.get("image/png"):
        figure_path.parent.mkdir(parents=True, exist_ok=True)
        figure_path.write_bytes(base64.b64decode(png))
        return f"figure {figure_path}"
    return output.data.get("text/plain", f"output of type {', '.join(output.data)}")


def main(arguments=None):
    """Prints a notebook as text and saves its figures.

    Args:
        arguments: List of strings, default those of the command line.

    Returns:
        Integer, the exit status 0.
    """
    parser = argparse.ArgumentParser(prog="python -m tools.dump_lesson", description="prints a lesson as text")
    parser.add_argument("notebook", type=Path, help="the lesson or solution to print")
    parser.add_argument("folder", type=Path, help="the folder for its figures, created if needed")
    options = parser.parse_args(arguments)
    print(dump(options.notebook, options.folder), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
