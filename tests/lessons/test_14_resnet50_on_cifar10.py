"""Tests the code of lesson 14 on more cases than the lesson shows, and the checkers of its exercises."""

import io
import os
import tempfile

import numpy as np
import pytest
from sklearn.decomposition import PCA

from dlkit import exercises
from tests.lessons.exercise_tests import ExerciseTests


@pytest.mark.parametrize("printed", [0.9667, 0.9722, 0.5, 1.0, 0.3333, 0.8571])
def test_smallest_count_gives_the_printed_accuracy(lesson, printed):
    correct, count = lesson.smallest_count(printed)
    assert round(correct / count, 4) == printed
    for smaller in range(1, count):
        assert printed not in {round(k / smaller, 4) for k in range(smaller + 1)}


def test_principal_components_2d_match_scikit_learn(lesson):
    rows = np.random.default_rng(0).normal(size=(50, 6)) * [5, 3, 1, 1, 1, 1]
    ours, theirs = lesson.principal_components_2d(rows), PCA(2).fit_transform(rows)
    np.testing.assert_allclose(np.abs(ours), np.abs(theirs), atol=1e-9)


def test_between_class_variance_of_points_and_of_noise(lesson):
    rng = np.random.default_rng(0)
    lesson.names = ["a", "b", "c"]
    labels = rng.integers(0, 3, 3000)
    assert lesson.between_class_variance(np.eye(3)[labels], labels) == pytest.approx(1)
    assert lesson.between_class_variance(rng.normal(size=(3000, 4)), labels) < 0.01


def test_between_and_within_class_variance_add_up(lesson):
    rng = np.random.default_rng(1)
    lesson.names = ["a", "b"]
    labels = rng.integers(0, 2, 100)
    rows = rng.normal(size=(100, 3)) + labels[:, None]
    within = sum(np.sum((rows[labels == k] - rows[labels == k].mean(axis=0)) ** 2) for k in (0, 1))
    total = np.sum((rows - rows.mean(axis=0)) ** 2)
    assert lesson.between_class_variance(rows, labels) == pytest.approx(1 - within / total)


# Exercises: other correct answers, and mistakes with a word of the hint that each should get


def cached_with(*, reads=True, safe=True, name="own"):
    def load_or_compute(compute, inputs, path):
        if reads and path.exists():
            return np.load(path)
        result = compute(inputs)
        temporary = path.with_name("part.npy") if safe else path
        np.save(temporary, result)
        temporary.replace(path if name == "own" else path.with_name(name))
        return result

    return load_or_compute


def saves_with(save, load=np.load, reads=True):
    """`load_or_compute` with another way of saving: save(array, path)."""

    def load_or_compute(compute, inputs, path):
        if reads and path.exists():
            return load(path)
        result = compute(inputs)
        save(result, path)
        return result

    return load_or_compute


def in_memory_then_renamed(array, path):
    file = io.BytesIO()
    np.save(file, array)
    part = path.with_suffix(".part")
    part.write_bytes(file.getvalue())
    part.rename(path)


def in_memory_then_in_place(array, path):
    file = io.BytesIO()
    np.save(file, array)
    path.write_bytes(file.getvalue())


def with_descriptors(array, path):
    """In place, with the functions of `os` only."""
    file = io.BytesIO()
    np.save(file, array)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT)
    os.write(descriptor, file.getvalue())
    os.close(descriptor)


def temporary_then_link(array, path):
    with tempfile.NamedTemporaryFile(dir=path.parent) as file:
        np.save(file, array)
        file.flush()
        os.link(file.name, path)


def renamed_too_early(array, path):
    """Renames the file after the first half is written; in the end it is complete."""
    file, part = io.BytesIO(), path.with_suffix(".part")
    np.save(file, array)
    with part.open("wb") as half:
        half.write(file.getvalue()[:100])
        half.flush()
        part.replace(path)
        half.write(file.getvalue()[100:])


def only_a_new_file(array, path):
    """Fails after an interruption: it never overwrites the temporary file that it left."""
    with path.with_suffix(".part").open("xb") as file:
        np.save(file, array)
    path.with_suffix(".part").replace(path)


def cached_in_memory(known={}):  # noqa: B006  shared by all calls on purpose
    def load_or_compute(compute, inputs, path):
        if str(path) not in known:
            known[str(path)] = cached_with()(compute, inputs, path)
        return known[str(path)]

    return load_or_compute


PHOTOS = {"test_labels": [0, 1] * 10, "predicted": [0, 1] * 9 + [0, 0], "interval": (0.764, 0.991)}


ALTERNATIVES = {
    "14.load_or_compute": [cached_with(), saves_with(in_memory_then_renamed), saves_with(temporary_then_link)],
    "14.trained_parameters": [70_410.0],
    "14.two_folders": [PHOTOS],
}

MISTAKES = {
    "14.load_or_compute": [
        (lambda compute, inputs, path: compute(inputs), "nothing was saved"),
        (lambda compute, inputs, path: inputs, "return compute(inputs)"),
        (cached_with(reads=False), "computed again"),
        (cached_with(safe=False), "incomplete file"),
        (cached_with(name="elsewhere.npy"), "nothing was saved at"),
        (saves_with(lambda array, path: np.save(path, array)), "incomplete file"),
        (saves_with(in_memory_then_in_place), "incomplete file"),
        (saves_with(with_descriptors), "incomplete file"),
        (saves_with(renamed_too_early), "incomplete file"),
        (saves_with(only_a_new_file), "left next to"),
        (saves_with(lambda array, path: in_memory_then_renamed(0 * array, path)), "differs from"),
        (cached_in_memory(), "somewhere else"),
    ],
    "14.trained_parameters": [
        (70_410 + 1024, "stays frozen"),
        (67_840, "the head too"),
        (70_400, "has biases"),
        (70_922, "neither convolution"),
        (2_570, "the head alone"),
        (3 * 3 * 256 * 256 + 65_536 + 2_570, "nothing is mixed"),
        (1, "256 channels"),
    ],
    "14.two_folders": [
        (3, "give"),
        (PHOTOS | {"predicted": [0]}, "same length"),
        (PHOTOS | {"test_labels": [0, 1], "predicted": [0, 1]}, "almost nothing"),
        (PHOTOS | {"test_labels": [0] * 20}, "one class"),
        (PHOTOS | {"interval": (0.9, 1.0)}, "wilson_interval"),
        (PHOTOS | {"predicted": [0] * 20, "interval": (0.299, 0.701)}, "larger class"),
    ],
}


class TestExercises(ExerciseTests):
    def test_checker_leaves_no_file_in_the_working_folder(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        for answer in (*ALTERNATIVES["14.load_or_compute"], *(answer for answer, _ in MISTAKES["14.load_or_compute"])):
            exercises.verdict("14.load_or_compute", answer)
        assert not list(tmp_path.iterdir())
