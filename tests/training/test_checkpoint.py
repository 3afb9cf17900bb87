"""Checkpoints: what they refuse, and what is saved when the loss becomes NaN or the disk is full."""

import errno
import re

import numpy as np
import pytest
import tensorflow as tf

from dlkit import data, models, training
from tests.arrays import assert_same_arrays
from tests.training.helpers import IMAGES, LABELS, build_model, fit, weights_of


def test_checkpoint_of_another_model_or_damaged_is_refused(tmp_path):
    fit(build_model(), tmp_path / "run.npz", 1)
    other = models.build_mlp((8, 8), 2)
    other.compile(optimizer="adam", loss=training.SmoothedCrossentropy())
    with pytest.raises(ValueError, match=r"run\.npz belongs to another model"):
        fit(other, tmp_path / "run.npz", 1)
    (tmp_path / "run.npz").write_bytes(b"half a file")
    with pytest.raises(ValueError, match=r"run\.npz cannot be read as a checkpoint.*Delete it to start from scratch"):
        fit(build_model(), tmp_path / "run.npz", 1)


def test_nan_loss_stops_training_and_leaves_last_epoch_saved(tmp_path):
    def make_train_ds(first_epoch, shard):
        """Weights every example of one batch in the second epoch with NaN."""
        ds = data.pipeline(
            IMAGES.astype("float32"), LABELS, batch_size=8, training=True, seed=5, first_epoch=first_epoch
        )
        return ds.enumerate().map(lambda k, batch: (*batch, tf.fill([8], tf.where(k == 11, np.nan, 1.0))))

    model, checkpoint = build_model(), tmp_path / "checkpoint.npz"
    with pytest.raises(
        training.DivergedError, match=r"became nan in epoch 2, batch 4\. The state after epoch 1 is saved"
    ):
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


@pytest.mark.parametrize(("room", "saved"), [(0, "Nothing was"), (1, "Epoch 1 is"), (3, "Epoch 3 is")])
def test_full_disk_reports_last_saved_epoch(tmp_path, fill_disk_after, room, saved):
    fill_disk_after(room)
    path = tmp_path / "run.npz"
    message = re.escape(f"No space left on device. {saved} saved in {path}. Free some space;")
    with pytest.raises(OSError, match=rf"Epoch {room + 1} could not be saved: \[Errno {errno.ENOSPC}\] {message}"):
        fit(build_model(), path, 4)
    assert [file.name for file in tmp_path.iterdir()] == (["run.npz"] if room else [])
    assert training.Checkpoint(path).restore(build_model()) == room


def test_missing_folder_is_reported_with_its_own_fix(tmp_path):
    with pytest.raises(OSError, match="Epoch 1 could not be saved: .*Create the folder or make it writable"):
        fit(build_model(), tmp_path / "gone" / "run.npz", 1)
