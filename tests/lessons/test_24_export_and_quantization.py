"""Tests the code of lesson 24 on more cases than the lesson shows, and the checkers of its exercises."""

import keras
import numpy as np
import pytest

from dlkit import export
from tests.lessons.exercise_tests import ExerciseTests

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(("low", "high"), [(-1, 4), (0, 255), (2, 10), (-7, -3), (-1e-3, 1e3)])
def test_quantize_errs_by_at_most_one_scale_and_keeps_zero(lesson, low, high):
    scale, zero = lesson.scale_and_zero(low, high)
    assert -128 <= zero <= 127
    x = np.linspace(low, high, 10_001)
    found = lesson.dequantize(lesson.quantize(x, scale, zero), scale, zero)
    assert np.abs(found - x).max() <= scale
    assert lesson.dequantize(lesson.quantize(np.zeros(1), scale, zero), scale, zero) == 0


@pytest.mark.parametrize(("inputs", "outputs"), [(1, 1), (6, 4), (30, 7)])
def test_integer_dense_matches_litert(lesson, tmp_path, inputs, outputs):
    layer = keras.Sequential([keras.Input((inputs,)), keras.layers.Dense(outputs)])
    W, b = RNG.normal(size=(inputs, outputs)).astype("float32"), RNG.normal(size=outputs).astype("float32")
    layer.set_weights([W, b])
    representative = RNG.uniform(-2, 3, (100, inputs)).astype("float32")
    theirs = export.LiteRT(
        export.to_litert(layer, tmp_path / "x.tflite", quantization="int8", calibration=representative)
    )
    lesson.their_scale, lesson.their_zero = theirs.interpreter.get_input_details()[0]["quantization"]
    lesson.scale_y, lesson.zero_y = theirs.interpreter.get_output_details()[0]["quantization"]
    lesson.b, lesson.scale_w = b, np.abs(W).max(axis=0) / 127
    lesson.W_q = np.round(W / lesson.scale_w).astype("int8")
    ours = lesson.dequantize(lesson.integer_dense(representative), lesson.scale_y, lesson.zero_y)
    errors = np.abs(ours - theirs(representative)) / lesson.scale_y
    assert errors.max() < 1.5
    assert np.mean(errors < 0.5) > 0.95


def test_symmetric_quantization_matches_keras():
    W = RNG.normal(size=(9, 5)).astype("float32")
    integers, scales = column_by_column()(W)
    theirs, inverse = keras.quantizers.abs_max_quantize(W, axis=0, to_numpy=True)
    np.testing.assert_allclose(scales, 1 / np.ravel(inverse), rtol=1e-4)
    assert np.abs(integers - np.asarray(theirs, int)).max() <= 1


# Exercises: other correct answers, and mistakes with a word of the hint that each should get


def column_by_column(largest=lambda column: np.abs(column).max(), top=127, rounding=np.rint, dtype="int8", empty=1.0):
    """Symmetric quantization, a column at a time."""

    def run(W):
        scales = [largest(column) / top or empty for column in W.T]
        return np.stack([rounding(c / s) for c, s in zip(W.T, scales, strict=True)], axis=1).astype(dtype), np.array(
            scales
        )

    return run


ALTERNATIVES = {
    "24.scale_and_zero": [(0.0196, -77)],
    "24.symmetric": [column_by_column()],
    "24.pruning": [{"fraction": 0.92, "before": 0.97, "after": 0.965}],
}

MISTAKES = {
    "24.scale_and_zero": [
        ((5 / 256, -77), "255 steps"),
        ((4 / 255, -64), "from −1 to 4"),
        ((4 / 127, 0), "symmetric"),
        ((51, -77), "upside down"),
        ((0.0196, 51), "51 levels further"),
        ((0.0196, 0), "zero point"),
        (0.0196, "two numbers"),
    ],
    "24.symmetric": [
        (lambda W: column_by_column(largest=lambda column: np.abs(W).max())(W), "column of zeros"),
        (column_by_column(empty=0.0), "column of zeros"),
        (column_by_column(top=128), "127, not 128"),
        (column_by_column(largest=np.max), "absolute"),
        (column_by_column(largest=np.ptp, top=255), "symmetric"),
        (column_by_column(dtype="int32"), "int8"),
        (column_by_column(rounding=np.trunc), "round"),
        (lambda W: W, "return the integers"),
        (lambda W: (column_by_column()(W)[0], column_by_column()(np.c_[W, W])[1][:4]), "shape (2,)"),
    ],
    "24.pruning": [
        ({"fraction": 0.9}, "give"),
        ({"fraction": 90, "before": 0.97, "after": 0.96}, "between 0 and 1"),
        ({"fraction": 0.9, "before": 0.6, "after": 0.6}, "start with"),
        ({"fraction": 0.7, "before": 0.97, "after": 0.96}, "the goal is 90"),
        ({"fraction": 0.9, "before": 0.97, "after": 0.9}, "points of accuracy are lost"),
    ],
}


class TestExercises(ExerciseTests):
    pass
