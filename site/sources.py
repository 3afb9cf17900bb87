"""Writes the pages that Sphinx reads: `python site/sources.py [FOLDER]`, by default `build/site-source`.

The folder is a copy of what the site shows, with the same paths as in the repository, so that links between lessons,
README and other documents work as they are. The pages of `site/` are added at the top. A line `<!-- fill: NAME -->` in
one of them stands for what is made here from the lessons, the glossary, the data sheets or CITATION.cff.
"""

from __future__ import annotations

import importlib.metadata
import re
import sys
from pathlib import Path

from course import ROOT, colab_notebook, repository
from fills import FILLS, api_pages, split_readme

from tools.lessons_table import read_lesson

COPIED = (
    "notebooks/[0-9][0-9]_*.ipynb",
    "notebooks/solutions/[0-9][0-9]_*.ipynb",
    *("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE", "CITATION.cff", "data/README.md"),
    *("benchmarks/R*.md", "benchmarks/*.png", "pictures/*.png"),
)
MOVED = {  # links to folders, and to a page that is part of another one
    "](notebooks/solutions)": "](notebooks/solutions/index.md)",
    "](benchmarks)": "](benchmarks/README.md)",
    "](TRIED.md)": "](RESULTS.md)",
}


def pages(root=ROOT):
    """{path: content as bytes} of all files that Sphinx reads."""
    files = {path.relative_to(root).as_posix(): path.read_bytes() for glob in COPIED for path in root.glob(glob)}
    files["README.md"] = split_readme(root)[1].encode()
    for name in ("README.md", "CONTRIBUTING.md", "benchmarks/README.md"):
        text = files[name].decode()
        for link, page in MOVED.items():
            text = text.replace(link, page)
        files[name] = text.encode()
    lessons = [read_lesson(path) for path in sorted((root / "notebooks").glob("[0-9][0-9]_*.ipynb"))]
    for path in sorted((root / "site").glob("*.md")):
        text = re.sub(
            r"^<!-- fill: (\w+) -->$",
            lambda match: FILLS[match[1]](root, lessons) if match[1] in FILLS else match[0],
            path.read_text("utf-8"),
            flags=re.MULTILINE,
        )
        files["notebooks/solutions/index.md" if path.stem == "solutions" else path.name] = text.encode()
    files.pop("api.md")
    files |= {name: text.encode() for name, text in api_pages(root).items()}
    if address := repository(root):
        for path in root.glob(COPIED[0]):
            files[f"_extra/colab/{path.name}"] = colab_notebook(path, address).encode()
    return files


def write(files, folder):
    """Writes files into a folder, where they have changed, and deletes all others that are there."""
    for path in [path for path in folder.rglob("*") if path.is_file()]:
        if path.relative_to(folder).as_posix() not in files:
            path.unlink()
    for name, content in files.items():
        path = folder / name
        if not path.is_file() or path.read_bytes() != content:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


def mathjax():
    """MathJax's script, which typesets formulas without a network, from the package sphinx-mathjax-offline.

    This one holds everything, with its letters as drawings: a page that is opened as a file cannot load fonts.
    """
    (script,) = [file for file in importlib.metadata.files("sphinx-mathjax-offline") if file.name == "tex-svg.js"]
    return script.read_binary()


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "build" / "site-source"
    write({**pages(), "_static/mathjax/tex-svg.js": mathjax()}, target)
