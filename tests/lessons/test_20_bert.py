"""Tests the code of lesson 20 on more cases than the lesson shows, and the checkers of its exercises."""

import numpy as np
import pytest

from tests.lessons.exercise_tests import ExerciseTests
from tests.lessons.helpers import changed, softmax

RNG = np.random.default_rng(0)


VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "film", "un", "##watch", "##able", "##s", "good", "."]


@pytest.fixture(scope="module")
def lesson(lesson):
    lesson.tokenizer, lesson.bert = lesson.load_bert(None, VOCABULARY)
    lesson.id_to_token, lesson.length, lesson.max_masked, lesson.special_ids = VOCABULARY, 8, 3, [0, 1, 2, 3, 4]
    lesson.preprocessor = lesson.keras_hub.models.BertTextClassifierPreprocessor(lesson.tokenizer, sequence_length=8)
    return lesson


def test_learn_vocabulary_is_deterministic(lesson):
    syllables = np.array(["ba", "do", "ki", "lu", "me", "no", "pa", "ri"])
    texts = [" ".join("".join(RNG.choice(syllables, 3)) for _ in range(6)) for _ in range(300)]
    first, *others = (lesson.learn_vocabulary(texts, 120, VOCABULARY[:5]) for _ in range(8))
    assert all(other == first for other in others)
    assert first[:5] == VOCABULARY[:5]
    assert len(first) == 120


@pytest.mark.parametrize("word", ["film", "films", "unwatchable", "unwatched", "good", "goods", "x", "watch"])
def test_split_word_matches_keras_hub(lesson, word):
    theirs = [VOCABULARY[number] for number in lesson.tokenizer(word)]
    assert lesson.split_word(word, set(VOCABULARY)) == theirs


def test_load_bert_reads_preset_from_folder(lesson, tmp_path):
    lesson.bert.save_to_preset(str(tmp_path))
    lesson.tokenizer.save_to_preset(str(tmp_path))
    tokenizer, backbone = lesson.load_bert(str(tmp_path), None)
    assert tokenizer.get_vocabulary() == VOCABULARY
    rows = lesson.encode(["a good film.", "unwatchable"])
    ours, theirs = (model(lesson.bert_inputs(rows))["sequence_output"] for model in (lesson.bert, backbone))
    np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_encode_adds_cls_sep_and_padding(lesson):
    assert lesson.encode(["a good film."])[0].tolist() == [2, 5, 11, 6, 12, 3, 0, 0]
    assert lesson.encode(["a good film " * 9])[0].tolist() == [2, 5, 11, 6, 5, 11, 6, 3]


def test_mask_pieces_hides_only_text(lesson):
    rows = lesson.encode(["a good film.", "a", "a good film " * 9] * 700)
    masked, positions, ids, weights = lesson.mask_pieces(rows, np.random.default_rng(0))
    np.testing.assert_array_equal(np.take_along_axis(rows, positions, axis=1), ids)
    hidden = np.zeros(rows.shape, bool)
    np.put_along_axis(hidden, positions, weights > 0, axis=1)
    assert lesson.is_text(rows)[hidden].all()
    assert (masked == rows)[~hidden].all()
    assert (weights.sum(axis=1) == 1).all()  # 15% of 1 to 6 pieces, at least one
    after = masked[hidden]
    assert np.mean(after == 4) == pytest.approx(0.8 + 0.1 / len(VOCABULARY), abs=0.03)
    assert np.mean(after == rows[hidden]) == pytest.approx(0.1 + 0.1 / len(VOCABULARY), abs=0.03)


def test_shuffle_half_keeps_pieces_and_special_tokens(lesson):
    rows = lesson.encode(["a good film.", "unwatchable films", "a"] * 200)
    permuted, shuffled = lesson.shuffle_half(rows, np.random.default_rng(0))
    assert (np.sort(permuted) == np.sort(rows)).all()
    assert (lesson.is_text(permuted) == lesson.is_text(rows)).all()
    assert (permuted == rows)[shuffled == 0].all()
    assert shuffled.mean() == pytest.approx(0.5, abs=0.1)
    assert (permuted != rows)[(shuffled == 1) & (np.arange(600) % 3 == 0)].any(axis=1).mean() > 0.8


def test_classifier_ignores_padding(lesson):
    lesson.fine_tuning_rate = 0.001
    classifier = lesson.build_classifier(3)
    rows = lesson.encode(["a good film.", "unwatchable"])
    longer = np.pad(rows, ((0, 0), (0, 5)))
    np.testing.assert_allclose(classifier(lesson.bert_inputs(longer)), classifier(lesson.bert_inputs(rows)), atol=1e-5)


# Exercises: other correct answers, and mistakes with a word of the hint that each should get


def loss_with_a_loop(logits, ids, weights, count=lambda weights: weights.sum(), ignore=False, stable=True, base=np.e):
    total = 0.0
    for row, pieces, row_weights in zip(logits, ids, weights, strict=True):
        for scores, piece, weight in zip(row, pieces, row_weights, strict=True):
            scores = scores - scores.max() * stable
            log_prob = (scores[piece] - np.log(np.exp(scores).sum())) / np.log(base)
            total -= log_prob * (1 if ignore else weight)
    return total / count(weights)


def loss_of_first_positions(logits, ids, weights):
    return loss_with_a_loop(logits, ids, np.arange(weights.shape[1]) < weights.sum(axis=1, keepdims=True))


def loss_with_epsilon(logits, ids, weights):
    p = softmax(logits - logits.max(axis=-1, keepdims=True))
    probs = np.take_along_axis(p, ids[..., None], axis=-1)[..., 0]
    return -(np.log(probs + 1e-12) * weights).sum() / weights.sum()


def loss_relative_to_global_max(logits, ids, weights):
    p = softmax(logits - logits.max())
    probs = np.take_along_axis(p, ids[..., None], axis=-1)[..., 0]
    return -(np.log(probs) * weights).sum() / weights.sum()


ALTERNATIVES = {
    "20.masked_loss": [lambda logits, ids, weights: loss_with_a_loop(logits, ids, weights)],
    "20.masks": [24.0],
    "20.pieces_per_word": [{200: 3.2, 500: 2.4, 4000: 1.4, 10_000: 1.1}],
}

MISTAKES = {
    "20.masked_loss": [
        (changed(loss_with_a_loop, ignore=True, count=np.size), "use `mask_weights`"),
        (changed(loss_with_a_loop, count=np.size), "not by all positions"),
        (changed(loss_with_a_loop, count=lambda weights: 1), "sum"),
        (changed(loss_with_a_loop, count=lambda weights: -weights.sum()), "sign"),
        (changed(loss_with_a_loop, base=2), "natural"),
        (changed(loss_with_a_loop, stable=False), "ln p without computing p"),
        (loss_with_epsilon, "ln p without computing p"),
        (loss_relative_to_global_max, "each position's largest"),
        (lambda *given: np.nan_to_num(loss_relative_to_global_max(*given)), "each position's largest"),
        (loss_of_first_positions, "anywhere in a row"),
        (lambda logits, ids, weights: weights, "one number"),
    ],
    "20.masks": [(30, "chosen"), (27, "stay"), (160, "only 15%"), (3, "random"), ([24], "one number")],
    "20.pieces_per_word": [
        ({500: 2.4, 8000: 1.2}, "four sizes"),
        ({1000: 2.4, 2000: 1.8, 4000: 1.5, 8000: 1.2}, "500 or fewer"),
        ({500: 0.8, 2000: 0.7, 4000: 0.6, 8000: 0.5}, "at least one piece"),
        ({500: 80.0, 2000: 70.0, 4000: 60.0, 8000: 50.0}, "letters"),
        ({500: 2.4, 2000: 2.4, 4000: 2.4, 8000: 2.4}, "from scratch"),
    ],
}


class TestExercises(ExerciseTests):
    pass
