"""Checkers of lesson 18."""

from __future__ import annotations

from difflib import SequenceMatcher

import numpy as np

from dlkit.exercises.helpers import check_number, checker


@checker("18.idf")
def idf(answer):
    """log((1 + 3) / (1 + 1)) + 1."""
    right = np.log(2) + 1
    hints = {
        np.log(2): "the + 1 at the end is missing",
        np.log(3) + 1: "1 is added to both counts: (1 + 3) / (1 + 1)",
        np.log(3): "1 is added to both counts, and 1 at the end",
        np.log10(2) + 1: "the natural logarithm, `np.log`",
        np.log2(2) + 1: "the natural logarithm, `np.log`",
        1 - np.log(2): "the number of texts stands above, those with the word below",
        np.log(4 / 3) + 1: "only one of the texts holds the word",
    }
    return check_number(answer, "idf_of_film", right, hints, "n = 3 texts, n_w = 1 holds the word", tolerance=6e-4)


@checker("18.masked_mean")
def masked_mean(student):
    """Mean of the vectors at places whose token is not 0, wherever the padding stands."""
    rng = np.random.default_rng(0)
    behind = [[3, 1, 2, 0, 0], [5, 0, 0, 0, 0], [1, 2, 3, 4, 5]]
    anywhere = [[0, 0, 0, 7], [0, 1, 0, 2], [4, 3, 0, 0], [0, 0, 1, 1]]
    for tokens, d in ((np.array(behind), 4), (np.array(anywhere), 3)):
        vectors = rng.normal(size=(*tokens.shape, d))
        found = student(vectors.copy(), tokens.copy())
        if found is None:
            return "your function returns nothing; is the `return` missing?"
        if np.shape(found) != (len(tokens), d):
            return f"one vector for each text, shape ({len(tokens)}, {d}) here; this has {np.shape(found)}"
        if hint := _wrong_mean(found, vectors, tokens):
            return hint
    with np.errstate(all="ignore"):
        empty = np.asarray(student(vectors.copy(), np.where([[1], [0], [1], [0]], tokens, 0)))
    return None if np.all(empty[1::2] == 0) else "right, but a row without any word should give zeros, not nan"


def _wrong_mean(found, vectors, tokens):
    rows = [row[numbers != 0] for row, numbers in zip(vectors, tokens, strict=True)]
    if np.allclose(found, [row.mean(axis=0) for row in rows]):
        return None
    first = [row[: len(real)].mean(axis=0) for row, real in zip(vectors, rows, strict=True)]
    hints = [
        (vectors.mean(axis=1), "padding is still in the mean"),
        ([row.sum(axis=0) / tokens.shape[1] for row in rows], "divide by the number of words, not by the row's length"),
        ([row.sum(axis=0) for row in rows], "that is the sum; divide by the number of words"),
        ([row.max(axis=0) for row in rows], "the mean, not the maximum"),
        (first, "padding may stand in front of the words and between them: look at each token"),
    ]
    fits = (hint for value, hint in hints if np.allclose(found, value))
    return next(fits, "sum the vectors where the token is not 0, divide by how many there are; 0 may stand anywhere")


@checker("18.one_word")
def one_word(measured):
    """The student's experiment: two texts one word apart, and the right class's probability in both."""
    if not isinstance(measured, dict) or set(measured) != {"before", "after", "probs"}:
        return 'give {"before": "…", "after": "…", "probs": (0.9, 0.3)}'
    before, after = (str(measured[name]).split() for name in ("before", "after"))
    if np.shape(measured["probs"]) != (2,) or not all(0 <= p <= 1 for p in measured["probs"]):
        return '"probs" holds two probabilities, before and after, between 0 and 1'
    steps = [step for step in SequenceMatcher(None, before, after, autojunk=False).get_opcodes() if step[0] != "equal"]
    if not steps:
        return "both texts are the same"
    if len(steps) > 1 or any(max(step[2] - step[1], step[4] - step[3]) > 1 for step in steps):
        return "one word only may be changed, added or removed"
    if measured["probs"][0] < 0.6:
        return "before, the classifier should give the right class at least 60 %"
    if measured["probs"][1] >= 0.5:
        return "after, the right class still has half or more: it is not broken yet"
    return None
