"""Label smoothing equals that of Keras, impossible labels are refused, and a saved model includes the loss."""

import keras
import numpy as np
import pytest

from dlkit import training
from tests.arrays import assert_same_arrays
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


@pytest.mark.parametrize("label", [-1, 3])
@pytest.mark.parametrize("run_eagerly", [False, True])
def test_label_that_is_no_class_is_refused_and_not_learned(label, run_eagerly):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    model.compile("sgd", training.SmoothedCrossentropy(), run_eagerly=run_eagerly)
    before = model.get_weights()
    with pytest.raises(Exception, match=rf"label value of {label} which is outside the valid range of \[0, 3\)"):
        model.fit(np.ones((4, 4)), np.array([0, 1, 2, label]), verbose=0)
    assert_same_arrays(model.get_weights(), before)


def test_label_that_is_no_class_makes_the_loss_nan_where_keras_does_not_refuse_it(monkeypatch):
    # As on JAX and PyTorch, where it costs nothing, or on a GPU.
    monkeypatch.setattr(
        keras.losses, "sparse_categorical_crossentropy", lambda *args, **options: np.zeros(4, "float32")
    )
    loss = training.SmoothedCrossentropy(reduction=None)
    assert np.isnan(loss([-1, 0, 2, 3], np.zeros((4, 3), "float32"))).tolist() == [True, False, False, True]


@pytest.mark.parametrize("value", [-0.1, 1.1, "0.1", None])
def test_smoothed_crossentropy_refuses_a_smoothing_out_of_range(value):
    with pytest.raises(ValueError, match="label_smoothing to be a number of at least 0 and of at most 1"):
        training.SmoothedCrossentropy(value)


def test_smoothed_crossentropy_default_smoothing_is_a_tenth():
    # The accuracies in benchmarks/RESULTS.md were measured with it.
    assert training.SmoothedCrossentropy().label_smoothing == 0.1


def test_saved_model_includes_schedule_and_loss(tmp_path):
    model = build_model()
    model.train_on_batch(IMAGES, LABELS)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert isinstance(loaded.loss, training.SmoothedCrossentropy)
    assert loaded.optimizer.get_config()["learning_rate"]["config"]["peak"] == 0.1
