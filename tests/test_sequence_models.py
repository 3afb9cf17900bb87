"""Text networks: token rows in, logits out; padding and order do what the docstrings say."""

import keras
import numpy as np
import pytest

from dlkit import evaluate, models
from tests.random_weights import randomize

CLASSIFIERS = [models.build_text_mean, models.build_text_cnn, models.build_text_lstm, models.build_text_transformer]
RNG = np.random.default_rng(0)
ROWS = RNG.integers(1, 30, (4, 9)).astype("int32")
ROWS[1, 5:] = 0


@pytest.fixture(scope="module", params=CLASSIFIERS, ids=lambda build: build.__name__)
def classifier(request):
    return randomize(request.param(30, 3))  # biases and row 0 too


def test_gives_logits_uncompiled(classifier):
    assert classifier(ROWS).shape == (4, 3)
    assert classifier.layers[-1].activation is keras.activations.linear
    assert not classifier.compiled


@pytest.mark.parametrize("more", [1, 20])
def test_padding_does_not_change_the_logits(classifier, more):
    longer = np.pad(ROWS, ((0, 0), (0, more)))
    np.testing.assert_allclose(classifier(longer), classifier(ROWS), atol=1e-5)


def test_a_text_does_not_depend_on_the_others_in_its_batch(classifier):
    np.testing.assert_allclose(classifier(ROWS)[1:2], classifier(ROWS[1:2, :5]), atol=1e-5)


def test_order_matters_to_all_but_the_mean(classifier):
    apart = np.abs(np.asarray(classifier(ROWS[:1, ::-1].copy())) - np.asarray(classifier(ROWS[:1]))).max()
    assert apart < 1e-5 if classifier.name == "text_mean" else apart > 1e-3


def test_is_saved_and_loaded_whole(classifier, tmp_path):
    classifier.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded(ROWS), classifier(ROWS), atol=1e-6)


@pytest.mark.parametrize("build", CLASSIFIERS)
def test_learns_which_texts_hold_a_word(build):
    keras.utils.set_random_seed(0)
    rows = RNG.integers(2, 30, (600, 8)).astype("int32")
    labels = (rows[:, ::2] == 7).any(axis=1).astype("int32")
    rows[labels == 0] = np.where(rows[labels == 0] == 7, 8, rows[labels == 0])
    model = build(30, 2, dropout=0.0)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.01), loss, metrics=["accuracy"])
    model.fit(rows, labels, epochs=15, batch_size=50, verbose=0)
    assert model.evaluate(rows, labels, verbose=0)[1] >= 0.97


# --- the language model


@pytest.fixture(scope="module")
def writer():
    return randomize(models.build_language_model(30, max_length=16, width=16, heads=2, hidden=32))


def test_the_language_model_never_looks_ahead(writer):
    before = np.asarray(writer(ROWS))
    for place in range(1, 9):
        changed = ROWS.copy()
        changed[:, place:] = (changed[:, place:] + 5) % 30
        after = np.asarray(writer(changed))
        np.testing.assert_allclose(after[:, :place], before[:, :place], atol=1e-5)
        assert (np.abs(after[:, place] - before[:, place]).max(axis=1) > 1e-3).all()


def test_the_classifier_does_look_ahead():
    model = randomize(models.build_text_transformer(30, 3, blocks=2))
    block = keras.Model(model.input, model.get_layer("block_1").output)
    changed = ROWS[:1].copy()
    changed[0, -1] = 29 - changed[0, -1]
    assert np.abs(np.asarray(block(changed))[0, 0] - np.asarray(block(ROWS[:1]))[0, 0]).max() > 1e-3


def test_the_language_model_learns_to_count_and_writes_it():
    keras.utils.set_random_seed(0)
    rows = (RNG.integers(0, 10, (400, 1)) + np.arange(13)) % 10
    model = models.build_language_model(10, max_length=12, width=32, heads=2, blocks=1, hidden=32)
    model.compile(keras.optimizers.Adam(0.01), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(rows[:, :-1], rows[:, 1:], epochs=8, verbose=0)
    written = evaluate.sample_tokens(model, [4, 5], 20, window=12, temperature=0.2)
    assert written == [k % 10 for k in range(4, 26)]


def test_writing_is_the_same_for_the_same_seed_only(writer):
    def write(seed):
        return evaluate.sample_tokens(writer, [1], 20, window=16, seed=seed)

    assert write(0) == write(0) != write(1)
    assert write(0)[0] == 1
    assert len(write(0)) == 21


def test_a_small_temperature_takes_the_likeliest(writer):
    cold = evaluate.sample_tokens(writer, [1, 2], 1, window=16, temperature=1e-3)
    assert cold[-1] == np.asarray(writer(np.array([[1, 2]])))[0, -1].argmax()


@pytest.mark.parametrize(("start", "temperature", "word"), [([], 1, "at least one"), ([1], 0, "above 0")])
def test_writing_says_what_it_needs(writer, start, temperature, word):
    with pytest.raises(ValueError, match=word):
        evaluate.sample_tokens(writer, start, 3, window=16, temperature=temperature)
