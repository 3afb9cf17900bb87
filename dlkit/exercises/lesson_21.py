"""Checkers of lesson 21."""

from __future__ import annotations

import numpy as np

from dlkit.evaluate import wilson_interval
from dlkit.exercises.helpers import check_number, checker


@checker("21.grid_hours")
def grid_hours(answer):
    """4 * 3 * 2 * 5 tries, 5 folds, 3 seeds, 2 minutes each."""
    hints = {
        3600: "that is in minutes",
        4: "each try runs on 5 folds with 3 seeds",
        20: "each fold runs with 3 seeds",
        12: "each seed runs on 5 folds",
        30: "a training takes 2 minutes, not one",
        7: "a grid multiplies its axes, it does not add them",
        2.8: "a grid multiplies its axes: 4 · 3 · 2 · 5",
    }
    return check_number(answer, "hours", 60, hints, "4 · 3 · 2 · 5 tries, each 5 · 3 trainings of 2 minutes")


@checker("21.successive_halving")
def successive_halving(student):
    """Against a race whose leader changes, with every training on record."""
    for count, epochs, factor in ((9, 2, 3), (8, 1, 2), (20, 1, 3)):
        asked = []
        winner = student(_race(asked), list(range(count)), epochs, factor)
        if winner is None:
            return "your function returns nothing; is the `return` missing?"
        expected = []
        right = _halve(_race(expected), list(range(count)), epochs, factor)
        if len(asked) > len(expected) and {e for _, e in asked} > {e for _, e in expected}:
            return "the last one left is the winner; do not train it again"
        if asked and len({length for _, length in asked}) == 1 and len(expected) > count:
            return f"every round trains {factor} times as long as the one before"
        if sorted(asked) != sorted(expected):
            rounds = [sum(e == length for _, e in asked) for length in sorted({e for _, e in asked})]
            wanted = [sum(e == length for _, e in expected) for length in sorted({e for _, e in expected})]
            if rounds != wanted:
                return f"of {count} candidates with factor {factor} the rounds train {wanted}; yours train {rounds}"
            return "the best go on, those with the larger scores; in each round by that round's scores"
        if winner != right:
            return "return the candidate that is left at the end, not its score or its place"
    return None


def _race(record):
    """score(candidate, epochs) in which some begin badly and end well; it notes what it is asked."""

    def score(candidate, epochs):
        record.append((candidate, epochs))
        return np.sin(7.0 * candidate) + np.log1p(epochs) * np.cos(3.0 * candidate)

    return score


def _halve(score, candidates, epochs, factor):
    while len(candidates) > 1:
        scores = {candidate: score(candidate, epochs) for candidate in candidates}
        candidates = sorted(candidates, key=scores.get, reverse=True)[: max(len(candidates) // factor, 1)]
        epochs *= factor
    return candidates[0]


@checker("21.spend_a_budget")
def spend_a_budget(measured):
    """The student's search: at most 64 tries, chosen by validation, judged once."""
    if not isinstance(measured, dict) or set(measured) != {"validation", "chosen", "test"}:
        return 'give {"validation": [one accuracy for each try], "chosen": its place in that list, "test": accuracy}'
    validation, chosen, test = np.asarray(measured["validation"], float), measured["chosen"], measured["test"]
    if validation.ndim != 1 or not 1 <= len(validation) <= 64:
        return f"the budget is 64 tries; this is {validation.size}"
    if np.any((validation < 0) | (validation > 1)) or not 0 <= test <= 1:
        return "accuracies lie between 0 and 1"
    if not 0 <= chosen < len(validation):
        return f'"chosen" counts from 0 to {len(validation) - 1}'
    if validation[chosen] < validation.max():
        return "another try had a higher validation accuracy: by what did you choose? Not by the test images, surely"
    if test < 0.88:
        low, high = wilson_interval(float(test), 1547)
        return f"{test:.3f} on the test images ({low:.3f} to {high:.3f}) is below 0.88: search where the good ones lie"
    return None
