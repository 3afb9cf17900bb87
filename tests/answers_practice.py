"""Other right ways and typical mistakes for the exercises of notebooks 21 to 26, for test_exercises.

Each mistake comes with a word of the hint that it should get.
"""


def halving(factor_of=lambda factor: factor, best=True, longer=True, again=False, give=lambda left: left):
    """Successive halving by a heap of small deviations."""

    def run(score, candidates, epochs, factor):
        left = list(candidates)
        while len(left) > 1:
            ranked = sorted((score(candidate, epochs), candidate) for candidate in left)
            keep = max(len(ranked) // factor_of(factor), 1)
            left = [candidate for _, candidate in (ranked[-keep:] if best else ranked[:keep])]
            epochs = epochs * factor if longer else epochs
        if again:
            score(left[0], epochs)
        return give(left[0])

    return run


ANOTHER_WAY = {
    "21.grid_hours": 60.0,
    "21.successive_halving": halving(),
    "21.spend_a_budget": {"validation": [0.3, 0.92, 0.9], "chosen": 1, "test": 0.891},
}

MISTAKES = {
    "21.grid_hours": [
        (3600, "minutes"),
        (4, "5 folds"),
        (20, "3 seeds"),
        (12, "5 folds"),
        (30, "2 minutes"),
        (7, "multiplies"),
        (50, "4 · 3 · 2 · 5"),
    ],
    "21.successive_halving": [
        (halving(factor_of=lambda factor: factor + 1), "the rounds train"),
        (halving(best=False), "larger scores"),
        (halving(longer=False), "times as long"),
        (halving(again=True), "not train it again"),
        (halving(give=lambda left: left + 1), "return the candidate"),
        (halving(give=lambda left: None), "return"),
    ],
    "21.spend_a_budget": [
        ({"validation": [0.9]}, "give"),
        ({"validation": [0.9] * 65, "chosen": 0, "test": 0.9}, "budget"),
        ({"validation": [90.0], "chosen": 0, "test": 0.9}, "between 0 and 1"),
        ({"validation": [0.9, 0.8], "chosen": 2, "test": 0.9}, "counts from 0"),
        ({"validation": [0.9, 0.8], "chosen": 1, "test": 0.9}, "by what did you choose"),
        ({"validation": [0.9, 0.8], "chosen": 0, "test": 0.85}, "below 0.88"),
    ],
}
