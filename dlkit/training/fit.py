"""`fit` that resumes after a stop, and a model's restart with new weights."""

import keras

from dlkit.training.checkpoint import Checkpoint, training_variables
from dlkit.training.checks import check_first_batch
from dlkit.validation import check_integer, check_seed


def fit(
    model,
    make_train_ds,
    *,
    steps_per_epoch,
    epochs,
    checkpoint,
    validation_data=None,
    callbacks=(),
    class_weight=None,
    verbose=1,
    strategy=None,
):
    """`model.fit` that resumes from its checkpoint and ends with the same weights as if it had never been stopped.

    Args:
        model: A compiled `keras.Model`.
        make_train_ds: Function (first_epoch, shard) that returns an endless `tf.data.Dataset`. It begins with that
            epoch (0 at the start, more after a stop) and holds this worker's shard (index, count) of each batch, such
            as `lambda first_epoch, shard: data.pipeline(..., first_epoch=first_epoch, shard=shard)`.
        steps_per_epoch: Integer of 1 or more, batches in an epoch.
        epochs: Integer of 1 or more, the total number of epochs, those before the stop included.
        checkpoint: String or path of the checkpoint file; it ends in `.npz`. Its folder must exist.
        validation_data: A `tf.data.Dataset` of (inputs, targets), or None (the default).
        callbacks: List of `keras.callbacks.Callback`, default none. The state of `EarlyStopping` and of
            `ReduceLROnPlateau` survives a stop too.
        class_weight: Dictionary {label: factor of the loss}, or None (the default), as for `keras.Model.fit`. It needs
            `strategy=None`.
        verbose: Integer, 0 (silent), 1 (progress bar) or 2 (one line for each epoch), default 1.
        strategy: The `tf.distribute.Strategy` of `runtime.strategy()` in whose scope the model was built and compiled,
            or None (the default). The training runs on all its workers and devices.

    Returns:
        List with a dictionary for each epoch: the metrics by Keras's names, and "seconds" of training and validation.

    Raises:
        ValueError: If an argument is out of range, the first batch does not fit the model or holds NaN, the dataset
            ends early, or the checkpoint is damaged or belongs to another model, optimizer or set of callbacks.
        DivergedError: If the loss or a weight becomes NaN or infinite. The last complete epoch stays saved.
        OSError: If the folder of the checkpoint cannot be written to, or an epoch cannot be saved.
        ConnectionError: If another worker of the strategy stops answering.
    """
    saver = Checkpoint(checkpoint, callbacks)
    options = {
        "steps_per_epoch": check_integer("steps_per_epoch", steps_per_epoch),
        "epochs": check_integer("epochs", epochs),
        "verbose": check_integer("verbose", verbose, at_least=0, at_most=2),
        "validation_data": validation_data,
    }
    if validation_data is not None:
        check_first_batch(model, validation_data, "validation_data")
    if strategy is not None:
        if class_weight:
            raise ValueError(
                f"Expected class_weight only without a strategy. Received: {class_weight} with {strategy}."
            )
        from dlkit.training import distributed  # here: it needs TensorFlow, the rest runs on every backend of Keras

        return distributed.fit_distributed(model, make_train_ds, strategy, saver, callbacks=callbacks, **options)
    done = saver.restore(model)
    if done < epochs and not saver.stopped:
        saver.check_writable()
        train_ds = make_train_ds(done, (0, 1))
        check_first_batch(model, train_ds, "the training set")
        callbacks = [*callbacks, saver]
        options |= {"class_weight": class_weight, "callbacks": callbacks, "shuffle": False}  # the dataset shuffles
        model.fit(train_ds, initial_epoch=done, **options)
    else:
        saver.on_train_begin()
        for callback in saver.stateful_callbacks:  # EarlyStopping restores the best weights at the end of a training
            callback.set_model(model)
            callback.on_train_end()
    return saver.history


def restart(model, seed):
    """Gives a compiled model new initial weights and a fresh optimizer, without the seconds that compiling costs.

    Args:
        model: A compiled Sequential or functional `keras.Model`. Its learning rate stays as it is now.
        seed: Integer, the seed of everything random from here on. The same seed gives the same initial weights.

    Raises:
        ValueError: If the model is not compiled, or the seed is out of range.
    """
    variables = training_variables(model)
    keras.utils.set_random_seed(check_seed(seed))
    fresh = type(model).from_config(model.get_config())
    optimizer = type(model.optimizer).from_config(model.optimizer.get_config())
    optimizer.build(fresh.trainable_variables)
    for variable, new in zip(variables, fresh.variables + optimizer.variables, strict=True):
        variable.assign(new)
