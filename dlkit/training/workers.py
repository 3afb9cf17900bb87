"""Training on several machines: one process on each, the same command, equal weights after every step.

TensorFlow's `MultiWorkerMirroredStrategy` does the talking. Keras 3's own `fit` fails under it
(https://github.com/keras-team/keras/issues/20585), so the training step is written here by hand. Which machines take
part, and which of them this one is, stands in the environment variable TF_CONFIG:
https://www.tensorflow.org/guide/distributed_training#setting_up_the_tf_config_environment_variable
"""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from dlkit import runtime
from dlkit.training.checkpoint import Checkpoint, state


class WorkerLostError(ConnectionError):
    """Another worker stopped answering; the last whole epoch is kept."""


def fit(
    model,
    make_train_ds,
    strategy,
    *,
    steps_per_epoch,
    epochs,
    checkpoint,
    validation_data=None,
    callbacks=(),
    verbose=1,
):
    """`dlkit.training.fit` on all machines and devices of a strategy, with the same results as on one, to rounding.

    Worker 0 reads and writes the checkpoint; the others get its state before the first step, so they need no common
    disk. Every batch is shared out among the workers, the gradients are those of the whole batch, and all workers hold
    equal weights after every step. Only batch normalisation differs: it takes its statistics over each worker's part.

    Args:
        model: a `keras.Model`, built and compiled in `strategy.scope()`, with a Keras loss and integer labels.
        make_train_ds: function (first_epoch, part) to an endless dataset of this worker's parts of the batches, such as
            `lambda first_epoch, part=(0, 1): data.pipeline(..., first_epoch=first_epoch, part=part)`.
        strategy: what `runtime.strategy()` found.
        steps_per_epoch, epochs, checkpoint: as for `dlkit.training.fit`.
        callbacks: the same, run on worker 0; what they decide reaches the others after every epoch.
        validation_data: a dataset, the same on every worker.
        verbose: 0 silent, else a line an epoch.

    Returns:
        A list with a dictionary for each epoch: "loss", "accuracy", "seconds", and "val_loss", "val_accuracy" if there
        is validation; on workers other than 0 only of the epochs since the last start.

    Raises:
        WorkerLostError: when another worker is gone. Start all of them again with the same commands.
        DivergedError, OSError: as `dlkit.training.fit`.
    """
    index, workers = runtime.worker()
    chief = index == 0
    saver = Checkpoint(checkpoint, callbacks)
    with strategy.scope():
        model.optimizer.build(model.trainable_variables)
        done = saver.restore(model) if chief else 0
    try:
        model.stop_training = saver.stopped
        done = _share_state(strategy, model, done, chief)
        watchers = keras.callbacks.CallbackList([*callbacks, saver] if chief else [], model=model)
        batches, step = _batches(strategy, make_train_ds, done), _make_step(strategy, model)
        evaluate = _make_evaluation(model)
        watchers.on_train_begin()
        for epoch in range(done, epochs):
            if model.stop_training:
                break
            watchers.on_epoch_begin(epoch)
            sums = []
            for number in range(steps_per_epoch):
                sums.append([float(value) for value in step(next(batches))])
                saver.check(sums[-1][0], number)
            logs = _means(sums)
            if validation_data is not None:
                logs |= {f"val_{name}": v for name, v in _means(evaluate(*batch) for batch in validation_data).items()}
            if verbose:
                print(
                    f"Epoch {epoch + 1}/{epochs} - " + " - ".join(f"{k}: {v:.4f}" for k, v in logs.items()), flush=True
                )
            watchers.on_epoch_end(epoch, logs)
            _share_state(strategy, model, epoch + 1, chief)  # a new learning rate, or that it is time to stop
        watchers.on_train_end()
        _share_state(strategy, model, epochs, chief)  # the best weights, if those were restored
    except (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.InternalError, tf.errors.CancelledError) as e:
        if workers == 1:  # several devices of one machine: nobody can be gone, so it is something else
            raise
        raise WorkerLostError(
            f"Another worker is gone ({e.message.splitlines()[0]}). The last whole epoch is kept in {checkpoint} "
            "of worker 0: start all workers again with the same commands."
        ) from e
    return saver.history


def _share_state(strategy, model, done, chief):
    """Gives every worker the state of worker 0, and whether to stop; returns its number of epochs done."""
    variables = state(model)
    values = [np.asarray(variable, "float64") for variable in variables]  # exact for all kinds of numbers in there
    flat = np.concatenate([[done, model.stop_training], *(value.ravel() for value in values)])

    @tf.function
    def total(numbers):
        per_replica = strategy.run(tf.identity, args=(numbers,))
        return strategy.reduce("SUM", per_replica, axis=None)

    devices = strategy.num_replicas_in_sync // runtime.worker()[1]  # of each worker; all add the same
    flat = total(tf.constant(flat if chief else np.zeros_like(flat))).numpy() / devices
    ends = np.cumsum([2, *(value.size for value in values)])
    for variable, value, start in zip(variables, values, ends, strict=False):
        variable.assign(flat[start : start + value.size].reshape(value.shape).astype(variable.dtype))
    model.stop_training = bool(flat[1])
    return int(flat[0])


def _batches(strategy, make_train_ds, first_epoch):
    """An iterator over this worker's parts; with several devices a worker splits its part among them."""

    def local(context):
        count = context.num_input_pipelines
        devices = context.num_replicas_in_sync // count
        dataset = make_train_ds(first_epoch, (context.input_pipeline_id, count))
        return dataset.flat_map(
            lambda x, y: tf.data.Dataset.range(devices).map(lambda device: (x[device::devices], y[device::devices]))
        )

    return iter(strategy.distribute_datasets_from_function(local))


def _make_step(strategy, model):
    """One training step on the whole batch: returns the sums of loss and right answers, and the number of images."""

    def on_replica(x, y):
        context = tf.distribute.get_replica_context()
        whole = context.all_reduce("SUM", tf.cast(tf.shape(y)[0], "float32"))
        with tf.GradientTape() as tape:
            logits = model(x, training=True)
            sums = _sums(model, y, logits)
            loss = sums[0] / whole
            if model.losses:
                loss += tf.add_n(model.losses) / context.num_replicas_in_sync
        variables = model.trainable_variables
        model.optimizer.apply(tape.gradient(loss, variables), variables)  # which adds up the workers' gradients
        return sums

    @tf.function
    def step(batch):
        return [strategy.reduce("SUM", value, axis=None) for value in strategy.run(on_replica, args=batch)]

    return step


def _make_evaluation(model):
    """The same sums for a batch of validation, on this machine alone."""
    return tf.function(lambda x, y: _sums(model, y, model(x, training=False)))


def _sums(model, y, logits):
    losses = tf.cast(model.loss.call(y, logits), "float32")
    right = tf.cast(tf.argmax(logits, axis=1) == tf.cast(y, "int64"), "float32")
    return [tf.reduce_sum(losses), tf.reduce_sum(right), tf.cast(tf.shape(y)[0], "float32")]


def _means(sums):
    loss, right, count = np.sum([[float(value) for value in each] for each in sums], axis=0)
    return {"loss": float(loss / count), "accuracy": float(right / count)}
