"""Checkpoints: what they refuse, and what is saved when the loss becomes NaN or the disk is full."""

import errno
import os
import re

import keras
import numpy as np
import pytest
import tensorflow as tf

from dlkit import data, models, training
from tests.arrays import assert_same_arrays
from tests.training.helpers import IMAGES, LABELS, InterruptIn, build_model, fit, save_epochs, weights_of


def test_checkpoint_of_another_model_or_damaged_is_refused(tmp_path):
    model, saver = build_model(), training.Checkpoint(tmp_path / "run.npz")
    save_epochs(model, saver.path)
    other = models.build_mlp((8, 8), 2)
    other.compile(optimizer="adam", loss=training.SmoothedCrossentropy())
    with pytest.raises(ValueError, match=r"run\.npz belongs to another model"):
        saver.restore(other)
    complete = (tmp_path / "run.npz").read_bytes()
    for damaged in (b"half a file", b"", complete[: len(complete) // 2], complete.replace(b"about", b"abort")):
        (tmp_path / "run.npz").write_bytes(damaged)
        with pytest.raises(
            ValueError, match=r"run\.npz cannot be read as a checkpoint.*Delete it to start from scratch"
        ):
            saver.restore(model)


def test_nan_loss_stops_training_and_leaves_last_epoch_saved(tmp_path):
    def make_train_ds(first_epoch, shard):
        """Weights every example of one batch in the second epoch with NaN."""
        ds = data.pipeline(
            IMAGES.astype("float32"), LABELS, batch_size=8, training=True, seed=5, first_epoch=first_epoch
        )
        return ds.enumerate().map(lambda k, batch: (*batch, tf.fill([8], tf.where(k == 11, np.nan, 1.0))))

    model, checkpoint = build_model(), tmp_path / "checkpoint.npz"
    with pytest.raises(training.DivergedError, match=r"became nan in epoch 2, batch 4\. Epoch 1 is saved"):
        training.fit(model, make_train_ds, steps_per_epoch=8, epochs=4, checkpoint=checkpoint, verbose=0)
    restored = build_model()
    assert training.Checkpoint(checkpoint).restore(restored) == 1
    assert all(np.isfinite(values).all() for values in weights_of(restored))
    expected = build_model()
    fit(expected, tmp_path / "expected.npz", epochs=1)
    assert_same_arrays(weights_of(restored), weights_of(expected))


def test_nan_loss_in_first_epoch_says_nothing_was_saved(tmp_path):
    saver = training.Checkpoint(tmp_path / "run.npz")
    with pytest.raises(training.DivergedError, match=r"became nan in epoch 1, batch 1\. Nothing was saved\. Try"):
        saver.check_loss(np.nan, batch=0)


@pytest.fixture
def fill_disk_after(monkeypatch):
    """A function that simulates a disk with room for a number of checkpoints.

    It replaces `os.fsync`, the call in which a write that the system has buffered fails when the disk is full.
    """

    def fill_after(count):
        calls = iter(range(count + 1))

        def fsync(descriptor):
            if next(calls) == count:
                raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr("dlkit.training.checkpoint.os.fsync", fsync)

    return fill_after


@pytest.mark.parametrize("room", [0, 1, 3])
def test_full_disk_reports_last_saved_epoch(tmp_path, fill_disk_after, room):
    fill_disk_after(room)
    path = tmp_path / "run.npz"
    saved = f"Epoch {room} is saved in {path}" if room else "Nothing was saved"
    message = re.escape(f"No space left on device. {saved}. Free some space and start again.")
    model = build_model()
    with pytest.raises(OSError, match=rf"Epoch {room + 1} could not be saved: \[Errno {errno.ENOSPC}\] {message}"):
        save_epochs(model, path, 4)
    assert [file.name for file in tmp_path.iterdir()] == (["run.npz"] if room else [])
    assert training.Checkpoint(path).restore(model) == room


def refuse_to_rename(monkeypatch, number):
    def replace(source, target):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("dlkit.training.checkpoint.os.replace", replace)


@pytest.mark.parametrize(
    ("number", "advice"),
    [(errno.EDQUOT, " Free some space and start again."), (errno.EACCES, ""), (errno.EIO, "")],
)
def test_advice_fits_the_reason_why_an_epoch_was_not_saved(tmp_path, monkeypatch, number, advice):
    refuse_to_rename(monkeypatch, number)
    message = f"[Errno {number}] {os.strerror(number)}. Nothing was saved.{advice}"
    with pytest.raises(OSError, match=f"^Epoch 1 could not be saved: {re.escape(message)}$"):
        save_epochs(build_model(), tmp_path / "run.npz")
    assert list(tmp_path.iterdir()) == []


def test_missing_folder_is_reported_before_the_first_step(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"gone.run\.npz"):
        fit(build_model(), tmp_path / "gone" / "run.npz", 1, [InterruptIn(0)])


def test_checkpoint_of_another_suffix_is_refused():
    with pytest.raises(ValueError, match=r"name ends in \.npz\. Received: 'run\.keras'"):
        training.Checkpoint("run.keras")


def test_checkpoint_that_cannot_be_read_is_not_called_damaged(tmp_path, monkeypatch):
    model = build_model()
    save_epochs(model, tmp_path / "run.npz")

    def load(*args, **options):
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr("dlkit.training.checkpoint.np.load", load)
    with pytest.raises(ValueError, match=r"Too many open files\.$"):
        training.Checkpoint(tmp_path / "run.npz").restore(model)


def test_unfinished_file_of_a_killed_process_is_replaced(tmp_path):
    (tmp_path / "run.npz.part").write_bytes(b"half an epoch")
    save_epochs(build_model(), tmp_path / "run.npz")
    assert [file.name for file in tmp_path.iterdir()] == ["run.npz"]
    assert training.Checkpoint(tmp_path / "run.npz").restore(build_model()) == 1


# --- NaN that the loss does not show


def test_nan_in_a_weight_stops_training_though_the_loss_is_finite(tmp_path):
    model = keras.Sequential([keras.Input((8, 8)), keras.layers.Flatten(), keras.layers.Dense(4, name="hidden")])
    model.add(keras.layers.Dense(2))
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    spoil = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: epoch == 1 and spoil_kernel(model))
    message = r"hidden/kernel became NaN or infinite in epoch 2\. Epoch 1 is saved"
    with pytest.raises(training.DivergedError, match=message):
        fit(model, tmp_path / "run.npz", 4, [spoil])
    assert training.Checkpoint(tmp_path / "run.npz").restore(model) == 1
    assert all(np.isfinite(values).all() for values in weights_of(model))


def spoil_kernel(model):
    kernel = model.layers[1].kernel
    kernel.assign(np.full(kernel.shape, np.nan))


def test_nan_pixel_behind_relu_stops_training(tmp_path):
    """The first batch is fine; a later one has one pixel that is NaN, and ReLU hides it from the loss."""

    def make_train_ds(first_epoch, shard):
        images = IMAGES.astype("float32")
        images[-1, 0, 0] = np.nan
        return tf.data.Dataset.from_tensor_slices((images, LABELS)).batch(8).repeat()

    model = models.build_mlp((8, 8), 2, hidden=(16,))
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    with pytest.raises(training.DivergedError):
        training.fit(model, make_train_ds, steps_per_epoch=8, epochs=2, checkpoint=tmp_path / "run.npz", verbose=0)
    assert list(tmp_path.iterdir()) == []


def test_nan_in_the_validation_loss_stops_training():
    saver, model = training.Checkpoint("run.npz"), build_model()
    saver.check_epoch(model, {"loss": 1.0, "val_loss": 2.0})
    with pytest.raises(training.DivergedError, match="The validation loss became NaN or infinite in epoch 1"):
        saver.check_epoch(model, {"loss": 1.0, "val_loss": float("nan")})
