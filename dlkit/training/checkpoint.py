"""A callback that saves everything a training needs in order to resume with the same result."""

from __future__ import annotations

import contextlib
import errno
import json
import math
import os
import time
from pathlib import Path

import keras
import numpy as np

STATEFUL_CALLBACKS = (keras.callbacks.EarlyStopping, keras.callbacks.ReduceLROnPlateau)
CALLBACK_STATE = ("wait", "best", "best_epoch", "stopped_epoch", "cooldown_counter")  # attributes of those two
_FOLDER_PROBLEMS = (errno.ENOENT, errno.EACCES, errno.EPERM, errno.EROFS)


class DivergedError(ValueError):
    """The loss became NaN or infinite. The last complete epoch before that is saved, if there was one."""


class Checkpoint(keras.callbacks.Callback):
    """Callback that saves the complete training state after every epoch, in one file that is always valid.

    The state holds every number that training carries along: weights, the optimizer's moments and step count, the seed
    generators of dropout, and what `EarlyStopping` and `ReduceLROnPlateau` remember. `keras.callbacks.BackupAndRestore`
    restores neither the seed generators nor those callbacks, so a training that it resumes ends with other weights than
    one that was never stopped.

    The file is written under another name and then renamed, so that a kill or a full disk at any moment leaves the last
    complete epoch. When the loss becomes NaN or infinite, training ends with a `DivergedError`, and that epoch is not
    saved.

    Args:
        path: String or path, the file; it ends in `.npz`. Its folder must exist.
        callbacks: List of the other callbacks of this training, default none. The state of `EarlyStopping` and
            `ReduceLROnPlateau` is saved too. Pass this callback to `fit` after them.

    Attributes:
        history: List with a dictionary for each epoch: the metrics by Keras's names, and "seconds".
        stopped: Boolean, whether a callback had ended the training when the file was saved.
    """

    def __init__(self, path, callbacks=()):
        super().__init__()
        self.stateful_callbacks = [callback for callback in callbacks if isinstance(callback, STATEFUL_CALLBACKS)]
        self.path, self.history, self.stopped = Path(path), [], False
        self._start, self._saved_callbacks = 0.0, ()

    def restore(self, model):
        """Loads the saved state into a compiled model, if there is any.

        Args:
            model: The compiled `keras.Model` of this training.

        Returns:
            Integer, the number of epochs that are done; 0 when nothing was saved.

        Raises:
            ValueError: If the file is damaged or belongs to another model, optimizer or set of callbacks.
        """
        if not self.path.exists():
            return 0
        model.optimizer.build(model.trainable_variables)
        variables = training_variables(model)
        try:
            with np.load(self.path, allow_pickle=False) as saved:
                about = json.loads(str(saved["about"]))
                values = [saved[f"variable_{k}"] for k in range(about["variables"])]
                best = [[saved[f"best_{c}_{k}"] for k in range(n)] or None for c, n in enumerate(about["best"])]
            history, callbacks = ([dict(entry) for entry in about[key]] for key in ("history", "callbacks"))
            stopped = bool(about["stopped"])
        except Exception as error:  # NumPy, zipfile and json raise many kinds for a damaged file
            fix = "Make it readable" if isinstance(error, PermissionError) else "Delete it to start from scratch"
            raise ValueError(f"{self.path} cannot be read as a checkpoint: {error}. {fix}.") from error
        shapes = [tuple(variable.shape) for variable in variables]
        if [value.shape for value in values] != shapes or len(best) != len(self.stateful_callbacks):
            raise ValueError(
                f"{self.path} belongs to another model, optimizer or set of callbacks. Choose another run folder, or "
                "delete the file."
            )
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
        self.history, self.stopped = history, stopped
        self._saved_callbacks = list(zip(callbacks, best, strict=True))
        return len(self.history)

    def restore_callbacks(self):
        """Gives the stateful callbacks the state that they had when the file was saved."""
        for callback, (attributes, best_weights) in zip(self.stateful_callbacks, self._saved_callbacks, strict=False):
            for name, value in attributes.items():
                setattr(callback, name, value)
            if best_weights:
                callback.best_weights = best_weights

    def on_train_begin(self, logs=None):
        self.restore_callbacks()  # their own on_train_begin has just reset them

    def on_epoch_begin(self, epoch, logs=None):
        self._start = time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        self.check_loss(logs["loss"], batch)

    def check_loss(self, loss, batch):
        """Stops a training whose loss is NaN or infinite.

        Args:
            loss: Float, the loss of a batch.
            batch: Integer, the number of the batch in its epoch, from 0.

        Raises:
            DivergedError: If the loss is NaN or infinite. The message says in which epoch and batch that happened.
        """
        if not math.isfinite(loss):
            done = len(self.history)
            saved = f"The state after epoch {done} is saved in {self.path}" if done else "Nothing was saved"
            raise DivergedError(
                f"The loss became {loss} in epoch {done + 1}, batch {batch + 1}. {saved}. Try a lower learning rate or "
                "`clipnorm`, and look at the inputs: a single NaN is enough. Then choose another run folder."
            )

    def on_epoch_end(self, epoch, logs=None):
        self.history.append({**{k: float(v) for k, v in logs.items()}, "seconds": time.perf_counter() - self._start})
        values = {f"variable_{k}": np.asarray(v) for k, v in enumerate(training_variables(self.model))}
        best = [getattr(callback, "best_weights", None) or [] for callback in self.stateful_callbacks]
        about = {
            "history": self.history,
            "stopped": bool(self.model.stop_training),
            "variables": len(values),
            "best": [len(weights) for weights in best],
            "callbacks": [_attributes(callback) for callback in self.stateful_callbacks],
        }
        values |= {f"best_{c}_{k}": value for c, weights in enumerate(best) for k, value in enumerate(weights)}
        self._write({"about": json.dumps(about), **values})

    def _write(self, values):
        part = self.path.with_suffix(".part")
        try:
            with open(part, "wb") as file:
                np.savez(file, **values)
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, self.path)
        except OSError as error:
            with contextlib.suppress(OSError):
                part.unlink()
            done = len(self.history)
            saved = f"Epoch {done - 1} is" if done > 1 else "Nothing was"
            fix = "Create the folder or make it writable" if error.errno in _FOLDER_PROBLEMS else "Free some space"
            raise OSError(
                f"Epoch {done} could not be saved: {error}. {saved} saved in {self.path}. {fix}; the same "
                "command then resumes from there."
            ) from error


def _attributes(callback):
    values = {name: getattr(callback, name) for name in CALLBACK_STATE if hasattr(callback, name)}
    return {name: None if value is None else float(value) for name, value in values.items()}


def training_variables(model):
    """All variables of a training: those of the model, of its seed generators and of its optimizer.

    Args:
        model: A compiled `keras.Model`, built optimizer included.

    Returns:
        List of `keras.Variable`.
    """
    return model.variables + model.optimizer.variables
