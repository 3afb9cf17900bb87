"""python -m benchmarks.experiments 13      runs the experiment of lesson 13 and writes its table into dlkit

An experiment is a file in benchmarks/lessons. It calls the functions of its notebook, so the two cannot drift apart.
Finished rows are saved in runs/experiments: after a stop, the same command resumes with the next row. A table of
generated data stays there.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import importlib.util
import json
import os
import time
from pathlib import Path

import numpy as np

import dlkit
from benchmarks import harness
from dlkit import data, runtime
from tools.notebooks import ROOT, code_cells, definitions, read

TABLES = ROOT / "dlkit" / "data" / "files" / "experiments"
UNFINISHED = ROOT / "runs" / "experiments"


def load_protocol(lesson):
    """The module in benchmarks/lessons of a lesson's number; loaded by path, since its name starts with a digit.

    Args:
        lesson: String, the number of the lesson, such as "13".

    Returns:
        The module; benchmarks/lessons/__init__.py lists what it defines.

    Raises:
        ValueError: If the lesson has no experiment.
    """
    folder = Path(__file__).parent / "lessons"
    found = sorted(folder.glob(f"{lesson}_*.py"))
    if len(found) != 1:
        numbers = ", ".join(path.name[:2] for path in sorted(folder.glob("[0-9][0-9]_*.py")))
        raise ValueError(f'Expected a lesson with an experiment: {numbers}. Received: "{lesson}".')
    spec = importlib.util.spec_from_file_location(found[0].stem, found[0])
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def notebook_path(protocol):
    """The path of the notebook whose functions a protocol uses.

    Args:
        protocol: The module that `load_protocol` returned.
    """
    return ROOT / "notebooks" / f"{protocol.__name__}.ipynb"


def notebook_code(path, names):
    """The SHA-256 checksum of functions in a notebook; their docstrings do not count.

    Args:
        path: Path of the notebook.
        names: List of strings, the names of functions in it.

    Returns:
        String of 64 hexadecimal digits.
    """
    sources = {}
    for cell in code_cells(read(path)):
        for node in ast.parse(cell.source).body:
            if isinstance(node, ast.FunctionDef):
                lines = cell.source.splitlines()[node.lineno - 1 : node.end_lineno]
                if ast.get_docstring(node):
                    doc = node.body[0]
                    del lines[doc.lineno - node.lineno : doc.end_lineno - node.lineno + 1]
                sources[node.name] = "\n".join(lines)
    return hashlib.sha256("\n".join(sources[name] for name in names).encode()).hexdigest()


def run(protocol, dataset, *, again=None, tables=TABLES, unfinished=UNFINISHED):
    """Measures every row that is not yet measured, then writes the table.

    Args:
        protocol: The module that `load_protocol` returned.
        dataset: A `dlkit.data.Dataset`, loaded by the name that the protocol gives.
        again: List of dictionaries such as {"per_class": 500}. Only rows with the values of one of them are measured,
            and the others are taken from the present table: for a change of the code that cannot affect them. None
            measures all rows.
        tables: Path of the folder for the finished table.
        unfinished: Path of the folder for the rows measured so far.

    Returns:
        Path of the table.
    """
    name = protocol.__name__
    code = notebook_code(notebook_path(protocol), protocol.FUNCTIONS)
    version = f"{code} {hashlib.sha256(Path(protocol.__file__).read_bytes()).hexdigest()} {dataset.name}"
    version += f" {again}" if again else ""
    progress, target = unfinished / f"{name}.json", tables / f"{name}.json"
    state = json.loads(progress.read_text()) if progress.exists() else {}
    if state.get("version") != version:  # there is none, or it belongs to another version of the experiment
        state = {"version": version, "seconds": 0.0, "rows": []}
        if again:
            state |= _present_rows(target, again)
    start = time.perf_counter() - state["seconds"]
    missing = [row for row in protocol.ROWS if not any(row.items() <= done.items() for done in state["rows"])]
    lesson = definitions(notebook_path(protocol))
    if missing:
        print(f"{name}: {len(missing)} of {len(protocol.ROWS)} rows to measure", flush=True)
        protocol.prepare(lesson, dataset)
    for row in missing:
        state["rows"].append({**row, **protocol.measure(lesson, **row)})
        state["seconds"] = time.perf_counter() - start
        _write(progress, state)
        value = np.mean(state["rows"][-1][protocol.SHOW["values"]])
        done = f"{len(state['rows'])} of {len(protocol.ROWS)}, {state['seconds']:.0f} s"
        print(f"{done}: {', '.join(map(str, row.values()))}: {value:.3f}", flush=True)
    state["rows"].sort(key=lambda done: [row.items() <= done.items() for row in protocol.ROWS].index(True))
    _write(target, table(protocol, dataset, state, code))
    progress.unlink(missing_ok=True)  # it does not exist when no row was missing
    return target


def _present_rows(path, again):
    """The rows of a table that are not to be measured again, and the time that the table has taken so far."""
    present = json.loads(path.read_text())
    kept = [row for row in present["rows"] if not any(keys.items() <= row.items() for keys in again)]
    return {"seconds": float(present["seconds"]), "rows": kept}


def table(protocol, dataset, state, code):
    """The content of the table's file: the rows and the conditions that they belong to.

    Args:
        protocol: The module that `load_protocol` returned.
        dataset: The `dlkit.data.Dataset`.
        state: Dictionary with "rows" and "seconds".
        code: String, the checksum that `notebook_code` returned.

    Returns:
        Dictionary that JSON can hold.
    """
    conditions = harness.conditions()
    device, _ = runtime.configure_device()
    return {
        "lesson": protocol.__name__,
        "title": protocol.TITLE,
        "made": conditions["date"],
        "seconds": round(state["seconds"]),
        "machine": {"cores": conditions["cores"], "processor": conditions["processor"], "device": device},
        "versions": {**conditions["versions"], "dlkit": dlkit.__version__},
        "data": {
            "name": dataset.name,
            "is_real": dataset.is_real,
            "train": len(dataset.train[1]),
            "test": len(dataset.test[1]),
        },
        "settings": protocol.SETTINGS,
        "show": protocol.SHOW,
        "rows": state["rows"],
        "notebook_code": code,
    }


def _write(path, content):
    """Writes JSON under another name and then renames it, so that a stop leaves the previous file complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(".new")
    new.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(new, path)


def main(arguments=None):
    """Runs the experiment of a lesson.

    Args:
        arguments: List of strings, default those of the command line.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.experiments", description=__doc__.splitlines()[0])
    parser.add_argument("lesson", help="the number of a lesson, such as 13")
    again = "measure only rows with these values, and keep the others: '{\"per_class\": 500}'; may be repeated"
    parser.add_argument("--again", action="append", type=json.loads, metavar="JSON", help=again)
    parser.add_argument("--stand-in", action="store_true", help="try it on generated data if no real data is found")
    chosen = parser.parse_args(arguments)
    runtime.setup(0)
    protocol = load_protocol(chosen.lesson)
    dataset = data.load(protocol.DATA, real=not chosen.stand_in)
    tables = TABLES if dataset.is_real else UNFINISHED / "stand-in"
    print(f"wrote {run(protocol, dataset, again=chosen.again, tables=tables).relative_to(ROOT)}")


if __name__ == "__main__":
    main()
