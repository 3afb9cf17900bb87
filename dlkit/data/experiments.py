"""Results of experiments that were computed beforehand, because a lesson is too short for them."""

from __future__ import annotations

import html
import json
from datetime import date
from importlib import resources

import numpy as np

from dlkit.boxes import html_table

FOLDER = resources.files("dlkit.data") / "files" / "experiments"


class Experiment:
    """A table that was computed beforehand, with its conditions; Jupyter draws it as a table.

    Args:
        content: Dictionary with what `python -m benchmarks.experiments` writes.

    Attributes:
        rows: List of dictionaries, one for each cell of the table.
        conditions: Dictionary with everything else in `content`: "title", "made" (an ISO date), "seconds", "machine",
            "versions", "data", "settings", and in "show" which keys of a row are the rows, columns and values.
    """

    def __init__(self, content):
        self.rows = content["rows"]
        self.conditions = {key: value for key, value in content.items() if key != "rows"}

    def find(self, **keys):
        """The one row, a dictionary, with these values, such as `find(way="from scratch", per_class=20)`."""
        found = [row for row in self.rows if all(row.get(key) == value for key, value in keys.items())]
        if len(found) != 1:
            raise ValueError(f"Expected values that one row has. Received: {keys}, which {len(found)} rows have.")
        return found[0]

    def caption(self):
        """Says when, for how long and on what machine and data the table was computed, as a string."""
        machine, used = self.conditions["machine"], self.conditions["data"]
        origin = "real" if used["is_real"] else "stand-in"
        day = date.fromisoformat(self.conditions["made"])
        minutes = max(1, round(self.conditions["seconds"] / 60))
        versions = ", ".join(f"{name} {version}" for name, version in self.conditions["versions"].items())
        return (
            f"Computed beforehand: {day.day} {day:%B %Y}, {minutes} min on {machine['device']} "
            f"({machine['cores']} cores, {machine['processor']}), data: {origin} {used['name']}. {versions}."
        )

    def cells(self):
        """The table as a list of rows of strings, header first; several values become mean ± standard deviation."""
        row_key, column_key, value_key = (self.conditions["show"][key] for key in ("rows", "columns", "values"))
        columns = list(dict.fromkeys(row[column_key] for row in self.rows))
        names = list(dict.fromkeys(row[row_key] for row in self.rows))
        body = [
            [name, *(_spread(self.find(**{row_key: name, column_key: column})[value_key]) for column in columns)]
            for name in names
        ]
        return [[row_key, *map(str, columns)], *body]

    def __repr__(self):
        cells = self.cells()
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) for row in cells]
        return "\n".join([self.conditions["title"], *(line.rstrip() for line in lines), self.caption()])

    def _repr_html_(self):
        title, caption = html.escape(self.conditions["title"]), html.escape(self.caption())
        return f"<p><strong>{title}</strong></p>{html_table(self.cells())}<p><em>{caption}</em></p>"


def _spread(values):
    values = np.atleast_1d(values)
    return f"{np.mean(values):.3f}" + (f" ± {np.std(values, ddof=1):.3f}" if len(values) > 1 else "")


def load(name):
    """Loads the table of an experiment that was computed beforehand.

    Args:
        name: String, the name of the notebook that shows it, without the suffix.

    Returns:
        An `Experiment`.

    Raises:
        ValueError: If there is no such table.

    Example:
        >>> len(load("13_transfer_learning").find(way="from scratch", per_class=20)["test"])
        5
    """
    path = FOLDER / f"{name}.json"
    if not path.is_file():
        names = ", ".join(sorted(file.name.removesuffix(".json") for file in FOLDER.iterdir()))
        raise ValueError(f'Expected an experiment: {names}. Received: "{name}".')
    return Experiment(json.loads(path.read_text(encoding="utf-8")))
