"""Training that can be stopped at any moment and goes on where it was, or starts anew."""

from __future__ import annotations

import contextlib
import json
import math
import os
import time
from pathlib import Path

import keras
import numpy as np

_WATCHED = ("wait", "best", "best_epoch", "stopped_epoch", "cooldown_counter")  # of EarlyStopping, ReduceLROnPlateau


class DivergedError(ValueError):
    """The loss became infinite or no number; the last whole epoch before that is kept."""


class Checkpoint(keras.callbacks.Callback):
    """Saves the whole state of training after every epoch, in one file that is always whole.

    The state is every number that training carries along: weights, the optimizer's moments and step count, the
    generators behind dropout, and what `EarlyStopping` and `ReduceLROnPlateau` remember. It is written beside and
    renamed, so a kill at any moment leaves the last whole epoch, and so does a full disk. When the loss becomes
    infinite or no number, training ends with a `DivergedError`, and that epoch is not saved.

    Args:
        path: the file, ending in `.npz`.
        watchers: the other callbacks of this training; those two kinds among them are saved. Hand this one to `fit`
            after them.
    """

    def __init__(self, path, watchers=()):
        super().__init__()
        kinds = (keras.callbacks.EarlyStopping, keras.callbacks.ReduceLROnPlateau)
        self.watchers = [watcher for watcher in watchers if isinstance(watcher, kinds)]
        self.path, self.history, self.stopped, self._start, self._remembered = Path(path), [], False, 0.0, None

    def restore(self, model):
        """Loads the saved state into a compiled model, if there is any.

        Returns:
            Number of epochs already done; 0 when nothing was saved.

        Raises:
            ValueError: when the file belongs to another model or optimizer, or is damaged.
        """
        if not self.path.exists():
            return 0
        model.optimizer.build(model.trainable_variables)
        variables = state(model)
        try:
            with np.load(self.path, allow_pickle=False) as saved:
                about = json.loads(str(saved["about"]))
                values = [saved[f"variable_{k}"] for k in range(about["variables"])]
                best = [[saved[f"best_{w}_{k}"] for k in range(n)] or None for w, n in enumerate(about["best"])]
            history, watchers = ([dict(entry) for entry in about[key]] for key in ("history", "watchers"))
            stopped = bool(about["stopped"])
        except Exception as error:
            raise ValueError(f"{self.path} is no readable checkpoint: {error}. Delete it to start anew.") from error
        shapes = [tuple(variable.shape) for variable in variables]
        if [value.shape for value in values] != shapes or len(best) != len(self.watchers):
            raise ValueError(f"{self.path} belongs to another model. Choose another run folder, or delete it.")
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
        self.history, self.stopped, self._remembered = history, stopped, (watchers, best)
        return len(self.history)

    def recall(self):
        """Gives the watchers back what they remembered when the file was saved."""
        for watcher, memory, best in zip(self.watchers, *(self._remembered or ((), ())), strict=False):
            vars(watcher).update(memory)
            if best:
                watcher.best_weights = best

    def on_train_begin(self, logs=None):
        self.recall()  # the watchers have just forgotten all in their own on_train_begin

    def on_epoch_begin(self, epoch, logs=None):
        self._start = time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        self.check(logs["loss"], batch)

    def check(self, loss, batch):
        """Raises a `DivergedError` for a loss that is no finite number, saying where it began."""
        if not math.isfinite(loss):
            done = len(self.history)
            kept = f"The state after epoch {done} is kept in {self.path}" if done else "Nothing was saved"
            raise DivergedError(
                f"The loss became {loss} in epoch {done + 1}, batch {batch + 1}. {kept}. Try a lower learning rate or "
                "`clipnorm`, and look at the inputs: one that is no number is enough. Then choose another run folder."
            )

    def on_epoch_end(self, epoch, logs=None):
        self.history.append({**{k: float(v) for k, v in logs.items()}, "seconds": time.perf_counter() - self._start})
        values = {f"variable_{k}": np.asarray(variable) for k, variable in enumerate(state(self.model))}
        best = [getattr(watcher, "best_weights", None) or [] for watcher in self.watchers]
        about = {
            "history": self.history,
            "stopped": bool(self.model.stop_training),
            "variables": len(values),
            "best": [len(values) for values in best],
            "watchers": [_memory(watcher) for watcher in self.watchers],
        }
        values |= {f"best_{w}_{k}": value for w, values in enumerate(best) for k, value in enumerate(values)}
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
            kept = f"Epoch {done - 1} is" if done > 1 else "Nothing was"
            raise OSError(
                f"Epoch {done} could not be saved: {error}. {kept} kept in {self.path}. Make room; the same command "
                "then goes on from there."
            ) from error


def _memory(watcher):
    values = {name: getattr(watcher, name) for name in _WATCHED if hasattr(watcher, name)}
    return {name: None if value is None else float(value) for name, value in values.items()}


def state(model):
    """Every variable that training carries along: of the model and of its optimizer."""
    return model.variables + model.optimizer.variables


def fit(
    model,
    make_train_ds,
    *,
    steps_per_epoch,
    epochs,
    checkpoint,
    validation_data=None,
    callbacks=(),
    verbose=1,
    strategy=None,
):
    """`model.fit` that goes on from its checkpoint, to the same weights as if it had never stopped.

    Args:
        model: a compiled `keras.Model`.
        make_train_ds: function from the number of the first epoch (0 at the start, more after a stop) to an endless
            dataset that begins with it, such as `lambda first_epoch: data.pipeline(..., first_epoch=first_epoch)`; with
            a strategy it is also given the worker's part.
        steps_per_epoch: batches in an epoch.
        epochs: epochs in all, those before the stop included.
        checkpoint: path of the checkpoint file, ending in `.npz`.
        validation_data, callbacks: as for `model.fit`. What `EarlyStopping` and `ReduceLROnPlateau` remember survives
            a stop too.
        verbose: as for `model.fit`: 0 silent, 1 progress bar, 2 a line an epoch.
        strategy: what `runtime.strategy()` found, when the model was built and compiled in its scope: the training then
            goes through `dlkit.training.workers`.

    Returns:
        A list with a dictionary for each epoch: the metrics by Keras's names, and "seconds" of training and validation.

    Raises:
        DivergedError: when the loss becomes infinite or no number.
        OSError: when an epoch cannot be saved. In both cases the last saved epoch is kept.
    """
    if strategy is not None:
        from dlkit.training import workers

        options = {"validation_data": validation_data, "callbacks": callbacks, "verbose": verbose}
        options |= {"steps_per_epoch": steps_per_epoch, "epochs": epochs, "checkpoint": checkpoint}
        return workers.fit(model, make_train_ds, strategy, **options)
    saver = Checkpoint(checkpoint, callbacks)
    done = saver.restore(model)
    if done < epochs and not saver.stopped:
        model.fit(
            make_train_ds(done),
            steps_per_epoch=steps_per_epoch,
            epochs=epochs,
            initial_epoch=done,
            validation_data=validation_data,
            callbacks=[*callbacks, saver],
            verbose=verbose,
            shuffle=False,  # the dataset shuffles itself
        )
    else:
        saver.recall()
        for watcher in saver.watchers:  # what they do at the end of a training that was not stopped here
            watcher.set_model(model)
            watcher.on_train_end()
    return saver.history


def restart(model, seed):
    """Gives a compiled model new starting weights and a fresh optimizer, without compiling it again.

    For comparisons over several seeds: compiling and tracing costs seconds, this does not.

    Args:
        model: a compiled Sequential or functional `keras.Model`. Its learning rate stays as it is now.
        seed: seed of everything random from here on; the same seed gives the same starting weights.
    """
    keras.utils.set_random_seed(seed)
    fresh = type(model).from_config(model.get_config())
    optimizer = type(model.optimizer).from_config(model.optimizer.get_config())
    optimizer.build(fresh.trainable_variables)
    model.optimizer.build(model.trainable_variables)
    for mine, new in zip(state(model), fresh.variables + optimizer.variables, strict=True):
        mine.assign(new)
