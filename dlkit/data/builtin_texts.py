"""Real texts that are part of every installation: docstrings and Python's built-in help."""

from __future__ import annotations

import ast
import functools
import importlib.util
import re
from pathlib import Path
from pydoc_data.topics import topics

import numpy as np

LIBRARIES = ("numpy", "matplotlib", "sklearn", "keras")


def docstrings(libraries=LIBRARIES, *, per_library=1_200):
    """Collects the first sentences of docstrings of installed libraries, labeled by library.

    The files are read as text; nothing is imported. The libraries' names are masked, and all sentences of one file are
    in the same split, so that neither a name nor a repeated phrase gives the class away.

    Args:
        libraries: Sequence of strings, the names of installed packages.
        per_library: Integer, sentences of each library, default 1,200. All classes have as many as the smallest one if
            that has fewer.

    Returns:
        (train, test, class_names): train and test are (texts, labels), arrays of dtype object and int64, and class
        names are a list of strings. About a fifth of the texts is in the test split.
    """
    splits = _collect(tuple(libraries), per_library)
    train, test = (tuple(array.copy() for array in split) for split in splits)
    return train, test, list(libraries)


@functools.cache  # reading thousands of files takes ten seconds
def _collect(libraries, per_library):
    rng, splits, seen, of_library = np.random.default_rng(0), ([], []), set(), []
    for library in libraries:
        files = _source_files(library)
        found = []
        for k in rng.permutation(len(files)):
            held_out = rng.random() < 0.2
            for text in _first_sentences(files[k], libraries):
                if text not in seen:
                    seen.add(text)
                    found.append((held_out, text))
        of_library.append(found)
    count = min(per_library, *map(len, of_library))
    for label, found in enumerate(of_library):
        for held_out, text in found[:count]:
            splits[held_out].append((text, label))
    arrays = []
    for split in splits:
        order = rng.permutation(len(split))
        texts, labels = np.array([split[k][0] for k in order], object), np.array([split[k][1] for k in order], "int64")
        arrays.append((texts, labels))
    return arrays


def _source_files(library):
    spec = importlib.util.find_spec(library)  # finds the package without importing it
    root = Path(spec.submodule_search_locations[0])
    return sorted(path for path in root.rglob("*.py") if "test" not in path.relative_to(root).as_posix())


def _first_sentences(path, libraries):
    try:
        tree = ast.parse(path.read_text(encoding="utf-8", errors="replace"))
    except (SyntaxError, ValueError):
        return
    names = re.compile("|".join([*libraries, "scikit-learn", "tensorflow", r"\bnp\b", r"\bplt\b"]), re.IGNORECASE)
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and (text := ast.get_docstring(node)):
            sentence = names.sub("it", " ".join(text.split("\n\n")[0].split())).lower()
            if 5 <= len(sentence.split()) <= 60:
                yield sentence


def python_topics():
    """Joins the topics of Python's built-in help: half a million characters of real prose."""
    return "\n\n".join(topics[name] for name in sorted(topics))
