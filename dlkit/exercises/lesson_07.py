"""Checkers of lesson 07."""

from __future__ import annotations

import numpy as np

from dlkit.exercises.helpers import check_number, checker


@checker("07.l2_step")
def l2_step(answer):
    """w = 3, slope 0.5, rate 0.1, penalty 0.01 w^2: one step."""
    hints = {
        3 - 0.1 * 0.5: "the penalty has a slope too: 2λw = 0.06",
        3 - 0.1 * (0.5 + 0.03): "the square brings a factor 2: the slope of λw² is 2λw",
        3 - 0.1 * (0.5 + 0.09): "that adds the penalty itself; the step needs its slope, 2λw",
        3 - 0.1 * (0.5 - 0.06): "the penalty pulls towards zero: its slope is added to the other",
        3 + 0.1 * (0.5 + 0.06): "the step goes against the slope",
        3 - (0.5 + 0.06): "the learning rate is missing",
    }
    return check_number(answer, "new_weight", 2.944, hints, "w − rate·(0.5 + 2λw)")


@checker("07.early_stopping")
def early_stopping(student):
    """(epochs run, best epoch) for curves that stop, that do not, and with equal values."""
    cases = [
        ([1.0, 0.8, 0.9, 0.85, 0.7, 0.6], 2, (4, 2)),
        ([1.0, 0.8, 0.9, 0.85, 0.7, 0.6], 3, (6, 6)),
        ([0.5, 0.5, 0.5, 0.4], 2, (3, 1)),
        ([1.0, 0.9, 0.8], 1, (3, 3)),
        ([1.0, 2.0, 0.5, 2.0, 2.0, 0.1], 2, (5, 3)),
        ([1.0, 0.5, 0.7], 3, (3, 2)),
        ([0.4], 1, (1, 1)),
    ]
    for losses, patience, right in cases:
        found = student(list(losses), patience)
        if not isinstance(found, (tuple, list)) or len(found) != 2:
            return "return two numbers: epochs run, best epoch"
        run, best = (int(value) for value in found)
        if (run, best) == right:
            continue
        case = f"losses {losses}, patience {patience}: "
        if (run, best) == (right[0] - 1, right[1] - 1):
            return case + "epochs are counted from 1"
        if (best, run) == right:
            return case + "the two numbers are exchanged: first the epochs run, then the best epoch"
        if run == len(losses) > right[0]:
            return case + "it goes on too long. An equal loss is no new lowest one, and the count is of epochs in a row"
        if best != right[1] and run == right[0]:
            return case + f"the lowest loss so far came in epoch {right[1]}, not {best}"
        if run == right[0] + 1:
            return case + "one epoch too many: it stops as soon as `patience` epochs in a row brought nothing new"
        return (
            case + f"expected {right}, got {(run, best)}. Count epochs since the lowest loss; a new lowest starts again"
        )
    return None


@checker("07.combined_tricks")
def combined_tricks(answer):
    """{"plain": scores, "mine": scores} over at least three seeds: two points better, with 500 images."""
    if not isinstance(answer, dict) or not {"plain", "mine"} <= set(answer):
        return 'give a dictionary with the test accuracies of each seed: {"plain": [...], "mine": [...]}'
    plain, mine = (np.asarray(answer[name], dtype=float).ravel() for name in ("plain", "mine"))
    if len(plain) != len(mine) or len(plain) < 3:
        return f"at least three seeds, the same for both; so far {len(plain)} and {len(mine)}"
    if max(plain.max(), mine.max()) > 1:
        return "accuracies lie between 0 and 1; these look like percentages"
    if len(set(mine.tolist())) == 1 or len(set(plain.tolist())) == 1:
        return "all seeds give the same number; does each run really start anew, with other images and weights?"
    gain = 100 * (mine.mean() - plain.mean())
    if gain < 2:
        return f"{gain:+.1f} points. Begin with the trick that gained most in the lesson, then add others one at a time"
    return None
