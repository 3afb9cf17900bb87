"""The sentence that a training ends with: what is worth a ✓, and what is said of a result that is not."""

import keras
import numpy as np
import pytest

from dlkit import evaluate
from dlkit.recipes import verdict


def metrics(correct, counts, *, train_counts=(500, 500), copies=0, **others):
    """The metrics of a run with so many correct answers of so many test images of each class."""
    correct, counts = np.array(correct), np.array(counts)
    accuracy = correct.sum() / counts.sum()
    return {
        "accuracy": accuracy,
        "accuracy_interval_95": evaluate.wilson_interval(accuracy, counts.sum()),
        "largest_class": ["cat", counts.max() / counts.sum()],
        "recall": (correct / np.maximum(counts, 1)).tolist(),
        "test_counts": counts.tolist(),
        "train_counts": list(train_counts),
        "copies": copies,
        "class_names": ["cat", "dog"],
        "seconds": 3.0,
        **others,
    }


def test_good_result_has_interval_majority_and_lowest_recall():
    result, warnings = verdict.describe(metrics([90, 80], [100, 100]))
    assert result == (
        '✓ test accuracy 0.8500 (95% interval 0.794 to 0.893; always answering "cat" would reach 0.500; lowest recall '
        '0.800, of "dog", test images: 100), 3 s of training.'
    )
    assert warnings == []


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (metrics([52, 50], [100, 100]), "not clearly better than always giving the same answer"),
        (
            metrics([100, 0], [100, 5], train_counts=(500, 5)),
            'Only 0 of 5 test images of "dog" are recognized; 5 of 505 training images show it. Collect more images of '
            "it, or try --class-weights.",
        ),
        (  # fewer than by chance
            metrics([300, 30], [300, 100]),
            'Only 30 of 100 test images of "dog" are recognized; 500 of 1000 training images show it. Look in',
        ),
        (metrics([100, 0], [100, 5], train_counts=(500, 5), class_weights=True), "Collect more images of it."),
    ],
)
def test_worthless_result_has_no_tick_and_says_why(result, message):
    line, warnings = verdict.describe(result)
    assert line.startswith("Test accuracy")
    assert any(message in warning for warning in warnings)


@pytest.mark.parametrize(("copies", "tick"), [(0, True), (10, True), (180, False)])
def test_copies_of_training_images_count_as_mistakes(copies, tick):
    line, warnings = verdict.describe(metrics([90, 90], [100, 100], copies=copies))
    assert line.startswith("✓") == tick
    assert [f"{copies} of 200 test images are copies of training images" in warning for warning in warnings] == (
        [True] if copies else []
    )


def left_or_right():
    """A model that says which half of an image is brighter, so the mirror image contradicts every answer."""
    inputs = keras.Input((4, 4, 1))
    halves = [keras.ops.mean(half, axis=(1, 2)) for half in (inputs[:, :, :2], inputs[:, :, 2:])]
    return keras.Model(inputs, keras.layers.Concatenate()(halves))


@pytest.mark.parametrize(("count", "reports"), [(100, True), (3, False)])
def test_report_flips_names_no_flip_where_mirror_images_are_other_classes(count, reports, capsys):
    labels = np.arange(count) % 2
    images = np.zeros((count, 4, 4, 1), "uint8")
    images[labels == 0, :, :2] = 200
    images[labels == 1, :, 2:] = 200
    verdict.report_flips(left_or_right(), (images, labels))
    message = capsys.readouterr().out
    assert ("Validation accuracy is 1.000, and 0.500 with the mean" in message) == reports
    assert ("--no-flip" in message) == reports


def test_report_flips_is_silent_where_flips_do_not_hurt(capsys):
    images = np.zeros((100, 4, 4, 1), "uint8")
    verdict.report_flips(left_or_right(), (images, np.zeros(100, int)))
    assert capsys.readouterr().out == ""
