"""Text networks: token rows in, logits out; padding and order do what the docstrings say."""

import keras
import numpy as np
import pytest

from dlkit import models

CLASSIFIERS = [models.build_text_mean, models.build_text_cnn, models.build_text_lstm]
RNG = np.random.default_rng(0)
ROWS = RNG.integers(1, 30, (4, 9)).astype("int32")
ROWS[1, 5:] = 0


@pytest.fixture(scope="module", params=CLASSIFIERS, ids=lambda build: build.__name__)
def classifier(request):
    model = request.param(30, 3)
    model.set_weights([RNG.normal(0, 0.5, weight.shape) for weight in model.weights])  # biases and row 0 too
    return model


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
