"""Results of experiments that were computed beforehand, because a lesson is too short for them."""

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
        conditions: Dictionary with everything else in `content`, such as "title", "machine", "data" and "settings"; its
            "show" names the keys of a row that are the rows, columns and values of the table.
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
        table = [[row_key, *map(str, columns)]]
        for name in dict.fromkeys(row[row_key] for row in self.rows):
            found = [self.find(**{row_key: name, column_key: column}) for column in columns]
            table.append([name, *(_spread(row[value_key]) for row in found)])
        return table

    def __repr__(self):
        return "\n".join([self.conditions["title"], *map("\t".join, self.cells()), self.caption()])

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
        FileNotFoundError: If there is no such table.

    Example:
        >>> load("13_transfer_learning").rows[0]["per_class"]
        5
    """
    return Experiment(json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8")))
