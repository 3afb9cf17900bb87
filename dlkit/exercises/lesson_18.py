"""Checkers of lesson 18."""

from __future__ import annotations

from difflib import SequenceMatcher

import numpy as np

from dlkit.exercises.helpers import check_keys, check_number, check_shape, checker, first_match


@checker("18.idf")
def idf(answer):
    """Checks an inverse document frequency, log((1 + 3) / (1 + 1)) + 1."""
    expected = np.log(2) + 1
    hints = {
        np.log(2): "the + 1 at the end is missing",
        np.log(3) + 1: "1 is added to both counts: (1 + 3) / (1 + 1)",
        np.log(3): "1 is added to both counts, and 1 at the end",
        np.log10(2) + 1: "use the natural logarithm, `np.log`",
        np.log2(2) + 1: "use the natural logarithm, `np.log`",
        1 - np.log(2): "the fraction is upside down: divide the number of texts by the number of texts with the word",
        np.log(4 / 3) + 1: "only one of the texts contains the word",
    }
    default = "n = 3 texts, and n_w = 1 of them contains the word"
    return check_number(answer, "idf_of_film", expected, hints, default, tolerance=6e-4)


@checker("18.masked_mean")
def masked_mean(student):
    """Checks the mean of the vectors whose token is not 0, wherever the padding stands."""
    rng = np.random.default_rng(0)
    padding_at_end = [[3, 1, 2, 0, 0], [5, 0, 0, 0, 0], [1, 2, 3, 4, 5]]
    padding_anywhere = [[0, 0, 0, 7], [0, 1, 0, 2], [4, 3, 0, 0], [0, 0, 1, 1]]
    for tokens, d in ((np.array(padding_at_end), 4), (np.array(padding_anywhere), 3)):
        vectors = rng.normal(size=(*tokens.shape, d))
        found = student(vectors.copy(), tokens.copy())
        if hint := check_shape(found, (len(tokens), d), f"return one vector for each text, shape ({len(tokens)}, {d})"):
            return hint
        if hint := _compare_means(found, vectors, tokens):
            return hint
    with np.errstate(all="ignore"):
        empty = np.asarray(student(vectors.copy(), np.where([[1], [0], [1], [0]], tokens, 0)))
    return None if np.all(empty[1::2] == 0) else "this is correct, but a row without words should give zeros, not NaN"


def _compare_means(found, vectors, tokens):
    rows = [row[token_ids != 0] for row, token_ids in zip(vectors, tokens, strict=True)]
    if np.allclose(found, [row.mean(axis=0) for row in rows]):
        return None
    first = [row[: len(words)].mean(axis=0) for row, words in zip(vectors, rows, strict=True)]
    hints = [
        (vectors.mean(axis=1), "the padding is still in the mean"),
        ([row.sum(axis=0) / tokens.shape[1] for row in rows], "divide by the number of words, not by the row's length"),
        ([row.sum(axis=0) for row in rows], "this is the sum; divide it by the number of words"),
        ([row.max(axis=0) for row in rows], "compute the mean, not the maximum"),
        (first, "padding may stand in front of the words and between them: look at each token"),
    ]
    default = "sum the vectors whose token is not 0 and divide by their number; 0 may stand anywhere"
    return first_match(found, hints, default)


@checker("18.one_word")
def one_word(measured):
    """Checks the experiment: two texts that differ in one word, and the true class's probability for both."""
    if hint := check_keys(measured, {"before": '"…"', "after": '"…"', "probs": "(0.9, 0.3)"}):
        return hint
    before, after = (str(measured[name]).split() for name in ("before", "after"))
    if np.shape(measured["probs"]) != (2,) or not all(0 <= p <= 1 for p in measured["probs"]):
        return '"probs" holds two probabilities between 0 and 1, before and after the change'
    edits = [edit for edit in SequenceMatcher(None, before, after, autojunk=False).get_opcodes() if edit[0] != "equal"]
    if not edits:
        return "both texts are the same"
    if len(edits) > 1 or any(max(edit[2] - edit[1], edit[4] - edit[3]) > 1 for edit in edits):
        return "only one word may be changed, added or removed"
    if measured["probs"][0] < 0.6:
        return "before the change, the classifier should give the true class a probability of at least 60%"
    if measured["probs"][1] >= 0.5:
        return "after the change, the true class still has a probability of half or more: it is not broken yet"
    return None
