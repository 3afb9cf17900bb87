"""The table labels.csv, which names the class of each image of a folder."""

import csv
import os
from pathlib import Path

from dlkit.data.dataset import DataError

COLUMNS = [("file", "filename", "image", "path", "id"), ("label", "class", "category"), ("split", "set")]


def read_labels(table):
    """Reads labels.csv: {path: (label, split)}, in which the label may be empty, and the split is "train" by default.

    Columns are separated by commas, semicolons or tabs; files are relative to the folder of the table. The header may
    be left out: file, label[, split]. Raises a DataError if the columns are others or a file has two labels.
    """
    try:
        lines = table.read_text("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise DataError(f"{table}: expected text in UTF-8. Received: {error}. Save it as CSV in UTF-8.") from error
    delimiter = max(",;\t", key=lines[0].count) if lines else ","
    rows = [[cell.strip() for cell in row] for row in csv.reader(lines, delimiter=delimiter) if any(row)]
    header = [cell.lower() for cell in rows[0]] if rows else []
    columns = [next((header.index(name) for name in names if name in header), None) for names in COLUMNS]
    if None not in columns[:2]:
        rows = rows[1:]
    elif len(header) in (2, 3) and Path(header[0]).suffix:  # no header: the first cell is a file
        columns = [0, 1, 2]
    else:
        received = ", ".join(header) or "an empty file"
        raise DataError(f"{table}: expected a header with file, label and perhaps split. Received: {received}.")
    labels = {}
    for row in rows:
        name, label, split = ((row[k] if k is not None and k < len(row) else "") for k in columns)
        file, answer = Path(os.path.normpath(table.parent / name.replace("\\", "/"))), (label, split or "train")
        if labels.setdefault(file, answer) != answer:
            raise DataError(f"{table}: expected one label for each file. Received two for {name}. Remove one of them.")
    return labels
