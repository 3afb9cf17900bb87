"""Tests the code of lesson 18 on more cases than the lesson shows, and the checkers of its exercises."""

import keras
import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

from tests.lessons.exercise_tests import ExerciseTests
from tests.lessons.helpers import changed

TEXTS = ["Not good, just LONG.", "Good: not just long!", "an émigré's  tale", "É stays, as in Keras\x85", ""]


@pytest.mark.parametrize(("size", "length"), [(50, 10), (6, 3)])
def test_vocabulary_and_encode_match_text_vectorization(lesson, size, length):
    layer = keras.layers.TextVectorization(size, output_sequence_length=length)
    layer.adapt(TEXTS)
    vocabulary = lesson.build_vocabulary(TEXTS, size)
    assert vocabulary == [str(word) for word in layer.get_vocabulary()]
    np.testing.assert_array_equal(lesson.encode(TEXTS, vocabulary, length), layer(TEXTS))


def test_tf_idf_matches_scikit_learn(lesson):
    theirs = TfidfVectorizer(analyzer=lesson.words).fit_transform(TEXTS[:4]).toarray()
    np.testing.assert_allclose(lesson.tf_idf(TEXTS[:4]), theirs, atol=1e-12)


def test_shuffle_words_leaves_padding_in_place(lesson):
    rows = np.array([[5, 6, 7, 8, 0, 0], [1, 0, 0, 0, 0, 0], [0] * 6])
    shuffled = lesson.shuffle_words(rows, np.random.default_rng(1))
    assert (np.sort(shuffled) == np.sort(rows)).all()
    assert ((shuffled == 0) == (rows == 0)).all()
    assert shuffled[0].tolist() != rows[0].tolist()


def test_nearest_neighbors_sorts_by_cosine_similarity(lesson):
    lesson.table = np.array([[1.0, 0], [0, 1], [9, 1], [1, 1]])
    assert lesson.nearest_neighbors(0, range(4)).tolist() == [2, 3, 1]


# Exercises: other correct answers, and mistakes with a word of the hint that each should get


def mean_of_words(vectors, tokens, count=lambda words: max(len(words), 1), is_word=lambda row: row != 0):
    means = []
    for row, token_ids in zip(vectors, tokens, strict=True):
        words = row[is_word(token_ids)]
        means.append(words.sum(axis=0) / count(words))
    return np.array(means)


def mean_of_first_words(vectors, tokens):
    """Counts the words, and takes as many vectors from the front."""
    counts = (tokens != 0).sum(axis=1)
    return np.array([row[:count].mean(axis=0) for row, count in zip(vectors, counts, strict=True)])


def mean_before_first_padding(vectors, tokens):
    counts = [list(row).index(0) if 0 in row else len(row) for row in tokens]
    return np.array([row[:count].sum(axis=0) / max(count, 1) for row, count in zip(vectors, counts, strict=True)])


LONG = "a good film that is not too long"


ALTERNATIVES = {
    "18.idf": [1.693],
    "18.masked_mean": [
        mean_of_words,
        lambda vectors, tokens: np.einsum("ntd,nt->nd", vectors, tokens > 0) / np.c_[(tokens > 0).sum(axis=1)].clip(1),
    ],
    "18.one_word": [{"before": LONG, "after": LONG.replace("good", "dull"), "probs": [0.6, 0.49]}],
}

MISTAKES = {
    "18.idf": [
        (0.6931, "+ 1 at the end"),
        (2.0986, "both counts"),
        (1.301, "natural"),
        (0.307, "upside down"),
        (1.2877, "only one"),
    ],
    "18.masked_mean": [
        (lambda vectors, tokens: vectors.mean(axis=1), "still in the mean"),
        (changed(mean_of_words, count=lambda words: 5), "number of words"),
        (changed(mean_of_words, count=lambda words: 1), "sum"),
        (changed(mean_of_words, count=len), "NaN"),
        (changed(mean_of_words, is_word=lambda row: row == 1), "not 0"),
        (lambda vectors, tokens: vectors.mean(axis=2), "one vector"),
        (mean_of_first_words, "in front of the words"),
        (mean_before_first_padding, "may stand anywhere"),
        (lambda vectors, tokens: mean_of_words(vectors, tokens[:, :5], count=len), "NaN"),
    ],
    "18.one_word": [
        ({"before": LONG}, "give"),
        ({"before": LONG, "after": LONG, "probs": (0.9, 0.1)}, "same"),
        ({"before": LONG, "after": "a bad film that is not long", "probs": (0.9, 0.1)}, "one word"),
        ({"before": LONG, "after": f"{LONG} at all", "probs": (0.9, 0.1)}, "one word"),
        ({"before": LONG, "after": f"{LONG} dull", "probs": (0.55, 0.1)}, "60%"),
        ({"before": LONG, "after": f"{LONG} dull", "probs": (0.9, 0.7)}, "not broken"),
        ({"before": LONG, "after": f"{LONG} dull", "probs": (90, 10)}, "between 0 and 1"),
    ],
}


class TestExercises(ExerciseTests):
    pass
