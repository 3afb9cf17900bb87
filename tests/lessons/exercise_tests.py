"""What is tested about the exercises of every lesson."""

import ast

import numpy as np

from dlkit import exercises
from tools.notebooks import read
from tools.solutions import answer_of, exercise_cells


def cells_of(lesson):
    """({exercise: source of its cell in the lesson}, {exercise: source of its cell in the solution})."""
    solution = lesson.parent / "solutions" / lesson.name
    return tuple({name: cell.source for name, cell in exercise_cells(path).items()} for path in (lesson, solution))


def statements(path):
    """The Markdown before each exercise cell, from its bold number on."""
    cells = read(path).cells
    texts = []
    for k in (k for k, cell in enumerate(cells) if "exercise" in cell.metadata.get("tags", [])):
        while cells[k].cell_type != "markdown":
            k -= 1
        texts.append(cells[k].source[cells[k].source.index("**") :])
    return texts


def parameters_of(source):
    """The parameters of the functions that a cell defines."""
    return [ast.unparse(node.args) for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)]


def leave_python(*given):
    raise SystemExit


NONSENSE = [object(), "x", -1, [], {}, lambda: 1, lambda *a: 1 / 0, lambda *a: "x", np.zeros(3), leave_python]


class ExerciseTests:
    """The checkers of a lesson accept every correct answer and give each known mistake the hint that fits.

    A test file `tests/lessons/test_NN_….py` subclasses this and defines

    - `ALTERNATIVES`, {exercise: other correct answers}, so that a checker does not ask for one way of writing it;
    - `MISTAKES`, {exercise: (wrong answer, a word of its hint)}, three or more; "a|b" means that either will do.
    """

    def test_each_exercise_has_checker_solution_and_cases(self, request):
        module, number = request.module, request.path.stem.removeprefix("test_")[:2]
        checkers = [name for name in exercises.names() if name.startswith(number)]
        assert checkers == sorted(module.STUBS) == sorted(module.SOLUTIONS)
        assert checkers == sorted(module.ALTERNATIVES) == sorted(module.MISTAKES)
        assert len(checkers) >= 3
        assert all(len(mistakes) >= 3 for mistakes in module.MISTAKES.values())

    def test_solution_repeats_the_exercise_of_the_lesson(self, request, lesson_path):
        assert statements(lesson_path.parent / "solutions" / lesson_path.name) == statements(lesson_path)
        for name, stub in request.module.STUBS.items():
            assert set(parameters_of(stub)) <= set(parameters_of(request.module.SOLUTIONS[name]))

    def test_stub_is_not_attempted_yet(self, request, exercise):
        assert exercises.verdict(exercise, answer_of(request.module.STUBS[exercise])) == "not attempted yet"

    def test_solution_is_right(self, request, solved_exercise):
        assert exercises.verdict(solved_exercise, answer_of(request.module.SOLUTIONS[solved_exercise])) == "✓ right"

    def test_alternative_is_right(self, request, exercise):
        for answer in request.module.ALTERNATIVES[exercise]:
            assert exercises.verdict(exercise, answer) == "✓ right", answer

    def test_mistake_gets_its_hint(self, mistake):
        exercise, answer, words = mistake
        verdict = exercises.verdict(exercise, answer)
        assert verdict.startswith("✗ ")
        assert any(word in verdict for word in words.split("|")), verdict

    def test_nonsense_raises_nothing(self, exercise, capsys):
        for answer in NONSENSE:
            exercises.check(exercise, answer)
            assert capsys.readouterr().out.startswith(f"{exercise}: ✗ "), answer
