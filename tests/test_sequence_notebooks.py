"""The code written in notebooks 16 to 20, tested on more cases than the lessons show."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

from tools.notebooks import ROOT, definitions

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def recurrent():
    return definitions(ROOT / "notebooks" / "16_recurrent_networks.ipynb")


def random_weights(layer):
    """Gives a built layer weights that are all different from zero, biases too; returns them."""
    weights = [RNG.normal(0, 0.5, weight.shape) for weight in layer.weights]
    layer.set_weights(weights)
    return weights


# --- 16


@pytest.mark.parametrize(("steps", "inputs", "units"), [(1, 1, 1), (3, 1, 2), (20, 5, 7)])
def test_the_recurrence_and_its_gradients_through_time_equal_keras(recurrent, steps, inputs, units):
    x, last = RNG.normal(size=(steps, inputs)).astype("float32"), RNG.normal(size=units)
    layer = keras.layers.SimpleRNN(units, return_sequences=True)
    layer.build((1, steps, inputs))
    W_x, W_h, b = random_weights(layer)
    states = recurrent.rnn_forward(x, W_x, W_h, b)
    x_in = tf.constant(x[None])
    with tf.GradientTape() as tape:
        tape.watch(x_in)
        outputs = layer(x_in)[0]
        loss = tf.reduce_sum(outputs[-1] * last.astype("float32"))
    np.testing.assert_allclose(states[1:], outputs, atol=1e-5)
    assert not states[0].any()
    theirs = tape.gradient(loss, [weight.value for weight in layer.weights])
    *ours, along = recurrent.rnn_backward(x, states, W_h, last)
    for our, their in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(our, their, atol=1e-5)
    assert along.shape == (steps + 1, units)


def test_counting_gives_the_entropy_of_a_text_that_repeats(recurrent):
    recurrent.size, recurrent.train_codes, recurrent.test_codes = 2, np.array([0, 1] * 500), np.array([0, 1] * 50)
    assert recurrent.bits_by_counting(0) == pytest.approx(1, abs=1e-3)
    assert recurrent.bits_by_counting(1) == pytest.approx(0, abs=1e-3)


def test_a_context_is_the_letters_before_a_place(recurrent):
    recurrent.size = 10
    before, letters = recurrent.contexts(np.array([3, 1, 4, 1, 5]), 2)
    assert before.tolist() == [31, 14, 41]
    assert letters.tolist() == [4, 1, 5]


def test_a_gradient_fades_faster_for_smaller_weights(recurrent):
    norms = [recurrent.gradient_over_distance(scale, 30, np.random.default_rng(0))[30] for scale in (0.5, 0.7, 0.9)]
    assert norms == sorted(norms)
    assert norms[0] < 0.5**30 * 1.01


# --- 17


@pytest.fixture(scope="module")
def gated():
    code = definitions(ROOT / "notebooks" / "17_lstm_and_gru.ipynb")
    code.NAMES = ("i", "f", "g", "o")
    return code


@pytest.mark.parametrize(("steps", "inputs", "units"), [(1, 1, 1), (12, 4, 6)])
def test_lstm_by_hand_equals_keras_in_values_and_gradients(gated, steps, inputs, units):
    x, last = RNG.normal(size=(steps, inputs)).astype("float32"), RNG.normal(size=units).astype("float32")
    layer = keras.layers.LSTM(units, return_sequences=True)
    layer.build((1, steps, inputs))
    weights = gated.unpacked(random_weights(layer))
    record = gated.lstm_forward(x, weights)
    with tf.GradientTape() as tape:
        outputs = layer(x[None])[0]
        loss = tf.reduce_sum(outputs[-1] * last)
    np.testing.assert_allclose([step[3] for step in record], outputs, atol=1e-5)
    ours, along = gated.lstm_backward(record, weights, last)
    theirs = tape.gradient(loss, [weight.value for weight in layer.weights])
    for our, their in zip(gated.packed(ours), theirs, strict=True):
        np.testing.assert_allclose(our, their, atol=1e-5)
    assert along.shape == (steps, units)


def test_lstm_weights_go_to_keras_and_back(gated):
    layer = keras.layers.LSTM(3)
    layer.build((1, 4, 2))
    kernels = random_weights(layer)
    weights = gated.unpacked(kernels)
    assert list(weights) == list(gated.NAMES)
    assert [part.shape for part in weights["f"]] == [(2, 3), (3, 3), (3,)]
    for ours, theirs in zip(gated.packed(weights), kernels, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("reset_after", [True, False])
def test_gru_by_hand_equals_keras_in_values_and_gradients(gated, reset_after):
    gated.rng = np.random.default_rng(7)
    assert gated.gru_apart(reset_after) <= 1e-5


def test_gru_with_the_other_reset_is_another_function(gated):
    kernels = [RNG.normal(size=shape).astype("float32") for shape in ((2, 9), (3, 9), (9,))]
    x, h = RNG.normal(size=(4, 2)).astype("float32"), RNG.normal(size=(4, 3)).astype("float32")
    before = gated.gru_step(x, h, *kernels, False)
    after = gated.gru_step(x, h, kernels[0], kernels[1], [kernels[2], 0 * kernels[2]], True)
    assert np.abs(before - after).max() > 0.01


def test_adding_marks_one_number_in_each_half_and_sums_them(gated):
    x, sums = gated.adding(500, 11, np.random.default_rng(0))
    assert x.shape == (500, 11, 2)
    assert (x[:, :5, 1].sum(axis=1) == 1).all()
    assert (x[:, 5:, 1].sum(axis=1) == 1).all()
    np.testing.assert_allclose((x[..., 0] * x[..., 1]).sum(axis=1), sums, rtol=1e-6)
    assert np.mean((sums - 1) ** 2) == pytest.approx(1 / 6, rel=0.2)


def test_no_training_window_or_target_reaches_into_the_test(gated):
    gated.values, gated.months, gated.ahead = np.arange(100.0), 24, 6
    x, y = gated.windows(0, 80)
    assert (y - x[:, -1] == 6).all()
    assert (y[0], y[-1], x.shape[1]) == (29, 79, 24)
    x, y = gated.windows(80, 100)
    assert y.tolist() == list(range(80, 100))
    assert (y - x[:, -1] == 6).all()


# --- 18


@pytest.fixture(scope="module")
def reading():
    return definitions(ROOT / "notebooks" / "18_text_classification.ipynb")


TEXTS = ["Not good, just LONG.", "Good: not just long!", "an émigré's  tale", "É stays, as in Keras\x85", ""]


@pytest.mark.parametrize(("size", "length"), [(50, 10), (6, 3)])
def test_vocabulary_and_rows_by_hand_equal_text_vectorization(reading, size, length):
    layer = keras.layers.TextVectorization(size, output_sequence_length=length)
    layer.adapt(TEXTS)
    vocabulary = reading.build_vocabulary(TEXTS, size)
    assert vocabulary == [str(word) for word in layer.get_vocabulary()]
    np.testing.assert_array_equal(reading.encode(TEXTS, vocabulary, length), layer(TEXTS))


def test_tf_idf_by_hand_equals_scikit_learn(reading):
    from sklearn.feature_extraction.text import TfidfVectorizer

    theirs = TfidfVectorizer(analyzer=reading.words).fit_transform(TEXTS[:4]).toarray()
    np.testing.assert_allclose(reading.tf_idf(TEXTS[:4]), theirs, atol=1e-12)


def test_shuffled_words_stay_in_their_row_before_the_padding(reading):
    rows = np.array([[5, 6, 7, 8, 0, 0], [1, 0, 0, 0, 0, 0], [0] * 6])
    mixed = reading.shuffle_words(rows, np.random.default_rng(1))
    assert (np.sort(mixed) == np.sort(rows)).all()
    assert ((mixed == 0) == (rows == 0)).all()
    assert mixed[0].tolist() != rows[0].tolist()


def test_neighbours_are_sorted_by_direction_not_by_length(reading):
    reading.table = np.array([[1.0, 0], [0, 1], [9, 1], [1, 1]])
    assert reading.neighbours(0, range(4)).tolist() == [2, 3, 1]


# --- 19


@pytest.fixture(scope="module")
def attending():
    code = definitions(ROOT / "notebooks" / "19_attention_and_transformers.ipynb")
    code.rng = np.random.default_rng(11)
    return code


MASKS = [None, np.tril(np.ones((6, 6), bool)), RNG.uniform(size=(2, 1, 6, 6)) < 0.6, np.eye(6, dtype=bool)]


@pytest.mark.parametrize("mask", MASKS, ids=["none", "causal", "random", "itself"])
def test_attention_by_hand_equals_keras_in_values_shares_and_gradients(attending, mask):
    assert attending.attention_apart(mask) <= 1e-5


def test_a_masked_key_gets_no_share_at_all(attending):
    query, key, value = RNG.normal(size=(3, 4, 8)).astype("float32")
    mask = np.array([True, False, True, True])
    result, shares = attending.attention(query, key, value, mask)
    assert (np.asarray(shares)[:, 1] == 0).all()
    value[1] = 1e6
    np.testing.assert_array_equal(attending.attention(query, key, value, mask)[0], result)


def test_attention_weights_go_to_keras_and_back(attending):
    layer = keras.layers.MultiHeadAttention(3, 4)
    layer(np.zeros((1, 2, 12)), np.zeros((1, 2, 12)))
    arrays = random_weights(layer)
    for ours, theirs in zip(attending.to_keras(attending.from_keras(arrays), 3), arrays, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("normalize_first", [True, False])
def test_encoder_block_by_hand_equals_kerashub_in_values_and_gradients(attending, normalize_first):
    assert attending.block_apart(normalize_first) <= 1e-5


def test_layer_normalization_by_hand_equals_keras_in_values_and_gradients(attending):
    layer = keras.layers.LayerNormalization(epsilon=1e-5)
    layer.build((None, 3, 7))
    random_weights(layer)
    x, outward = (tf.constant(RNG.normal(2, 3, (5, 3, 7)), "float32") for _ in range(2))
    variables = [weight.value for weight in layer.weights]
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        results = attending.layer_norm(x, *variables), layer(x)
        losses = [tf.reduce_sum(result * outward) for result in results]
    np.testing.assert_allclose(*results, atol=1e-5)
    for ours, theirs in zip(*(tape.gradient(loss, [x, *variables]) for loss in losses), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("length", "size"), [(1, 2), (40, 7), (200, 64)])
def test_waves_by_hand_equal_kerashub(attending, length, size):
    from keras_hub.layers import SinePositionEncoding

    theirs = SinePositionEncoding()(np.zeros((1, length, size)))[0]
    np.testing.assert_allclose(attending.waves(length, size), theirs, atol=2e-5)


def test_a_largest_share_without_the_division_grows_with_the_length(attending):
    attending.rt = SimpleNamespace(seed=0)
    tops = [attending.largest_share(size, False)[0] for size in (2, 32, 512)]
    assert tops == sorted(tops)
    even = [attending.largest_share(size, True)[0] for size in (8, 32, 512)]
    assert np.ptp(even) < 0.05


# --- 20

VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "film", "un", "##watch", "##able", "##s", "good", "."]


@pytest.fixture(scope="module")
def bert():
    code = definitions(ROOT / "notebooks" / "20_bert.ipynb")
    code.tokenizer, code.bert = code.load_bert(None, VOCABULARY)
    code.known, code.length, code.places, code.special = VOCABULARY, 8, 3, [0, 1, 2, 3, 4]
    code.pack = code.keras_hub.models.BertTextClassifierPreprocessor(code.tokenizer, sequence_length=8)
    return code


def test_the_same_texts_give_the_same_vocabulary_each_time(bert):
    syllables = np.array(["ba", "do", "ki", "lu", "me", "no", "pa", "ri"])
    texts = [" ".join("".join(RNG.choice(syllables, 3)) for _ in range(6)) for _ in range(300)]
    first, *others = (bert.learn_vocabulary(texts, 120, VOCABULARY[:5]) for _ in range(8))
    assert all(other == first for other in others)
    assert first[:5] == VOCABULARY[:5]
    assert len(first) == 120


@pytest.mark.parametrize("word", ["film", "films", "unwatchable", "unwatched", "good", "goods", "x", "watch"])
def test_words_cut_by_hand_are_cut_as_kerashub_does(bert, word):
    theirs = [VOCABULARY[number] for number in bert.tokenizer(word)]
    assert bert.cut_word(word, set(VOCABULARY)) == theirs


def test_a_preset_from_a_folder_goes_through_the_same_code(bert, tmp_path):
    bert.bert.save_to_preset(str(tmp_path))
    bert.tokenizer.save_to_preset(str(tmp_path))
    tokenizer, backbone = bert.load_bert(str(tmp_path), None)
    assert tokenizer.get_vocabulary() == VOCABULARY
    rows = bert.rows_of(["a good film.", "unwatchable"])
    ours, theirs = (model(bert.inputs(rows))["sequence_output"] for model in (bert.bert, backbone))
    np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_rows_begin_with_cls_end_with_sep_and_are_filled_up(bert):
    assert bert.rows_of(["a good film."])[0].tolist() == [2, 5, 11, 6, 12, 3, 0, 0]
    assert bert.rows_of(["a good film " * 9])[0].tolist() == [2, 5, 11, 6, 5, 11, 6, 3]


def test_masking_hides_a_share_of_the_text_and_nothing_else(bert):
    rows = bert.rows_of(["a good film.", "a", "a good film " * 9] * 700)
    masked, chosen, truth, real = bert.mask(rows, np.random.default_rng(0))
    np.testing.assert_array_equal(np.take_along_axis(rows, chosen, axis=1), truth)
    hidden = np.zeros(rows.shape, bool)
    np.put_along_axis(hidden, chosen, real > 0, axis=1)
    assert bert.is_text(rows)[hidden].all()
    assert (masked == rows)[~hidden].all()
    assert (real.sum(axis=1) == 1).all()  # 15 % of 1 to 6 pieces, one at least
    after = masked[hidden]
    assert np.mean(after == 4) == pytest.approx(0.8 + 0.1 / len(VOCABULARY), abs=0.03)
    assert np.mean(after == rows[hidden]) == pytest.approx(0.1 + 0.1 / len(VOCABULARY), abs=0.03)


def test_shuffling_half_keeps_the_pieces_and_the_frame(bert):
    rows = bert.rows_of(["a good film.", "unwatchable films", "a"] * 200)
    mixed, shuffled = bert.shuffle_half(rows, np.random.default_rng(0))
    assert (np.sort(mixed) == np.sort(rows)).all()
    assert (bert.is_text(mixed) == bert.is_text(rows)).all()
    assert (mixed == rows)[shuffled == 0].all()
    assert shuffled.mean() == pytest.approx(0.5, abs=0.1)
    assert (mixed != rows)[(shuffled == 1) & (np.arange(600) % 3 == 0)].any(axis=1).mean() > 0.8


def test_padding_does_not_change_what_the_classifier_says(bert):
    bert.tuning_rate = 0.001
    classifier = bert.build_classifier(3)
    rows = bert.rows_of(["a good film.", "unwatchable"])
    longer = np.pad(rows, ((0, 0), (0, 5)))
    np.testing.assert_allclose(classifier(bert.inputs(longer)), classifier(bert.inputs(rows)), atol=1e-5)
