"""The tool that measures how far claims are from failing."""

import math
import textwrap

import keras
import nbformat
import pytest

from tools import claims_margin


@pytest.fixture
def lesson(tmp_path, monkeypatch):
    """A notebook with claims: some values are always the same, others vary with the seed and sometimes fail."""
    monkeypatch.setattr(claims_margin, "RESULTS_FOLDER", tmp_path)
    cells = [
        "import keras, numpy as np\nfrom dlkit import data, runtime\nfrom dlkit.claims import claim",
        "rt = runtime.setup(seed=0)",
        "drawn = np.random.default_rng(0).random()",
        "keras.utils.set_random_seed(0)\nchosen = float(keras.random.uniform(()))",
        "rows = np.arange(999)\nbatches = data.pipeline(rows[:, None], rows, batch_size=1, training=True)",
        "row = int(next(iter(batches))[1][0])",
        'claim("Two and two", 2 + 2, between=(4, 4))',
        'claim("Too much", 9, at_most=5)',
        'claim("Drawn", drawn, at_most=2)\nclaim("Chosen", chosen, at_least=0.5)\nclaim("Row", row, at_most=9)',
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    nbformat.write(notebook, tmp_path / "lesson.ipynb")
    return tmp_path / "lesson.ipynb"


@pytest.mark.slow
def test_measure_claims_runs_a_lesson_with_another_seed(lesson):
    first, second = (claims_margin.measure_claims(lesson, seed) for seed in (0, 1))
    assert [claim["sentence"] for claim in first] == ["Two and two", "Too much", "Drawn", "Chosen", "Row"]
    assert [claim["low"] for claim in first] == [4, None, None, 0.5, None]
    assert [claim["high"] for claim in first] == [4, 5, 2, None, 9]
    assert first[0] == second[0]
    assert first[2]["value"] != second[2]["value"]
    # The seed of Keras is shifted too, and a claim that does not hold does not stop the notebook.
    assert first[3]["value"] != second[3]["value"]
    assert first[4]["value"] != second[4]["value"], "the seed of the pipeline is shifted too"
    lesson.unlink()
    assert claims_margin.measure_claims(lesson, 0) == first, "the saved results are used"


@pytest.mark.slow
def test_measure_claims_does_not_shift_seeds_in_recipes(lesson):
    source = """
        import keras
        from dlkit import recipes, runtime
        from dlkit.claims import claim

        def train(seed=0):
            runtime.setup(seed)
            return float(keras.random.uniform(()))

        recipes.train = train
        rt = runtime.setup(seed=0)
        in_recipe = recipes.train()
        keras.utils.set_random_seed(0)
        after = float(keras.random.uniform(()))
        claim("In a recipe", in_recipe, at_most=1)
        claim("After it", after, at_most=1)
    """
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(textwrap.dedent(source))])
    nbformat.write(notebook, lesson)
    plain, shifted = ([claim["value"] for claim in claims_margin.measure_claims(lesson, seed)] for seed in (0, 1))
    assert plain == [plain[0]] * 2, "the same seed gives the same number"
    assert shifted[0] == plain[0]
    keras.utils.set_random_seed(1000)
    assert shifted[1] == pytest.approx(float(keras.random.uniform(())))


def test_margins_are_in_standard_deviations():
    def runs(values, low=None, high=None, sentence="x"):
        return [[{"sentence": sentence, "value": value, "low": low, "high": high}] for value in values]

    [(margin, mean, spread, failed, _)] = claims_margin.margins(runs([1, 2, 3], low=0, high=10))
    assert (margin, mean, spread, failed) == (2, 2, 1, 0)
    [(margin, _, _, failed, _)] = claims_margin.margins(runs([1, 2, 3], low=2.5))
    assert (margin, failed) == (-0.5, 2)
    [(margin, mean, *_)] = claims_margin.margins(runs([10, 100, 1000], low=1, sentence="Faster, times"))
    assert (round(margin, 9), mean) == (2, 370), "computed from logarithms"
    [(margin, *_, failed, _)] = claims_margin.margins(runs([math.nan, math.nan], low=0))
    assert failed == 2
    assert claims_margin.margins(runs([5, 5, 5], low=0)) == [], "a claim that never changes has no margin"
