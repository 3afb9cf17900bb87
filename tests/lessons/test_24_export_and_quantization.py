"""The code of lesson 24 on more cases than the lesson shows, and the checkers of its exercises."""

import keras
import numpy as np
import pytest

from tests.lessons.exercise_tests import ExerciseTests

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(("low", "high"), [(-1, 4), (0, 255), (2, 10), (-7, -3), (-1e-3, 1e3)])
def test_quantizing_is_off_by_a_mark_at_most_and_keeps_zero(lesson, low, high):
    scale, zero = lesson.scale_and_zero(low, high)
    assert -128 <= zero <= 127
    x = np.linspace(low, high, 10_001)
    found = lesson.restore(lesson.quantize(x, scale, zero), scale, zero)
    assert np.abs(found - x).max() <= scale
    assert lesson.restore(lesson.quantize(np.zeros(1), scale, zero), scale, zero) == 0


@pytest.mark.parametrize(("inputs", "outputs"), [(1, 1), (6, 4), (30, 7)])
def test_the_integer_layer_gives_litert_s_integers(lesson, tmp_path, inputs, outputs):
    from dlkit import export

    layer = keras.Sequential([keras.Input((inputs,)), keras.layers.Dense(outputs)])
    W, b = RNG.normal(size=(inputs, outputs)).astype("float32"), RNG.normal(size=outputs).astype("float32")
    layer.set_weights([W, b])
    typical = RNG.uniform(-2, 3, (100, inputs)).astype("float32")
    theirs = export.LiteRT(export.to_litert(layer, tmp_path / "x.tflite", quantization="int8", calibration=typical))
    lesson.their_scale, lesson.their_zero = theirs.interpreter.get_input_details()[0]["quantization"]
    lesson.scale_y, lesson.zero_y = theirs.interpreter.get_output_details()[0]["quantization"]
    lesson.b, lesson.scale_w = b, np.abs(W).max(axis=0) / 127
    lesson.W_q = np.round(W / lesson.scale_w).astype("int8")
    ours = lesson.restore(lesson.integer_dense(typical), lesson.scale_y, lesson.zero_y)
    apart = np.abs(ours - theirs(typical)) / lesson.scale_y
    assert apart.max() < 1.5
    assert np.mean(apart < 0.5) > 0.95


def test_the_exercises_quantization_is_that_of_keras():
    from tests.answers_practice import ANOTHER_WAY

    W = RNG.normal(size=(9, 5)).astype("float32")
    integers, scales = ANOTHER_WAY["24.symmetric"](W)
    theirs, inverse = keras.quantizers.abs_max_quantize(W, axis=0, to_numpy=True)
    np.testing.assert_allclose(scales, 1 / np.ravel(inverse), rtol=1e-4)
    assert np.abs(integers - np.asarray(theirs, int)).max() <= 1


# --- exercises: other correct answers, and mistakes with a word of the hint that each should get


def column_by_column(largest=lambda column: np.abs(column).max(), top=127, turn=np.rint, kind="int8", empty=1.0):
    """Symmetric quantization, a column at a time."""

    def run(W):
        scales = [largest(column) / top or empty for column in W.T]
        return np.stack([turn(c / s) for c, s in zip(W.T, scales, strict=True)], axis=1).astype(kind), np.array(scales)

    return run


ALTERNATIVES = {
    "24.scale_and_zero": [(0.0196, -77)],
    "24.symmetric": [column_by_column()],
    "24.the_cliff": [{"share": 0.92, "before": 0.97, "after": 0.965}],
}

MISTAKES = {
    "24.scale_and_zero": [
        ((5 / 256, -77), "255 distances"),
        ((4 / 255, -64), "from −1 to 4"),
        ((4 / 127, 0), "symmetric"),
        ((51, -77), "upside down"),
        ((0.0196, 51), "51 marks further"),
        ((0.0196, 0), "zero point"),
        (0.0196, "two numbers"),
    ],
    "24.symmetric": [
        (lambda W: column_by_column(largest=lambda column: np.abs(W).max())(W), "column of zeros"),
        (column_by_column(empty=0.0), "column of zeros"),
        (column_by_column(top=128), "127, not 128"),
        (column_by_column(largest=np.max), "absolute"),
        (column_by_column(largest=np.ptp, top=255), "symmetric"),
        (column_by_column(kind="int32"), "int8"),
        (column_by_column(turn=np.trunc), "round"),
        (lambda W: W, "return the integers"),
        (lambda W: (column_by_column()(W)[0], column_by_column()(np.c_[W, W])[1][:4]), "shape (2,)"),
    ],
    "24.the_cliff": [
        ({"share": 0.9}, "give"),
        ({"share": 90, "before": 0.97, "after": 0.96}, "between 0 and 1"),
        ({"share": 0.9, "before": 0.6, "after": 0.6}, "begin with"),
        ({"share": 0.7, "before": 0.97, "after": 0.96}, "the aim is 90"),
        ({"share": 0.9, "before": 0.97, "after": 0.9}, "points are lost"),
    ],
}


class TestExercises(ExerciseTests):
    pass
