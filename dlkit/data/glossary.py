"""The curriculum's terms in English and Chinese: `data.glossary()` lists all, `data.glossary("atten")` finds some."""

from __future__ import annotations

import csv
import html
from importlib import resources

PATH = resources.files("dlkit.data") / "files" / "glossary.csv"


class Glossary(list):
    """List of the glossary's rows, dictionaries with "term", "chinese", "definition" and "notebook".

    A notebook shows it as a table.
    """

    def __repr__(self):
        return "\n".join(f"{r['term']} · {r['chinese']} ({r['notebook']}): {r['definition']}" for r in self)

    def _repr_html_(self):
        cell = '<td style="text-align: left">{}</td>'
        rows = ["".join(cell.format(html.escape(value)) for value in row.values()) for row in self]
        rows = "".join(f"<tr>{cells}</tr>" for cells in rows)
        return f"<table><tr><th>term</th><th>中文</th><th>meaning</th><th>notebook</th></tr>{rows}</table>"


def glossary(word=""):
    """Finds terms of the curriculum, with their Chinese names, a definition, and the notebook that introduces them.

    Args:
        word: String, part of the terms to find, in English or Chinese; capitals do not matter. The default "" finds
            all.

    Returns:
        A `Glossary`, in alphabetical order.

    Example:
        >>> glossary("warm-up")
        warm-up · 预热 (04): Raising the learning rate from near zero during the first steps.
    """
    with PATH.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return Glossary(row for row in rows if word.lower() in row["term"].lower() or word in row["chinese"])
