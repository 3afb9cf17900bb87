"""Mutation testing: the checkers reject every mutant of the solutions, and tools.mutate reports when one does not."""

import signal

import pytest

from dlkit import exercises
from tools import mutate
from tools.mutants import mutants

NO_TIMER = pytest.mark.skipif(not hasattr(signal, "SIGVTALRM"), reason="the time limit needs Linux or macOS")
MEAN = """def mean(values):
    total = 0
    for value in values:
        total += value
    return total / len(values)
"""


def changes(line):
    """The mutants of one line of a function, without the function around it."""
    made = mutants(f"def f(x, y):\n    {line}\n")
    return {change.split(" → ")[1] for change in made}


@pytest.mark.parametrize(
    ("line", "change"),
    [
        ("return x + y", "return x - y"),
        ("return x + y", "return y"),
        ("return x * y", "return x / y"),
        ("return x < y", "return x <= y"),
        ("return x < y", "return x > y"),
        ("return x and y", "return x or y"),
        ("return -x", "return x"),
        ("return x.T", "return x"),
        ("return (x, y)", "return (y, x)"),
        ("return x + 1", "return x + 2"),
        ("return 0.5", "return 0.75"),
        ("return f(x, True)", "return f(x, False)"),
        ("return f(x, y)", "return f(y, x)"),
        ("return f(x, axis=0)", "return f(x)"),
        ("return f(x)", "return x"),
        ("return x.copy()", "return x"),
        ("return x.sum()", "return x.mean()"),
        ("return max(x, y)", "return min(x, y)"),
        ("return x[1:y]", "return x[:y]"),
        ("return x if y else 0", "return x if True else 0"),
        ("x += y", "x = y"),
        ("x[y] = 0", "pass"),
    ],
)
def test_mutants_include_this_change(line, change):
    assert change in changes(line)


def test_mutants_differ_from_the_function_and_each_other():
    made = mutants(MEAN)
    assert len(set(made.values())) == len(made) > 10
    assert MEAN not in {f"{mutant}\n" for mutant in made.values()}


def test_mutants_change_only_the_bodies_of_functions():
    assert mutants('LIMIT = 1\n\n\ndef f(x=2):\n    """Gives 3."""\n    return x\n').keys() == {"return x → pass"}


def test_mutants_number_equal_changes():
    made = mutants("def f(x):\n    x += 1\n    x += 1\n")
    assert {"x += 1 → x += 2", "x += 1 → x += 2 (2)"} <= made.keys()


@pytest.fixture
def checker(monkeypatch):
    """Function that registers a checker of the exercise 99.mean, for one test."""

    def register(judge):
        exercises.verdict("00.accuracy", None)  # loads all checkers, so that this one is added last
        monkeypatch.setitem(exercises.CHECKERS, "99.mean", judge)

    return register


def source(function=MEAN):
    """The cell of a solution: the function and the call of `check`."""
    return f'{function}\ncheck("99.mean", mean)\n'


@NO_TIMER
def test_accepted_finds_nothing_with_a_careful_checker(checker):
    checker(lambda mean: None if mean([1, 2, 6]) == 3 and mean([-5]) == -5 else "wrong")
    verdicts = mutate.accepted("99.mean", source())
    assert not any(verdicts.values())
    assert len(verdicts) > 10


@NO_TIMER
def test_accepted_finds_the_gap_of_a_careless_checker(checker):
    checker(lambda mean: None if mean([2, 2]) > 0 else "wrong")
    verdicts = mutate.accepted("99.mean", source())
    assert verdicts["total += value → total = value"]
    assert "99.mean accepts a mistake: total += value → total = value" in mutate.compare("99.mean", verdicts)


def test_compare_reports_obsolete_entries(monkeypatch):
    monkeypatch.setattr(mutate, "EQUIVALENT", {"99.mean": {"a → b": "both are the same"}})
    assert mutate.compare("99.mean", {"a → b": True}) == []
    assert mutate.compare("99.mean", {}) == ["99.mean: obsolete in mutate_equivalent.json: a → b"]


@NO_TIMER
def test_judge_rejects_an_infinite_loop(checker, monkeypatch):
    checker(lambda mean: mean([1]))
    monkeypatch.setattr(mutate, "SECONDS", 0.1)
    assert "more than 0.1 s" in mutate.judge("99.mean", source("def mean(values):\n    while True:\n        values\n"))


@NO_TIMER
def test_main_reports_accepted_mutants(checker, capsys, monkeypatch):
    checker(lambda mean: None if mean([2, 2]) == 2 else "wrong")
    monkeypatch.setattr(mutate, "functions", lambda: {"99.mean": source()})
    assert mutate.main(["99.mean"]) == 1
    report = capsys.readouterr().out
    assert "accepts a mistake: return total / len(values) → return len(values)\n" in report
    assert report.endswith(" problems\n")
    with pytest.raises(SystemExit, match=r"Received: 99.median"):
        mutate.main(["99.median"])


def test_equivalent_mutants_belong_to_exercises():
    assert mutate.EQUIVALENT.keys() <= mutate.functions().keys()
    assert all(reason for reasons in mutate.EQUIVALENT.values() for reason in reasons.values())


def test_functions_include_those_that_fit_a_small_model():
    found = mutate.functions()
    assert {"13.choose_penalty", "28.pretended"} <= found.keys()
    assert not {"00.smallest_hidden_layer", "28.threshold", *mutate.ANY_GOOD_ANSWER} & found.keys()


FITS_MODELS = {"13.choose_penalty": pytest.mark.slow}  # the checker runs cross-validation for every mutant: a minute


@NO_TIMER
@pytest.mark.parametrize("name", [pytest.param(name, marks=FITS_MODELS.get(name, ())) for name in mutate.functions()])
def test_checker_rejects_every_mutant_of_the_solution(name):
    verdicts = mutate.accepted(name, mutate.functions()[name])
    assert len(verdicts) >= 10
    assert mutate.compare(name, verdicts) == []
