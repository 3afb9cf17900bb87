"""The code of lesson 20 on more cases than the lesson shows, and the checkers of its exercises."""

import numpy as np
import pytest

from tests.lessons.exercise_tests import ExerciseTests
from tests.lessons.helpers import changed, softmax

RNG = np.random.default_rng(0)


VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "film", "un", "##watch", "##able", "##s", "good", "."]


@pytest.fixture(scope="module")
def lesson(lesson):
    lesson.tokenizer, lesson.bert = lesson.load_bert(None, VOCABULARY)
    lesson.known, lesson.length, lesson.places, lesson.special = VOCABULARY, 8, 3, [0, 1, 2, 3, 4]
    lesson.pack = lesson.keras_hub.models.BertTextClassifierPreprocessor(lesson.tokenizer, sequence_length=8)
    return lesson


def test_the_same_texts_give_the_same_vocabulary_each_time(lesson):
    syllables = np.array(["ba", "do", "ki", "lu", "me", "no", "pa", "ri"])
    texts = [" ".join("".join(RNG.choice(syllables, 3)) for _ in range(6)) for _ in range(300)]
    first, *others = (lesson.learn_vocabulary(texts, 120, VOCABULARY[:5]) for _ in range(8))
    assert all(other == first for other in others)
    assert first[:5] == VOCABULARY[:5]
    assert len(first) == 120


@pytest.mark.parametrize("word", ["film", "films", "unwatchable", "unwatched", "good", "goods", "x", "watch"])
def test_words_cut_by_hand_are_cut_as_kerashub_does(lesson, word):
    theirs = [VOCABULARY[number] for number in lesson.tokenizer(word)]
    assert lesson.cut_word(word, set(VOCABULARY)) == theirs


def test_a_preset_from_a_folder_goes_through_the_same_code(lesson, tmp_path):
    lesson.bert.save_to_preset(str(tmp_path))
    lesson.tokenizer.save_to_preset(str(tmp_path))
    tokenizer, backbone = lesson.load_bert(str(tmp_path), None)
    assert tokenizer.get_vocabulary() == VOCABULARY
    rows = lesson.rows_of(["a good film.", "unwatchable"])
    ours, theirs = (model(lesson.inputs(rows))["sequence_output"] for model in (lesson.bert, backbone))
    np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_rows_begin_with_cls_end_with_sep_and_are_filled_up(lesson):
    assert lesson.rows_of(["a good film."])[0].tolist() == [2, 5, 11, 6, 12, 3, 0, 0]
    assert lesson.rows_of(["a good film " * 9])[0].tolist() == [2, 5, 11, 6, 5, 11, 6, 3]


def test_masking_hides_a_share_of_the_text_and_nothing_else(lesson):
    rows = lesson.rows_of(["a good film.", "a", "a good film " * 9] * 700)
    masked, chosen, truth, real = lesson.mask(rows, np.random.default_rng(0))
    np.testing.assert_array_equal(np.take_along_axis(rows, chosen, axis=1), truth)
    hidden = np.zeros(rows.shape, bool)
    np.put_along_axis(hidden, chosen, real > 0, axis=1)
    assert lesson.is_text(rows)[hidden].all()
    assert (masked == rows)[~hidden].all()
    assert (real.sum(axis=1) == 1).all()  # 15 % of 1 to 6 pieces, one at least
    after = masked[hidden]
    assert np.mean(after == 4) == pytest.approx(0.8 + 0.1 / len(VOCABULARY), abs=0.03)
    assert np.mean(after == rows[hidden]) == pytest.approx(0.1 + 0.1 / len(VOCABULARY), abs=0.03)


def test_shuffling_half_keeps_the_pieces_and_the_frame(lesson):
    rows = lesson.rows_of(["a good film.", "unwatchable films", "a"] * 200)
    mixed, shuffled = lesson.shuffle_half(rows, np.random.default_rng(0))
    assert (np.sort(mixed) == np.sort(rows)).all()
    assert (lesson.is_text(mixed) == lesson.is_text(rows)).all()
    assert (mixed == rows)[shuffled == 0].all()
    assert shuffled.mean() == pytest.approx(0.5, abs=0.1)
    assert (mixed != rows)[(shuffled == 1) & (np.arange(600) % 3 == 0)].any(axis=1).mean() > 0.8


def test_padding_does_not_change_what_the_classifier_says(lesson):
    lesson.tuning_rate = 0.001
    classifier = lesson.build_classifier(3)
    rows = lesson.rows_of(["a good film.", "unwatchable"])
    longer = np.pad(rows, ((0, 0), (0, 5)))
    np.testing.assert_allclose(classifier(lesson.inputs(longer)), classifier(lesson.inputs(rows)), atol=1e-5)


# --- exercises: other correct answers, and mistakes with a word of the hint that each should get


def loss_with_a_loop(logits, truth, real, count=lambda real: real.sum(), ignore=False, stable=True, base=np.e):
    total = 0.0
    for row, pieces, marks in zip(logits, truth, real, strict=True):
        for scores, piece, mark in zip(row, pieces, marks, strict=True):
            scores = scores - scores.max() * stable
            log_share = (scores[piece] - np.log(np.exp(scores).sum())) / np.log(base)
            total -= log_share * (1 if ignore else mark)
    return total / count(real)


def real_in_front(logits, truth, real):
    return loss_with_a_loop(logits, truth, np.arange(real.shape[1]) < real.sum(axis=1, keepdims=True))


def loss_with_epsilon(logits, truth, real):
    p = softmax(logits - logits.max(axis=-1, keepdims=True))
    of_truth = np.take_along_axis(p, truth[..., None], axis=-1)[..., 0]
    return -(np.log(of_truth + 1e-12) * real).sum() / real.sum()


def loss_below_the_largest(logits, truth, real):
    p = softmax(logits - logits.max())
    of_truth = np.take_along_axis(p, truth[..., None], axis=-1)[..., 0]
    return -(np.log(of_truth) * real).sum() / real.sum()


ALTERNATIVES = {
    "20.masked_loss": [lambda logits, truth, real: loss_with_a_loop(logits, truth, real)],
    "20.masks": [24.0],
    "20.pieces_per_word": [{200: 3.2, 500: 2.4, 4000: 1.4, 10_000: 1.1}],
}

MISTAKES = {
    "20.masked_loss": [
        (changed(loss_with_a_loop, ignore=True, count=np.size), "use `real`"),
        (changed(loss_with_a_loop, count=np.size), "not by all places"),
        (changed(loss_with_a_loop, count=lambda real: 1), "sum"),
        (changed(loss_with_a_loop, count=lambda real: -real.sum()), "sign"),
        (changed(loss_with_a_loop, base=2), "natural"),
        (changed(loss_with_a_loop, stable=False), "ln p without p"),
        (loss_with_epsilon, "ln p without p"),
        (loss_below_the_largest, "each place's largest"),
        (lambda *given: np.nan_to_num(loss_below_the_largest(*given)), "each place's largest"),
        (real_in_front, "anywhere in a row"),
        (lambda logits, truth, real: real, "one number"),
    ],
    "20.masks": [(30, "chosen"), (27, "stay"), (160, "only 15 %"), (3, "random"), ([24], "one number")],
    "20.pieces_per_word": [
        ({500: 2.4, 8000: 1.2}, "four sizes"),
        ({1000: 2.4, 2000: 1.8, 4000: 1.5, 8000: 1.2}, "500 or fewer"),
        ({500: 0.8, 2000: 0.7, 4000: 0.6, 8000: 0.5}, "one piece at least"),
        ({500: 80.0, 2000: 70.0, 4000: 60.0, 8000: 50.0}, "letters"),
        ({500: 2.4, 2000: 2.4, 4000: 2.4, 8000: 2.4}, "anew"),
    ],
}


class TestExercises(ExerciseTests):
    pass
