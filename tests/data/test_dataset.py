"""What a data set says about itself, and which labels it accepts."""

import numpy as np
import pytest

from dlkit import data


def test_repr_of_a_stand_in_shows_no_paths(no_data_env, small_stand_ins):
    summary = repr(data.load("cifar10"))
    assert summary.startswith("shapes10: stand-in, from dlkit (generated)\n")
    assert "no photographs" in summary
    assert str(no_data_env) not in summary


def test_repr_of_images():
    images, labels = np.zeros((1200, 8, 6, 3), "uint8"), np.arange(1200) % 3
    splits = (images, labels), (images[:40], labels[:40])
    summary = repr(data.Dataset("pets", *splits, ["cat", "dog", "owl"], True, "here", "Mine."))
    assert summary.splitlines() == [
        "pets: real, from here",
        "  1,200 training and 40 test images of 8 x 6 x 3, uint8",
        "  3 classes: cat, dog, owl",
        "  Mine.",
    ]


def test_repr_of_three_splits_and_many_classes():
    split = np.zeros((3000, 2, 2), "uint8"), np.arange(3000)
    names = [f"class {k}" for k in range(3000)]
    lines = repr(data.Dataset("many", split, split, names, True, "here", validation=split)).splitlines()
    assert lines[1] == "  3,000 training, 3,000 validation and 3,000 test images of 2 x 2, uint8"
    assert lines[2].startswith("  3,000 classes: class 0, class 1, ")
    assert lines[2].endswith("class 9, …, class 2999")


def test_repr_of_texts():
    texts, labels = np.array(["one two", "one", "one two three"], object), np.array([0, 1, 0])
    splits = (texts, labels), (texts[:1], labels[:1])
    summary = repr(data.Dataset("notes", *splits, ["bad", "good"], True, "here", "Mine."))
    assert summary.splitlines() == [
        "notes: real, from here",
        "  3 training and 1 test texts of 2 words on average",
        "  2 classes: bad, good",
        "  Mine.",
    ]


def test_repr_of_one_long_text():
    summary = repr(data.Dataset("play", "a" * 9_000, "b" * 1_000, [], True, "here", "A play."))
    assert summary.splitlines() == ["play: real, from here", "  9,000 training and 1,000 test characters", "  A play."]


def test_repr_of_months():
    months, values = np.arange("1990-01", "1991-01", dtype="datetime64[M]"), np.zeros(12)
    splits = (months[:8], values[:8]), (months[8:], values[8:])
    summary = repr(data.Dataset("rain", *splits, [], True, "here", "Rain."))
    assert summary.splitlines() == [
        "rain: real, from here",
        "  8 training and 4 test months, 1990-01 to 1990-08 and 1990-09 to 1990-12",
        "  Rain.",
    ]


@pytest.mark.parametrize(
    ("labels", "received"),
    [
        ([0, 1, 3], r"int\d+ of shape \(3,\) from 0 to 3"),
        ([-1, 1, 2], r"int\d+ of shape \(3,\) from -1 to 2"),
        ([1, 2, 3], r"int\d+ of shape \(3,\) from 1 to 3. They begin at 1"),
        ([0.0, 1.0, 2.0], r"float64 of shape \(3,\) from 0 to 2"),
        (["a", "b", "c"], r"<U1 of shape \(3,\). Number the classes"),
        (np.eye(3, dtype=int), r"int\d+ of shape \(3, 3\). They are one-hot"),
        ([0, 1], r"int\d+ of shape \(2,\) from 0 to 1"),
    ],
)
@pytest.mark.parametrize("split", ["train", "test", "validation"])
def test_labels_must_fit_the_class_names(split, labels, received):
    images = np.zeros((3, 8, 8), "uint8")
    splits = {"train": (images, np.arange(3)), "test": (images, np.arange(3)), split: (images, np.array(labels))}
    message = rf"Expected the {split} labels of pets of shape \(3,\), integers from 0 to 2. Received: {received}"
    with pytest.raises(ValueError, match=message):
        data.Dataset("pets", **splits, class_names=["cat", "dog", "owl"], is_real=True, source="here")


def test_labels_as_keras_loads_them_become_a_vector():
    split = np.zeros((3, 8, 8), "uint8"), np.array([[2], [0], [1]], "uint8")
    labels = data.Dataset("pets", split, split, ["cat", "dog", "owl"], True, "here").train[1]
    np.testing.assert_array_equal(labels, np.array([2, 0, 1]), strict=True)


@pytest.mark.parametrize("names", [["cat"], ["cat", "cat"], ["cat", 1], "cat"], ids=str)
def test_class_names_must_be_two_or_more_different_ones(names):
    split = np.zeros((2, 8, 8), "uint8"), np.zeros(2, int)
    with pytest.raises(ValueError, match="different class names"):
        data.Dataset("pets", split, split, names, True, "here")


def test_labels_without_class_names_may_be_anything():
    months = np.arange("1990-01", "1991-01", dtype="datetime64[M]"), np.full(12, -1.5)
    assert data.Dataset("rain", months, months, [], True, "here").train is months


def test_dataset_refuses_texts_that_are_no_strings():
    texts = np.array(["good", None], object), np.array([1, 0])
    with pytest.raises(ValueError, match="the train texts of reviews, a list of strings. Received: None at position 1"):
        data.Dataset("reviews", texts, texts, ["bad", "good"], True, "test")
