"""Training on several machines: one process on each, the same command, equal weights after every step.

TensorFlow's `MultiWorkerMirroredStrategy` does the communication. Keras 3's own `fit` fails under it
(https://github.com/keras-team/keras/issues/20585), so the training step is written here by hand. The environment
variable TF_CONFIG says which machines take part, and which of them this one is:
https://www.tensorflow.org/guide/distributed_training#setting_up_the_tf_config_environment_variable
"""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from dlkit import runtime
from dlkit.training.checkpoint import training_variables


class WorkerLostError(ConnectionError):
    """Another worker stopped answering. The last complete epoch is saved."""


def fit_distributed(
    model, make_train_ds, strategy, saver, *, steps_per_epoch, epochs, validation_data=None, callbacks=(), verbose=1
):
    """`dlkit.training.fit` on all workers and devices of a strategy.

    The results are those of one worker, up to floating-point rounding. Every batch is split among the workers, the
    gradients are those of the complete batch, and all workers hold equal weights after every step. Only batch
    normalization differs: it computes its statistics over each worker's shard. Worker 0 reads and writes the
    checkpoint; the others receive its state before the first step, so that they need no shared file system.

    Args:
        model: A `keras.Model`, built and compiled in `strategy.scope()`, with a Keras loss and integer labels.
        make_train_ds: Function (first_epoch, shard) that returns an endless `tf.data.Dataset`, as for
            `dlkit.training.fit`.
        strategy: The `tf.distribute.Strategy` that `runtime.strategy()` returned.
        saver: The `Checkpoint` of this training.
        steps_per_epoch: Integer, batches in an epoch.
        epochs: Integer, the total number of epochs, those before a stop included.
        validation_data: A `tf.data.Dataset` of (inputs, targets), or None. Every worker validates on all of it.
        callbacks: List of `keras.callbacks.Callback`. They run on worker 0; a new learning rate, new weights or a
            decision to stop reach the other workers after every epoch.
        verbose: Integer, 0 (silent), or 1 or 2 (one line for each epoch), default 1.

    Returns:
        List with a dictionary for each epoch: "loss", "accuracy", "seconds", and "val_loss" and "val_accuracy" with
        validation data. On workers other than 0 it holds only the epochs since the last start.

    Raises:
        WorkerLostError: If another worker stops answering. Start all of them again with the same commands.
        ValueError: If the checkpoint is damaged or belongs to another model, optimizer or set of callbacks.
        DivergedError: If the loss becomes NaN or infinite.
        OSError: If an epoch cannot be saved.
    """
    index, workers = runtime.worker()
    chief = index == 0
    with strategy.scope():
        model.optimizer.build(model.trainable_variables)
        done = saver.restore(model) if chief else 0
    try:
        model.stop_training = saver.stopped
        done = _broadcast_state(strategy, model, done, chief)
        callback_list = keras.callbacks.CallbackList([*callbacks, saver] if chief else [], model=model)
        batches, step = _make_batches(strategy, make_train_ds, done), _make_step(strategy, model)
        evaluate = _make_evaluation(model)
        callback_list.on_train_begin()
        for epoch in range(done, epochs):
            if model.stop_training:
                break
            callback_list.on_epoch_begin(epoch)
            sums = []
            for batch in range(steps_per_epoch):
                sums.append([float(value) for value in step(next(batches))])
                saver.check_loss(sums[-1][0], batch)
            logs = _means(sums)
            if validation_data is not None:
                logs |= {f"val_{name}": v for name, v in _means(evaluate(*batch) for batch in validation_data).items()}
            if verbose:
                _print_epoch(epoch, epochs, logs)
            callback_list.on_epoch_end(epoch, logs)
            _broadcast_state(strategy, model, epoch + 1, chief)  # a new learning rate, or the decision to stop
        callback_list.on_train_end()
        _broadcast_state(strategy, model, epochs, chief)  # the best weights, if those were restored
    except (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.InternalError, tf.errors.CancelledError) as e:
        if workers == 1:  # several devices of one machine: no worker can be lost, so it is something else
            raise
        raise WorkerLostError(
            f"Lost the connection to another worker ({e.message.splitlines()[0]}). The last complete epoch is saved in "
            f"{saver.path} of worker 0. Start all workers again with the same commands."
        ) from e
    return saver.history


def _print_epoch(epoch, epochs, logs):
    print(f"Epoch {epoch + 1}/{epochs} - " + " - ".join(f"{k}: {v:.4f}" for k, v in logs.items()), flush=True)


def _broadcast_state(strategy, model, done, chief):
    """Gives every worker the state of worker 0, and its decision to stop; returns its number of finished epochs."""
    variables = training_variables(model)
    values = [np.asarray(variable, "float64") for variable in variables]  # exact for every dtype in there
    flat = np.concatenate([[done, model.stop_training], *(value.ravel() for value in values)])

    @tf.function
    def total(numbers):
        per_replica = strategy.run(tf.identity, args=(numbers,))
        return strategy.reduce("SUM", per_replica, axis=None)

    devices = strategy.num_replicas_in_sync // runtime.worker()[1]  # of each worker; all of them add the same values
    flat = total(tf.constant(flat if chief else np.zeros_like(flat))).numpy() / devices
    ends = np.cumsum([2, *(value.size for value in values)])
    for variable, value, start in zip(variables, values, ends, strict=False):
        variable.assign(flat[start : start + value.size].reshape(value.shape).astype(variable.dtype))
    model.stop_training = bool(flat[1])
    return int(flat[0])


def _make_batches(strategy, make_train_ds, first_epoch):
    """An iterator over this worker's shards; a worker with several devices splits its shard among them."""

    def local(context):
        count = context.num_input_pipelines
        devices = context.num_replicas_in_sync // count
        dataset = make_train_ds(first_epoch, (context.input_pipeline_id, count))
        return dataset.flat_map(
            lambda x, y: tf.data.Dataset.range(devices).map(lambda device: (x[device::devices], y[device::devices]))
        )

    return iter(strategy.distribute_datasets_from_function(local))


def _make_step(strategy, model):
    """A training step on the complete batch; it returns the summed loss and the numbers of correct and all examples."""

    def on_replica(x, y):
        context = tf.distribute.get_replica_context()
        batch_size = context.all_reduce("SUM", tf.cast(tf.shape(y)[0], "float32"))
        with tf.GradientTape() as tape:
            logits = model(x, training=True)
            sums = _sums(model, y, logits)
            loss = sums[0] / batch_size
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
    """The same sums for a batch of validation data, on this worker alone."""
    return tf.function(lambda x, y: _sums(model, y, model(x, training=False)))


def _sums(model, y, logits):
    losses = tf.cast(model.loss.call(y, logits), "float32")
    correct = tf.cast(tf.argmax(logits, axis=1) == tf.cast(y, "int64"), "float32")
    return [tf.reduce_sum(losses), tf.reduce_sum(correct), tf.cast(tf.shape(y)[0], "float32")]


def _means(sums):
    loss, correct, count = np.sum([[float(value) for value in each] for each in sums], axis=0)
    return {"loss": float(loss / count), "accuracy": float(correct / count)}
