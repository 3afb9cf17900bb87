"""A callback that saves everything a training needs in order to resume with the same result."""

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


class DivergedError(ValueError):
    """The loss or a weight became NaN or infinite. The last complete epoch before that is saved, if there was one."""


class Checkpoint(keras.callbacks.Callback):
    """Callback that saves the complete training state after every epoch, in one file that is always valid.

    The state is every number that training carries along: weights, the optimizer's moments and step count, the seed
    generators of dropout, and what `EarlyStopping` and `ReduceLROnPlateau` remember. The last two are what
    `keras.callbacks.BackupAndRestore` lacks, so a training that it resumes ends with other weights.

    The file is written under another name and then renamed, so that a kill or a full disk at any moment leaves the last
    complete epoch. An epoch in which the loss or a weight becomes NaN or infinite raises a `DivergedError` instead.

    Args:
        path: String or path, the file; it ends in `.npz`. Its folder must exist.
        callbacks: List of the other callbacks of this training, default none. Pass this one to `fit` after them.

    Attributes:
        history: List with a dictionary for each epoch: the metrics by Keras's names, and "seconds".
        stopped: Boolean, whether a callback had ended the training when the file was saved.

    Raises:
        ValueError: If the path does not end in `.npz`.
    """

    def __init__(self, path, callbacks=()):
        super().__init__()
        self.stateful_callbacks = [callback for callback in callbacks if isinstance(callback, STATEFUL_CALLBACKS)]
        self.path, self.history, self.stopped = Path(path), [], False
        self._start, self._saved_callbacks, self._epoch, self._batches = 0.0, (), 0, 0
        self._part = self.path.with_name(f"{self.path.name}.part")
        if self.path.suffix != ".npz":
            raise ValueError(f"Expected a checkpoint whose name ends in .npz. Received: {str(path)!r}.")

    def restore(self, model):
        """Loads the saved state into a compiled model and returns the number of its epochs; 0 when nothing was saved.

        Raises:
            ValueError: If the file is damaged or belongs to another model, optimizer or set of callbacks.
        """
        variables = training_variables(model)
        if not self.path.exists():
            return 0
        try:
            with np.load(self.path, allow_pickle=False) as saved:
                about = json.loads(str(saved["about"]))
                values = [saved[f"variable_{k}"] for k in range(about["variables"])]
                best = [[saved[f"best_{c}_{k}"] for k in range(n)] for c, n in enumerate(about["best"])]
        except Exception as error:  # NumPy, zipfile and json raise many kinds for a damaged file
            fix = "" if isinstance(error, (OSError, MemoryError)) else " Delete it to start from scratch."
            raise ValueError(f"{self.path} cannot be read as a checkpoint: {error}.{fix}") from error
        shapes = [tuple(variable.shape) for variable in variables]
        if [value.shape for value in values] != shapes or len(best) != len(self.stateful_callbacks):
            raise ValueError(
                f"{self.path} belongs to another model, optimizer or set of callbacks. Choose another run folder, or "
                "delete the file."
            )
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
        self.history, self.stopped = about["history"], about["stopped"]
        self._saved_callbacks = list(zip(about["callbacks"], best, strict=True))
        return len(self.history)

    def on_train_begin(self, logs=None):
        """Gives the stateful callbacks their saved state, which their own `on_train_begin` has just reset."""
        for callback, (attributes, best_weights) in zip(self.stateful_callbacks, self._saved_callbacks, strict=False):
            vars(callback).update(attributes)
            if best_weights:
                callback.best_weights = best_weights

    def check_writable(self):
        """Raises an `OSError` if the folder cannot be written to, before the first step instead of after an epoch."""
        self._part.touch()
        self._part.unlink()

    def on_epoch_begin(self, epoch, logs=None):
        self._start, self._epoch, self._batches = time.perf_counter(), epoch, 0

    def on_train_batch_end(self, batch, logs=None):
        self._batches = batch + 1
        self.check_loss(logs["loss"], batch)

    def check_loss(self, loss, batch):
        """Raises a `DivergedError` if the loss of a batch, counted from 0, is NaN or infinite."""
        if not math.isfinite(loss):
            raise self._diverged(f"The loss became {loss} in epoch {self._epoch + 1}, batch {batch + 1}")

    def check_epoch(self, model, logs):
        """Raises a `DivergedError` if a weight or the validation loss is NaN or infinite after an epoch.

        The loss of the batches does not always show it: on a processor, ReLU turns NaN into 0.
        """
        broken = [v.path for v in training_variables(model) if not keras.ops.all(keras.ops.isfinite(v))]
        if not math.isfinite(logs.get("val_loss", 0)):
            broken.append("The validation loss")
        if broken:
            raise self._diverged(f"{broken[0]} became NaN or infinite in epoch {self._epoch + 1}")

    def _diverged(self, what):
        return DivergedError(
            f"{what}. {self._saved()}. Try a lower learning rate or `clipnorm`, and look at the inputs: a single NaN "
            "is enough. Then choose another run folder."
        )

    def _saved(self):
        return f"Epoch {self._epoch} is saved in {self.path}" if self._epoch else "Nothing was saved"

    def check_batches(self, batches, steps):
        """Raises a `ValueError` if an epoch had fewer batches than steps, because the dataset ended."""
        if batches < steps:
            raise ValueError(
                f"Expected {steps} batches in epoch {self._epoch + 1}. Received: {batches}, then the dataset ended. "
                f"{self._saved()}. Let make_train_ds return an endless dataset, such as "
                "`data.pipeline(..., training=True, first_epoch=first_epoch)`."
            )

    def on_epoch_end(self, epoch, logs=None):
        self.check_batches(self._batches, (self.params or {}).get("steps") or 0)
        self.check_epoch(self.model, logs)
        self.history.append({**{k: float(v) for k, v in logs.items()}, "seconds": time.perf_counter() - self._start})
        values = {f"variable_{k}": np.asarray(v) for k, v in enumerate(training_variables(self.model))}
        best = [getattr(callback, "best_weights", None) or [] for callback in self.stateful_callbacks]
        about = {
            "history": self.history,
            "stopped": bool(self.model.stop_training),
            "variables": len(values),
            "best": [len(weights) for weights in best],
            "callbacks": [
                {name: value for name, value in vars(callback).items() if name in CALLBACK_STATE}
                for callback in self.stateful_callbacks
            ],
        }
        values |= {f"best_{c}_{k}": value for c, weights in enumerate(best) for k, value in enumerate(weights)}
        self._write({"about": json.dumps(about, default=float), **values})

    def _write(self, values):
        try:
            with open(self._part, "wb") as file:
                np.savez(file, **values)
                file.flush()
                os.fsync(file.fileno())
            os.replace(self._part, self.path)
        except OSError as error:
            advice = " Free some space and start again." if error.errno in (errno.ENOSPC, errno.EDQUOT) else ""
            message = f"Epoch {self._epoch + 1} could not be saved: {error}. {self._saved()}.{advice}"
            raise OSError(message) from error
        finally:
            self._part.unlink(missing_ok=True)


def training_variables(model):
    """All variables of a compiled model: its own, those of its seed generators and of its optimizer, which is built."""
    if getattr(model, "optimizer", None) is None:
        raise ValueError(f"Expected a compiled model. Received: {model!r}. Call `model.compile` first.")
    model.optimizer.build(model.trainable_variables)
    return model.variables + model.optimizer.variables
