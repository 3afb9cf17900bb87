"""Real texts that are part of every installation: docstrings and Python's built-in help."""

import ast
import functools
import importlib.util
import re
from pathlib import Path
from pydoc_data.topics import topics

import numpy as np

LIBRARIES = ("numpy", "matplotlib", "sklearn", "keras")
PER_LIBRARY = 1_200  # sentences at most; all classes have as many as the smallest one


@functools.cache  # reading thousands of files takes ten seconds
def docstrings(libraries=LIBRARIES):
    """Collects the first sentences of docstrings of installed libraries, labeled by library.

    The files are read as text; nothing is imported. The libraries' names are masked, and all sentences of one file are
    in the same split, so that neither a name nor a repeated phrase gives the class away. About a fifth is held out.

    Returns:
        (train, test, class_names), where train and test are (texts, labels) in random order.
    """
    rng, splits, seen, of_library = np.random.default_rng(0), ([], []), set(), []
    for library in libraries:
        files, found = _source_files(library), []
        for k in rng.permutation(len(files)):
            held_out = rng.random() < 0.2
            for text in _first_sentences(files[k], libraries):
                if text not in seen:
                    seen.add(text)
                    found.append((held_out, text))
        of_library.append(found)
    count = min(PER_LIBRARY, *map(len, of_library))
    for label, found in enumerate(of_library):
        for held_out, text in found[:count]:
            splits[held_out].append((text, label))
    shuffled = [zip(*(split[k] for k in rng.permutation(len(split))), strict=True) for split in splits]
    train, test = ((np.array(texts, object), np.array(labels)) for texts, labels in shuffled)
    return train, test, list(libraries)


def _source_files(library):
    root = Path(importlib.util.find_spec(library).submodule_search_locations[0])  # without importing it
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
