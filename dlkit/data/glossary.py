"""The curriculum's terms in English and Chinese: `data.glossary()` lists all, `data.glossary("atten")` finds some."""

import csv
from importlib import resources

from dlkit.boxes import html_table

PATH = resources.files("dlkit.data") / "files" / "glossary.csv"


class Glossary(list):
    """The glossary's rows, dictionaries with "term", "chinese", "definition" and "notebook"; Jupyter draws a table."""

    def __repr__(self):
        return "\n".join(f"{r['term']} · {r['chinese']} ({r['notebook']}): {r['definition']}" for r in self)

    def _repr_html_(self):
        rows = [("term", "中文", "meaning", "notebook"), *(row.values() for row in self)]
        return html_table(rows, '<td style="text-align: left">{}</td>')


def glossary(word=""):
    """Finds terms of the curriculum, with their Chinese names, a definition, and the notebook that introduces them.

    Args:
        word: String, part of the terms to find, in English or Chinese; capitals do not matter. The default "" finds
            all.

    Returns:
        A `Glossary`, in alphabetical order.

    Raises:
        ValueError: If `word` is not a string.

    Example:
        >>> glossary("warm-up")
        warm-up · 预热 (04): Raising the learning rate from near zero during the first steps.
    """
    if not isinstance(word, str):
        raise ValueError(f"Expected part of a term, a string. Received: {word!r}.")
    with PATH.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return Glossary(row for row in rows if word.lower() in row["term"].lower() or word in row["chinese"])
