"""Real prose that every installation has, for the days without a network: docstrings and Python's own help."""

from __future__ import annotations

import ast
import importlib.util
import re
from pathlib import Path

import numpy as np

LIBRARIES = ("numpy", "matplotlib", "sklearn", "keras")


def docstrings(libraries=LIBRARIES, *, per_library=1_200):
    """First sentences of docstrings of installed libraries, labelled by library; a stand-in for reviews.

    Files are read as text, nothing is imported. Names of the libraries are blotted out, and all sentences of one file
    are in the same part, so that neither a name nor a repeated phrase gives the class away.

    Args:
        libraries: names of installed packages.
        per_library: sentences kept of each; fewer where a library has fewer, for the classes are of equal size.

    Returns:
        (train, test, class_names), train and test as (texts of dtype object, labels of dtype int64); about a fifth
        of the texts is for testing.
    """
    rng, parts, seen, of_library = np.random.default_rng(0), ([], []), set(), []
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
            parts[held_out].append((text, label))
    arrays = []
    for part in parts:
        order = rng.permutation(len(part))
        texts, labels = np.array([part[k][0] for k in order], object), np.array([part[k][1] for k in order], "int64")
        arrays.append((texts, labels))
    return arrays[0], arrays[1], list(libraries)


def _source_files(library):
    root = Path(importlib.util.find_spec(library).submodule_search_locations[0])  # finds it, imports nothing
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
    """The topics of Python's built-in help, one after the other: half a million letters of real prose."""
    from pydoc_data.topics import topics

    return "\n\n".join(topics[name] for name in sorted(topics))
