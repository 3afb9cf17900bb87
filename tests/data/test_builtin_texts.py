"""Texts that are part of every installation."""

import numpy as np

from dlkit import data
from dlkit.data import builtin_texts


def test_docstrings_are_prose_without_the_librarys_name(no_data_env):
    reviews = data.load("docstrings")
    assert (reviews.name, reviews.is_real) == ("docstrings", False)
    (texts, labels), (test_texts, test_labels) = reviews.train, reviews.test
    assert not set(texts) & set(test_texts)
    counts = np.bincount(np.concatenate([labels, test_labels]))
    assert len(counts) == 4
    assert 1_000 < counts.min() == counts.max() <= 1_200, "NumPy 2.5 has 1,186"
    assert 0.1 < len(test_texts) / (len(texts) + len(test_texts)) < 0.3
    for name in builtin_texts.LIBRARIES:
        assert not any(name in sentence for sentence in texts)
    words = {word for sentence in texts for word in sentence.split()}
    assert {"input", "given", "array"} <= words, "only complete names are masked"


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
