"""Checkers of lesson 21."""

from __future__ import annotations

import numpy as np

from dlkit.evaluate import wilson_interval
from dlkit.exercises.helpers import check_accuracies, check_keys, check_number, check_returned, checker


@checker("21.grid_hours")
def grid_hours(answer):
    """Checks the hours of 4 * 3 * 2 * 5 trials on 5 folds with 3 seeds, 2 minutes each."""
    hints = {
        3600: "that is in minutes",
        4: "each trial runs on 5 folds with 3 seeds",
        20: "each fold runs with 3 seeds",
        12: "each seed runs on 5 folds",
        30: "a training takes 2 minutes, not one",
        7: "a grid multiplies the sizes of its axes: 4 · 3 · 2 · 5",
    }
    default = "there are 4 · 3 · 2 · 5 trials, each with 5 · 3 trainings of 2 minutes"
    return check_number(answer, "hours", 60, hints, default)


@checker("21.successive_halving")
def successive_halving(student):
    """Checks successive halving on candidates whose ranking changes, with a record of every training."""
    for count, epochs, factor in ((9, 2, 3), (8, 1, 2), (20, 1, 3)):
        record, expected = [], []  # pairs (candidate, epochs)
        winner = student(_scoring(record), list(range(count)), epochs, factor)
        if hint := check_returned(winner):
            return hint
        expected_winner = _halve(_scoring(expected), list(range(count)), epochs, factor)
        if len(record) > len(expected) and {e for _, e in record} > {e for _, e in expected}:
            return "the last candidate left is the winner; do not train it again"
        if record and len({e for _, e in record}) == 1 and len(expected) > count:
            return f"each round trains {factor} times as long as the round before"
        if sorted(record) != sorted(expected):
            if _rounds(record) != _rounds(expected):
                return (
                    f"with {count} candidates and factor {factor}, the rounds train {_rounds(expected)} candidates; "
                    f"yours train {_rounds(record)}"
                )
            return "each round keeps the candidates with the larger scores, judged by the scores of that round"
        if winner != expected_winner:
            return "return the candidate that is left at the end, not its score or its position"
    return None


def _rounds(record):
    """How many candidates were trained in each round."""
    return [sum(e == epochs for _, e in record) for epochs in sorted({e for _, e in record})]


def _scoring(record):
    """A function score(candidate, epochs) in which some begin badly and end well; it records its calls."""

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
    """Checks the experiment: at most 64 trials, the best of them on validation tested once."""
    example = {"validation": "[one accuracy for each trial]", "chosen": "index in that list", "test": "accuracy"}
    if hint := check_keys(measured, example):
        return hint
    validation, chosen, test = np.asarray(measured["validation"], float), measured["chosen"], measured["test"]
    if validation.ndim != 1 or not 1 <= len(validation) <= 64:
        return f"the budget is 64 trials; this is {validation.size}"
    if hint := check_accuracies([*validation, test]):
        return hint
    if not 0 <= chosen < len(validation):
        return f'"chosen" counts from 0 to {len(validation) - 1}'
    if validation[chosen] < validation.max():
        return "another trial has a higher validation accuracy: choose by validation, not by the test images"
    if test < 0.88:
        low, high = wilson_interval(round(float(test) * 1547) / 1547, 1547)
        return f"{test:.3f} on the test images ({low:.3f} to {high:.3f}) is below 0.88: search near the good settings"
    return None
