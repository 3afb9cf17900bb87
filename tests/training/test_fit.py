"""`fit` resumes to the same weights, to the last bit, and refuses what cannot train; `restart` is like a new model."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from dlkit import data, models, training
from tests.arrays import assert_same_arrays
from tests.training.helpers import IMAGES, LABELS, InterruptIn, build_model, fit, make_train_ds, weights_of


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """A training of three epochs without a stop: (weights, history, checkpoint)."""
    checkpoint = tmp_path_factory.mktemp("uninterrupted") / "run.npz"
    model = build_model()
    history = fit(model, checkpoint, 3)
    return weights_of(model), history, checkpoint


@pytest.mark.parametrize("epoch", [0, 2])
def test_fit_resumes_to_the_same_weights(tmp_path, uninterrupted, epoch):
    weights, history, _ = uninterrupted
    with pytest.raises(KeyboardInterrupt):
        fit(build_model(), tmp_path / "run.npz", 3, [InterruptIn(epoch)])
    assert (tmp_path / "run.npz").exists() == (epoch > 0)
    resumed = build_model()
    resumed_history = fit(resumed, tmp_path / "run.npz", 3)
    assert_same_arrays(weights_of(resumed), weights)
    assert [epoch["loss"] for epoch in history] == [epoch["loss"] for epoch in resumed_history]
    assert [file.name for file in tmp_path.iterdir()] == ["run.npz"]


def test_fit_does_not_train_a_finished_training(uninterrupted):
    weights, history, checkpoint = uninterrupted
    restored = build_model()
    assert fit(restored, checkpoint, 3) == history
    assert_same_arrays(weights_of(restored), weights)


# --- callbacks that have state: early stopping and the reduction of the learning rate

VALIDATION = (IMAGES[:24], 1 - LABELS[:24])  # the opposite of what is learned, so that the validation loss rises


def fit_with_callbacks(checkpoint, further_callbacks=()):
    """A training that reduces its learning rate and stops early; returns (model, history)."""
    keras.utils.set_random_seed(1)
    model = models.build_mlp((8, 8), 2, hidden=(16,))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.01), loss, metrics=["accuracy"], jit_compile=False)
    history = training.fit(
        model,
        make_train_ds,
        steps_per_epoch=8,
        epochs=20,
        checkpoint=checkpoint,
        validation_data=data.pipeline(*VALIDATION, batch_size=24),
        callbacks=[
            keras.callbacks.ReduceLROnPlateau(monitor="val_loss", factor=0.5, patience=1),
            keras.callbacks.EarlyStopping(monitor="val_loss", patience=4, restore_best_weights=True),
            *further_callbacks,
        ],
        verbose=0,
    )
    return model, history


@pytest.fixture(scope="module")
def stopped_early(tmp_path_factory):
    """A training with callbacks, without a stop: (weights, history, checkpoint)."""
    checkpoint = tmp_path_factory.mktemp("stopped_early") / "run.npz"
    model, history = fit_with_callbacks(checkpoint)
    assert len(history) < 20, "it stopped early"
    assert history[-1]["learning_rate"] < 0.01, "the learning rate was reduced"
    return weights_of(model), history, checkpoint


@pytest.mark.parametrize("epoch", [1, 3])
def test_fit_with_callbacks_resumes_to_the_same_weights(tmp_path, stopped_early, epoch):
    weights, history, _ = stopped_early
    with pytest.raises(KeyboardInterrupt):
        fit_with_callbacks(tmp_path / "run.npz", [InterruptIn(epoch)])
    resumed, resumed_history = fit_with_callbacks(tmp_path / "run.npz")
    assert [epoch["val_loss"] for epoch in history] == [epoch["val_loss"] for epoch in resumed_history]
    assert_same_arrays(weights_of(resumed), weights)


def test_fit_restores_best_weights_after_early_stopping(stopped_early):
    weights, history, checkpoint = stopped_early
    restored, restored_history = fit_with_callbacks(checkpoint)
    assert history == restored_history
    assert_same_arrays(weights_of(restored), weights)


def test_fit_refuses_a_checkpoint_with_other_callbacks(stopped_early):
    *_, checkpoint = stopped_early
    with pytest.raises(ValueError, match="belongs to another model, optimizer or set of callbacks"):
        fit_with_callbacks(checkpoint, [keras.callbacks.EarlyStopping()])


# --- what it refuses before the first step


def fit_arrays(images, labels, loss=None, *, layers=(), units=3, **options):
    """Trains a small model of one layer on one batch."""
    model = keras.Sequential([keras.Input(images.shape[1:]), keras.layers.Dense(units), *layers])
    model.compile("sgd", loss or keras.losses.SparseCategoricalCrossentropy(from_logits=True), jit_compile=False)
    ds = tf.data.Dataset.from_tensors((images, labels)).repeat()
    options = {"steps_per_epoch": 2, "epochs": 1, "verbose": 0, "checkpoint": "never.npz", **options}
    return training.fit(model, lambda first_epoch, shard: ds, **options)


ONES = np.ones((4, 2), "float32")


@pytest.mark.parametrize("name", ["steps_per_epoch", "epochs"])
@pytest.mark.parametrize("value", [0, -1, 2.5, None, True])
def test_fit_refuses_counts_below_1_instead_of_training_for_ever(name, value):
    with pytest.raises(ValueError, match=f"Expected {name} to be an integer of 1 or more"):
        fit_arrays(ONES, np.zeros(4, int), **{name: value})


def test_arguments_out_of_range_are_refused():
    with pytest.raises(ValueError, match="Expected verbose to be an integer from 0 to 2"):
        fit_arrays(ONES, np.zeros(4, int), verbose=3)
    with pytest.raises(ValueError, match=r"Expected a compiled model.*Call `model\.compile` first"):
        training.restart(keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]), 0)
    with pytest.raises(ValueError, match="Expected seed to be"):
        training.restart(build_model(), -1)


@pytest.mark.parametrize("loss", [None, training.SmoothedCrossentropy()])
@pytest.mark.parametrize(
    ("labels", "advice"),
    [
        ([1, 2, 3, 3], "begin at 1: pass `labels - 1`"),
        ([0, 1, 2, -1], "from -1 to 2"),
        (np.eye(3)[[0, 1, 2, 0]], "are one-hot"),
        ([0.0, 1.0, 2.0, 0.0], "Convert them"),
    ],
)
def test_fit_refuses_impossible_labels(loss, labels, advice):
    with pytest.raises(ValueError, match=f"labels in the training set of shape.*{advice}"):
        fit_arrays(ONES, np.array(labels), loss)


def test_fit_takes_labels_that_the_loss_ignores(tmp_path):
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=255)
    history = fit_arrays(ONES, np.array([0, 1, 255, 2]), loss, checkpoint=tmp_path / "run.npz")
    assert np.isfinite(history[0]["loss"])


def test_fit_refuses_nan_in_inputs_and_validation_data():
    spoiled = ONES.copy()
    spoiled[2, 1] = np.nan
    with pytest.raises(
        ValueError, match=r"Expected finite numbers in the training set\. Received: nan at position \[2, 1"
    ):
        fit_arrays(spoiled, np.zeros(4, int))
    validation = tf.data.Dataset.from_tensors((spoiled, np.zeros(4, int)))
    with pytest.raises(ValueError, match="Expected finite numbers in validation_data"):
        fit_arrays(ONES, np.zeros(4, int), validation_data=validation)


def test_class_weight_multiplies_the_loss_and_needs_one_device(tmp_path):
    ones, labels = np.ones((4, 2), "float32"), np.array([0, 0, 0, 1])
    losses = []
    for weights in (None, {0: 1.0, 1: 1.0, 2: 1.0}, {0: 2.0, 1: 2.0, 2: 1.0}):
        keras.utils.set_random_seed(0)
        checkpoint = tmp_path / f"run{len(losses)}.npz"
        losses.append(
            fit_arrays(ones, labels, steps_per_epoch=1, class_weight=weights, checkpoint=checkpoint)[0]["loss"]
        )
    np.testing.assert_allclose(losses, [losses[0], losses[0], 2 * losses[0]], rtol=1e-6)
    with pytest.raises(ValueError, match="Expected class_weight only without a strategy"):
        fit_arrays(ones, labels, class_weight={0: 1.0}, strategy=tf.distribute.get_strategy())


@pytest.mark.parametrize(("from_logits", "received"), [(True, "probabilities"), (False, "logits")])
def test_fit_refuses_a_softmax_twice_or_never(from_logits, received):
    layers = [keras.layers.Softmax()] if from_logits else []
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=from_logits)
    with pytest.raises(ValueError, match=f"the loss has from_logits={from_logits}. Received: {received}"):
        fit_arrays(ONES, np.zeros(4, int), loss, layers=layers)


def test_fit_refuses_a_single_output_and_something_else_than_a_dataset():
    with pytest.raises(ValueError, match="an output for each class"):
        fit_arrays(ONES, np.zeros(4, int), units=1)
    with pytest.raises(ValueError, match=r"validation_data with batches \(inputs, targets\)\. Received: a ndarray"):
        fit_arrays(ONES, np.zeros(4, int), validation_data=(ONES, np.zeros(4, int)))


def test_fit_takes_labels_of_each_token_and_other_losses(tmp_path):
    tokens = np.ones((4, 5, 2), "float32")
    assert len(fit_arrays(tokens, np.zeros((4, 5), int), checkpoint=tmp_path / "tokens.npz")) == 1
    assert len(fit_arrays(ONES, ONES[:, :1], "mse", units=1, checkpoint=tmp_path / "numbers.npz")) == 1


@pytest.mark.filterwarnings("ignore:Your input ran out of data")
def test_fit_refuses_a_dataset_that_ends_early(tmp_path):
    def finite(first_epoch, shard):
        return make_train_ds(first_epoch, shard).take(12)

    message = "Expected 8 batches in epoch 2. Received: 4, then the dataset ended. Epoch 1 is saved"
    with pytest.raises(ValueError, match=message):
        training.fit(build_model(), finite, steps_per_epoch=8, epochs=4, checkpoint=tmp_path / "run.npz", verbose=0)
    assert training.Checkpoint(tmp_path / "run.npz").restore(build_model()) == 1


# --- restart


@pytest.mark.parametrize(("optimizer", "run_eagerly"), [("adam", False), ("adagrad", True)])
def test_restart_trains_like_a_newly_built_and_compiled_model(optimizer, run_eagerly):
    rng = np.random.default_rng(0)
    images, labels = rng.random((60, 4)), rng.integers(0, 3, 60)

    def build():
        stack = [keras.Input((4,)), keras.layers.Dense(8, activation="relu"), keras.layers.BatchNormalization()]
        model = keras.Sequential([*stack, keras.layers.Dropout(0.5), keras.layers.Dense(3)])
        model.compile(optimizer, training.SmoothedCrossentropy(), jit_compile=False, run_eagerly=run_eagerly)
        return model

    def weights_after_training(model):
        model.fit(images, labels, batch_size=16, epochs=1, shuffle=False, verbose=0)
        return model.get_weights()

    keras.utils.set_random_seed(5)
    expected = weights_after_training(build())
    model = build()
    weights_after_training(model)  # changes the weights, the moments, the step count and the generator of dropout
    for _ in range(2):
        training.restart(model, 5)
        assert_same_arrays(weights_after_training(model), expected)


def test_restart_depends_on_the_seed_and_leaves_learning_rate():
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    model.compile(keras.optimizers.SGD(0.25, momentum=0.9), "mse")
    training.restart(model, 1)
    first = model.get_weights()
    training.restart(model, 2)
    assert not np.array_equal(model.get_weights()[0], first[0])
    assert float(model.optimizer.learning_rate) == 0.25
