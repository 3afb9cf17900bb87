"""dlkit.models.sequence: the effects of padding and word order, and that the models can be trained."""

import zipfile

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
    """Each of the text classifiers in turn, with random weights."""
    return randomize(request.param(30, 3))  # biases and row 0 too


def test_text_classifier_returns_logits_uncompiled(classifier):
    assert classifier(ROWS).shape == (4, 3)
    assert classifier.layers[-1].activation is keras.activations.linear
    assert not classifier.compiled


@pytest.mark.parametrize("more", [1, 20])
def test_text_classifier_ignores_padding(classifier, more):
    longer = np.pad(ROWS, ((0, 0), (0, more)))
    np.testing.assert_allclose(classifier(longer), classifier(ROWS), atol=1e-5)


def test_text_classifier_treats_each_text_of_a_batch_alone(classifier):
    np.testing.assert_allclose(classifier(ROWS)[1:2], classifier(ROWS[1:2, :5]), atol=1e-5)


@pytest.mark.parametrize("training", [False, True])
def test_text_without_tokens_gets_finite_logits_and_gradients(classifier, training):
    rows = np.concatenate([ROWS, 0 * ROWS[:1]])
    before = classifier.get_weights()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    assert np.isfinite(classifier(rows, training=training)).all()
    np.testing.assert_allclose(classifier(rows)[:4], classifier(ROWS), atol=1e-5)
    if training:
        classifier.compile("sgd", loss, jit_compile=False)
        classifier.train_on_batch(rows, np.arange(5) % 3)
        assert all(np.isfinite(weight).all() for weight in classifier.get_weights())
        classifier.set_weights(before)
        classifier.compiled = False


@pytest.mark.parametrize("length", [1, 9, 30])
def test_text_without_tokens_gets_the_same_logits_at_every_length(classifier, length):
    rows = np.zeros((2, length), "int32")
    np.testing.assert_allclose(classifier(rows), classifier(rows[:, :1]), atol=1e-5)


def test_text_mean_without_tokens_returns_the_bias():
    model = randomize(models.build_text_mean(30, 3))
    np.testing.assert_array_equal(model(np.zeros((1, 4), "int32"))[0], model.layers[-1].bias)


def test_word_order_matters_except_for_text_mean(classifier):
    difference = np.abs(np.asarray(classifier(ROWS[:1, ::-1].copy())) - np.asarray(classifier(ROWS[:1]))).max()
    assert difference < 1e-5 if classifier.name == "text_mean" else difference > 1e-3


def test_saved_text_classifier_gives_the_same_logits(classifier, tmp_path):
    classifier.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded(ROWS), classifier(ROWS), atol=1e-6)
    with zipfile.ZipFile(tmp_path / "model.keras") as file:
        assert b"dlkit" not in file.read("config.json"), "it loads where dlkit is not installed"


@pytest.mark.parametrize("build", CLASSIFIERS)
def test_text_classifier_learns_to_find_a_word(build):
    keras.utils.set_random_seed(0)
    rows = RNG.integers(2, 12, (200, 5)).astype("int32")
    labels = (rows == 7).any(axis=1).astype("int32")
    model = build(12, 2, embedding_dim=16)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.03), loss, jit_compile=False)
    for _ in range(60):
        model.train_on_batch(rows, labels)
    assert np.mean(np.asarray(model(rows)).argmax(axis=1) == labels) >= 0.97


def test_language_model_is_causal():
    language_model = randomize(models.build_language_model(30, max_length=16, embedding_dim=16, heads=2))
    before = np.asarray(language_model(ROWS))
    for position in range(1, 9):
        changed = ROWS.copy()
        changed[:, position:] = (changed[:, position:] + 5) % 30
        after = np.asarray(language_model(changed))
        np.testing.assert_allclose(after[:, :position], before[:, :position], atol=1e-5)
        assert (np.abs(after[:, position] - before[:, position]).max(axis=1) > 1e-3).all()


def test_text_transformer_is_not_causal():
    model = randomize(models.build_text_transformer(30, 3, blocks=2))
    block = keras.Model(model.input, model.get_layer("block_1").output)
    changed = ROWS[:1].copy()
    changed[0, -1] = 29 - changed[0, -1]
    assert np.abs(np.asarray(block(changed))[0, 0] - np.asarray(block(ROWS[:1]))[0, 0]).max() > 1e-3


def test_language_model_learns_to_count():
    keras.utils.set_random_seed(0)
    rows = (np.arange(6)[:, None] + np.arange(7)) % 6
    model = models.build_language_model(6, max_length=6, embedding_dim=16, heads=2, blocks=1)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.01), loss, jit_compile=False)
    for _ in range(60):
        model.train_on_batch(rows[:, :-1], rows[:, 1:])
    sampled = evaluate.sample_tokens(model, [4, 5], 10, window=6, temperature=0.2)
    assert sampled == [k % 6 for k in range(4, 16)]
