import errno
import re

import keras
import numpy as np
import pytest
import tensorflow as tf

from dlkit import data, models, training

X = np.random.default_rng(0).integers(0, 256, (64, 8, 8)).astype("uint8")
Y = (X[:, 0, 0] > 127).astype("int64")


def make(epochs=4):
    """A small network with everything that carries state: dropout, batch norm, momentum, a schedule."""
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((8, 8)),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Flatten(),
            keras.layers.Dense(16, activation="relu"),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.3),
            keras.layers.Dense(2),
        ]
    )
    optimizer = keras.optimizers.SGD(training.OneCycle(0.1, 8 * epochs), momentum=0.9, nesterov=True)
    model.compile(optimizer=optimizer, loss=training.SmoothedCrossentropy(), metrics=["accuracy"])
    return model


def fit(model, checkpoint, epochs, callbacks=()):
    return training.fit(
        model,
        lambda first_epoch, shard: data.pipeline(
            X, Y, batch_size=8, training=True, seed=5, first_epoch=first_epoch, shard=shard
        ),
        steps_per_epoch=8,
        epochs=epochs,
        checkpoint=checkpoint,
        callbacks=callbacks,
        verbose=0,
    )


class StopAfter(keras.callbacks.Callback):
    """What Ctrl-C or a kill does: leaves `fit` in the middle of an epoch."""

    def __init__(self, epoch):
        super().__init__()
        self.epoch, self.now = epoch, 0

    def on_epoch_begin(self, epoch, logs=None):
        self.now = epoch

    def on_train_batch_end(self, batch, logs=None):
        if self.now == self.epoch and batch == 3:
            raise KeyboardInterrupt


def weights(model):
    return [np.asarray(variable) for variable in model.variables]


@pytest.mark.parametrize("stop", [0, 1, 3])
def test_a_stopped_training_ends_with_the_same_bits(tmp_path, stop):
    whole = make()
    history = fit(whole, tmp_path / "whole.npz", 4)
    stopped = make()
    with pytest.raises(KeyboardInterrupt):
        fit(stopped, tmp_path / "run.npz", 4, [StopAfter(stop)])
    again = make()
    history_again = fit(again, tmp_path / "run.npz", 4)
    for a, b in zip(weights(whole), weights(again), strict=True):
        np.testing.assert_array_equal(a, b)
    assert [epoch["loss"] for epoch in history] == [epoch["loss"] for epoch in history_again]
    assert not list(tmp_path.glob("*.part"))


def test_two_runs_give_the_same_bits(tmp_path):
    runs = []
    for name in ("a.npz", "b.npz"):
        model = make()
        fit(model, tmp_path / name, 2)
        runs.append(weights(model))
    for a, b in zip(*runs, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_finished_training_is_not_trained_on(tmp_path):
    model = make()
    fit(model, tmp_path / "run.npz", 2)
    again = make()
    history = fit(again, tmp_path / "run.npz", 2)
    assert len(history) == 2
    for a, b in zip(weights(model), weights(again), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_foreign_or_broken_checkpoint_is_refused_by_name(tmp_path):
    fit(make(), tmp_path / "run.npz", 1)
    other = models.build_mlp((8, 8), 2)
    other.compile(optimizer="adam", loss=training.SmoothedCrossentropy())
    with pytest.raises(ValueError, match=r"run\.npz belongs to another model"):
        fit(other, tmp_path / "run.npz", 1)
    (tmp_path / "run.npz").write_bytes(b"half a file")
    with pytest.raises(ValueError, match=r"run\.npz cannot be read as a checkpoint.*Delete it to start from scratch"):
        fit(make(), tmp_path / "run.npz", 1)


def test_a_loss_that_is_no_number_stops_the_training_and_what_was_saved_before_is_kept(tmp_path):
    def poisoned(first_epoch, shard):
        ds = data.pipeline(X.astype("float32"), Y, batch_size=8, training=True, seed=5, first_epoch=first_epoch)
        return ds.enumerate().map(lambda k, batch: (*batch, tf.fill([8], tf.where(k == 11, np.nan, 1.0))))

    model, checkpoint = make(), tmp_path / "checkpoint.npz"
    with pytest.raises(
        training.DivergedError, match=r"became nan in epoch 2, batch 4\. The state after epoch 1 is saved"
    ):
        training.fit(model, poisoned, steps_per_epoch=8, epochs=4, checkpoint=checkpoint, verbose=0)
    again = make()
    assert training.Checkpoint(checkpoint).restore(again) == 1
    assert all(np.isfinite(values).all() for values in weights(again))
    alone = make()
    fit(alone, tmp_path / "alone.npz", epochs=1)
    for kept, wanted in zip(weights(again), weights(alone), strict=True):
        np.testing.assert_array_equal(kept, wanted)


def test_a_loss_that_is_no_number_in_the_first_epoch_says_that_nothing_was_saved(tmp_path):
    saver = training.Checkpoint(tmp_path / "run.npz")
    with pytest.raises(training.DivergedError, match=r"became nan in epoch 1, batch 1\. Nothing was saved\. Try"):
        saver.check_loss(np.nan, batch=0)


class FullDisk:
    """`os.fsync` of a disk that has room for some epochs and then is full."""

    def __init__(self, room):
        self.room = room

    def __call__(self, descriptor):
        if self.room == 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.room -= 1


@pytest.mark.parametrize(("room", "kept"), [(0, "Nothing was"), (1, "Epoch 1 is"), (3, "Epoch 3 is")])
def test_a_full_disk_says_which_epoch_is_kept(tmp_path, monkeypatch, room, kept):
    monkeypatch.setattr("dlkit.training.checkpoint.os.fsync", FullDisk(room))
    path = tmp_path / "run.npz"
    said = re.escape(f"No space left on device. {kept} saved in {path}. Free some space;")
    with pytest.raises(OSError, match=rf"Epoch {room + 1} could not be saved: \[Errno {errno.ENOSPC}\] {said}"):
        fit(make(), path, 4)
    assert [file.name for file in tmp_path.iterdir()] == (["run.npz"] if room else [])
    assert training.Checkpoint(path).restore(make()) == room


def test_the_cycle_climbs_to_its_peak_and_falls_to_almost_nothing():
    schedule = training.OneCycle(0.4, 100, warmup=0.25)
    rates = np.array([float(schedule(step)) for step in range(100)])
    assert rates.argmax() == 24
    assert rates.max() == pytest.approx(0.4)
    assert np.allclose(np.diff(rates[:25]), 0.4 / 25)
    assert (np.diff(rates[24:]) < 0).all()
    assert 0 < rates[-1] < 0.01
    again = training.OneCycle.from_config(schedule.get_config())
    assert float(again(10)) == float(schedule(10))


def test_the_defaults_are_those_that_published_accuracies_rest_on():
    assert training.OneCycle(1.0, 100).get_config() == {"peak": 1.0, "steps": 100, "warmup": 0.25}
    assert training.SmoothedCrossentropy().label_smoothing == 0.1


def test_smoothed_cross_entropy_is_keras_with_one_hot_labels():
    logits = np.random.default_rng(0).normal(size=(6, 5)).astype("float32")
    labels = np.array([0, 1, 2, 3, 4, 0])
    expected = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.2)(np.eye(5)[labels], logits)
    for shaped in (labels, labels[:, None]):
        found = training.SmoothedCrossentropy(label_smoothing=0.2)(shaped, logits)
        assert float(found) == pytest.approx(float(expected), abs=1e-6)
    plain = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(labels, logits)
    assert float(training.SmoothedCrossentropy(0.0)(labels, logits)) == pytest.approx(float(plain), abs=1e-6)


def test_a_saved_model_brings_schedule_and_loss_along(tmp_path):
    model = make()
    model.fit(X, Y, verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert isinstance(again.loss, training.SmoothedCrossentropy)
    assert again.optimizer.get_config()["learning_rate"]["config"]["peak"] == 0.1


# --- early stopping and the plateau schedule remember across a stop

VAL = (X[:24], 1 - Y[:24])  # the opposite of what is learnt: validation gets worse


def watchers():
    return [
        keras.callbacks.ReduceLROnPlateau(monitor="val_loss", factor=0.5, patience=1),
        keras.callbacks.EarlyStopping(monitor="val_loss", patience=4, restore_best_weights=True),
    ]


def watched(tmp_path, name, interrupt=()):
    keras.utils.set_random_seed(1)
    model = models.build_mlp((8, 8), 2, hidden=(16,))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.01), loss, metrics=["accuracy"])
    history = training.fit(
        model,
        lambda first_epoch, shard: data.pipeline(
            X, Y, batch_size=8, training=True, seed=5, first_epoch=first_epoch, shard=shard
        ),
        steps_per_epoch=8,
        epochs=20,
        checkpoint=tmp_path / name,
        validation_data=data.pipeline(*VAL, batch_size=24),
        callbacks=[*watchers(), *interrupt],
        verbose=0,
    )
    return model, history


@pytest.mark.parametrize("stop", [1, 3])
def test_a_stopped_training_with_watchers_ends_with_the_same_bits(tmp_path, stop):
    whole, history = watched(tmp_path, "whole.npz")
    assert len(history) < 20, "it stopped early"
    assert history[-1]["learning_rate"] < 0.01, "the rate was reduced"
    with pytest.raises(KeyboardInterrupt):
        watched(tmp_path, "run.npz", [StopAfter(stop)])
    again, history_again = watched(tmp_path, "run.npz")
    assert [epoch["val_loss"] for epoch in history] == [epoch["val_loss"] for epoch in history_again]
    for a, b in zip(weights(whole), weights(again), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_training_that_stopped_early_is_not_trained_again_and_has_its_best_weights(tmp_path):
    whole, history = watched(tmp_path, "run.npz")
    finished, history_again = watched(tmp_path, "run.npz")
    assert history == history_again
    for a, b in zip(weights(whole), weights(finished), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_checkpoint_with_other_watchers_is_refused(tmp_path):
    watched(tmp_path, "run.npz")
    with pytest.raises(ValueError, match="belongs to another model"):
        watched(tmp_path, "run.npz", [keras.callbacks.EarlyStopping()])


@pytest.mark.parametrize("optimizer", ["adam", "adagrad"])
def test_restart_trains_as_a_newly_built_and_compiled_model_does(optimizer):
    rng = np.random.default_rng(0)
    images, labels = rng.random((60, 4)), rng.integers(0, 3, 60)

    def build():
        stack = [keras.Input((4,)), keras.layers.Dense(8, activation="relu"), keras.layers.BatchNormalization()]
        model = keras.Sequential([*stack, keras.layers.Dropout(0.5), keras.layers.Dense(3)])
        model.compile(optimizer, training.SmoothedCrossentropy(), metrics=["accuracy"])
        return model

    def weights_after(model):
        model.fit(images, labels, batch_size=16, epochs=2, shuffle=False, verbose=0)
        return model.get_weights()

    keras.utils.set_random_seed(5)
    expected = weights_after(build())
    model = build()
    weights_after(model)  # weights, moments, the step count and the generator of dropout have moved on
    for _ in range(2):
        training.restart(model, 5)
        for ours, theirs in zip(weights_after(model), expected, strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_restart_keeps_the_learning_rate_and_another_seed_gives_other_weights():
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    model.compile(keras.optimizers.SGD(0.25, momentum=0.9), "mse")
    training.restart(model, 1)
    first = model.get_weights()
    training.restart(model, 2)
    assert not np.array_equal(model.get_weights()[0], first[0])
    assert float(model.optimizer.learning_rate) == 0.25
