"""Label smoothing equals that of Keras, and a saved model includes the loss."""

import keras
import numpy as np
import pytest

from dlkit import training
from tests.training.helpers import IMAGES, LABELS, build_model


def test_smoothed_crossentropy_equals_keras_with_one_hot_labels():
    logits = np.random.default_rng(0).normal(size=(6, 5)).astype("float32")
    labels = np.array([0, 1, 2, 3, 4, 0])
    expected = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.2)(np.eye(5)[labels], logits)
    for shaped in (labels, labels[:, None]):
        found = training.SmoothedCrossentropy(label_smoothing=0.2)(shaped, logits)
        assert float(found) == pytest.approx(float(expected), abs=1e-6)
    plain = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(labels, logits)
    assert float(training.SmoothedCrossentropy(0.0)(labels, logits)) == pytest.approx(float(plain), abs=1e-6)


def test_smoothed_crossentropy_default_smoothing_is_a_tenth():
    # The accuracies in benchmarks/RESULTS.md were measured with it.
    assert training.SmoothedCrossentropy().label_smoothing == 0.1


def test_saved_model_includes_schedule_and_loss(tmp_path):
    model = build_model()
    model.fit(IMAGES, LABELS, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert isinstance(loaded.loss, training.SmoothedCrossentropy)
    assert loaded.optimizer.get_config()["learning_rate"]["config"]["peak"] == 0.1
