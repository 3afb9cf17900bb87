"""Texts that are part of every installation."""

import numpy as np
import pytest

from dlkit import data
from dlkit.data import builtin_texts


def check_docstrings(libraries):
    """Checks the split, the balance and the masking of the docstrings of some libraries; returns a class's size."""
    (texts, labels), (test_texts, test_labels), class_names = builtin_texts.docstrings(libraries)
    assert class_names == list(libraries)
    assert not set(texts) & set(test_texts)
    counts = np.bincount(np.concatenate([labels, test_labels]))
    assert counts.tolist() == [counts[0]] * len(libraries)
    assert 0.1 < len(test_texts) / (len(texts) + len(test_texts)) < 0.3
    for name in libraries:
        assert not any(name in sentence for sentence in texts)
    words = {word for sentence in texts for word in sentence.split()}
    assert {"input", "given", "array"} <= words, "only complete names are masked"
    return counts[0]


def test_docstrings_are_prose_without_the_librarys_name():
    assert check_docstrings(("joblib", "keras_tuner")) > 100


@pytest.mark.slow
def test_docstrings_are_enough_for_a_lesson():
    assert 1_000 < check_docstrings(builtin_texts.LIBRARIES) <= 1_200, "NumPy 2.5 has 1,186"


def test_read_docstrings_is_a_stand_in_by_its_own_name(small_stand_ins):
    reviews = data.load("docstrings")
    assert (reviews.name, reviews.is_real) == ("docstrings", False)
    assert len(reviews.train[0]) == len(reviews.train[1])


def test_docstrings_skips_broken_source_files(tmp_path):
    (tmp_path / "broken.py").write_bytes(b"def f(:\n")
    (tmp_path / "null.py").write_bytes(b"\x00\xff")
    for name in ("broken.py", "null.py"):
        assert list(builtin_texts._first_sentences(tmp_path / name, ("numpy",))) == []


def test_python_topics_is_long_prose(no_data_env):
    prose = data.load("python_topics")
    assert (prose.is_real, prose.source) == (False, "Python")
    assert len(prose.train) > 300_000
    assert "statement" in prose.train
