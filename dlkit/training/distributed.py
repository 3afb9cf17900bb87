"""Training on several machines: one process on each, the same command, equal weights after every step.

TensorFlow's `MultiWorkerMirroredStrategy` does the communication. Keras 3's own `fit` fails under it
(https://github.com/keras-team/keras/issues/20585), so the training step is written here by hand. The environment
variable TF_CONFIG says which machines take part, and which of them this one is:
https://www.tensorflow.org/guide/distributed_training#setting_up_the_tf_config_environment_variable
"""

import itertools

import keras
import numpy as np
import tensorflow as tf

from dlkit import runtime
from dlkit.training.checkpoint import training_variables
from dlkit.training.checks import check_first_batch, is_sparse_crossentropy


def fit_distributed(
    model, make_train_ds, strategy, saver, *, steps_per_epoch, epochs, validation_data=None, callbacks=(), verbose=1
):
    """`dlkit.training.fit` on all workers and devices of a strategy.

    The results are those of one worker, up to floating-point rounding. Every batch is split among the workers, the
    gradients are those of the complete batch, and all workers hold equal weights after every step. Only batch
    normalization differs: it computes its statistics over each worker's shard. Worker 0 reads and writes the
    checkpoint; the others receive its state before the first step, so that they need no shared file system.

    Every worker validates on all of the validation data. Callbacks run on worker 0; a new learning rate, new weights or
    a decision to stop reach the other workers after every epoch.

    Args:
        model: A `keras.Model`, built and compiled in `strategy.scope()`, with a sparse cross-entropy as its loss. All
            workers have the same model, data and settings, which `runtime.workers.agree` compares.
        saver: The `Checkpoint` of this training.
        make_train_ds, strategy, steps_per_epoch, epochs, validation_data, callbacks, verbose: As for `fit`.

    Returns:
        The history, as `fit` returns it, of loss and accuracy; on workers other than 0 it is empty.

    Raises:
        ValueError, DivergedError, OSError: As for `fit`; also if the loss is no mean of sparse cross-entropies, or
            another worker stops answering.
    """
    index, workers = runtime.worker()
    chief = index == 0
    if not is_sparse_crossentropy(model.loss) or model.loss.reduction != "sum_over_batch_size":
        raise ValueError(f"Expected a model whose loss is a mean of sparse cross-entropies. Received: {model.loss!r}.")
    try:
        with strategy.scope():
            training_variables(model)  # builds the optimizer
            done = saver.restore(model) if chief else 0
        if chief:
            saver.check_writable()
        model.stop_training = saver.stopped
        done = _broadcast_state(strategy, model, done, chief)
        callback_list = keras.callbacks.CallbackList([*callbacks, saver] if chief else [], model=model)
        batches, step = _make_batches(strategy, model, make_train_ds, done), _make_step(strategy, model)
        evaluate = tf.function(lambda x, y: _sums(model, y, model(x, training=False)))  # on this worker alone
        callback_list.on_train_begin()
        for epoch in range(done, epochs):
            if model.stop_training:
                break
            saver.on_epoch_begin(epoch)  # on every worker, for its messages
            callback_list.on_epoch_begin(epoch)
            logs = _train_epoch(step, batches, steps_per_epoch, saver)
            if validation_data is not None:
                validated = _means(evaluate(*batch) for batch in validation_data)
                logs |= {f"val_{name}": value for name, value in validated.items()}
            saver.check_epoch(model, logs)  # on every worker, so that all of them end
            if verbose:
                print(f"Epoch {epoch + 1}/{epochs}", *(f"{k}: {v:.4f}" for k, v in logs.items()), sep=" - ", flush=True)
            callback_list.on_epoch_end(epoch, logs)
            _broadcast_state(strategy, model, epoch + 1, chief)  # a new learning rate, or the decision to stop
        callback_list.on_train_end()
        _broadcast_state(strategy, model, epochs, chief)  # the best weights, if those were restored
    except (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.InternalError, tf.errors.CancelledError) as e:
        if workers == 1:  # several devices of one machine: no worker can be lost, so it is something else
            raise
        raise ConnectionError(
            f"Lost the connection to another worker ({e.message.splitlines()[0]}). The last complete epoch is saved in "
            f"{saver.path} of worker 0. Start all workers again with the same commands."
        ) from e
    return saver.history


def _train_epoch(step, batches, steps_per_epoch, saver):
    """One epoch of training; returns the means of loss and accuracy."""
    sums = []
    for batch in itertools.islice(batches, steps_per_epoch):
        sums.append(step(batch))
        saver.check_loss(float(sums[-1][0]), len(sums) - 1)
    saver.check_batches(len(sums), steps_per_epoch)
    return _means(sums)


def _broadcast_state(strategy, model, done, chief):
    """Gives every worker the state of worker 0, and its decision to stop; returns its number of finished epochs."""

    @tf.function
    def total(numbers):
        return strategy.reduce("SUM", strategy.run(tf.identity, args=(numbers,)), axis=None)

    variables = training_variables(model)
    values = [np.asarray(variable, "float64") for variable in variables]  # exact for every dtype in there
    flat = np.concatenate([[done, model.stop_training], *(value.ravel() for value in values)])
    devices = strategy.num_replicas_in_sync // runtime.worker()[1]  # of each worker; all of them add the same values
    flat = total(tf.constant(flat if chief else np.zeros_like(flat))).numpy() / devices
    ends = np.cumsum([2, *(value.size for value in values)])
    for variable, value, start in zip(variables, values, ends, strict=False):
        variable.assign(flat[start : start + value.size].reshape(value.shape).astype(variable.dtype))
    model.stop_training = bool(flat[1])
    return int(flat[0])


def _make_batches(strategy, model, make_train_ds, first_epoch):
    """An iterator over this worker's shards; a worker with several devices splits its shard among them."""

    def local(context):
        count = context.num_input_pipelines
        devices = context.num_replicas_in_sync // count
        dataset = make_train_ds(first_epoch, (context.input_pipeline_id, count))
        check_first_batch(model, dataset, "the training set")
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
            loss = model.optimizer.scale_loss(loss)  # for 16-bit floats; applying the gradients divides by it again
        variables = model.trainable_variables
        model.optimizer.apply(tape.gradient(loss, variables), variables)  # which adds up the workers' gradients
        return sums

    @tf.function
    def step(batch):
        return [strategy.reduce("SUM", value, axis=None) for value in strategy.run(on_replica, args=batch)]

    return step


def _sums(model, y, logits):
    y = tf.reshape(y, (-1,))
    losses = tf.cast(model.loss.call(y, logits), "float32")
    correct = tf.cast(tf.argmax(logits, axis=1) == tf.cast(y, "int64"), "float32")
    return [tf.reduce_sum(losses), tf.reduce_sum(correct), tf.cast(tf.shape(y)[0], "float32")]


def _means(sums):
    loss, correct, count = np.sum([[float(value) for value in each] for each in sums], axis=0)
    return {"loss": float(loss / count), "accuracy": float(correct / count)}
