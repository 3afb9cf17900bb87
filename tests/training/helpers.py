"""What the tests of training share: a small model with state of every kind, and ways to interrupt it."""

import socket

import keras
import numpy as np

from dlkit import data, training

IMAGES = np.random.default_rng(0).integers(0, 256, (64, 8, 8)).astype("uint8")
LABELS = (IMAGES[:, 0, 0] > 127).astype("int64")


def build_model(epochs=4):
    """A small network with everything that has state: dropout, batch normalization, momentum, a schedule."""
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
    # Without XLA, whose compilation takes longer than these trainings.
    model.compile(optimizer=optimizer, loss=training.SmoothedCrossentropy(), metrics=["accuracy"], jit_compile=False)
    return model


def make_train_ds(first_epoch, shard):
    """Eight steps per epoch."""
    return data.pipeline(IMAGES, LABELS, batch_size=8, training=True, seed=5, first_epoch=first_epoch, shard=shard)


def fit(model, checkpoint, epochs, callbacks=()):
    return training.fit(
        model,
        make_train_ds,
        steps_per_epoch=8,
        epochs=epochs,
        checkpoint=checkpoint,
        callbacks=callbacks,
        verbose=0,
    )


def save_epochs(model, checkpoint, count=1):
    """Saves epochs as `fit` does, without training."""
    saver = training.Checkpoint(checkpoint)
    saver.set_model(model)
    for epoch in range(count):
        saver.on_epoch_begin(epoch)
        saver.on_epoch_end(epoch, {"loss": 1.0})


class InterruptIn(keras.callbacks.Callback):
    """Leaves `fit` in the middle of an epoch, as Ctrl-C or a kill does."""

    def __init__(self, epoch):
        super().__init__()
        self.epoch, self.current = epoch, 0

    def on_epoch_begin(self, epoch, logs=None):
        self.current = epoch

    def on_train_batch_end(self, batch, logs=None):
        if self.current == self.epoch and batch == 3:
            raise KeyboardInterrupt


def weights_of(model):
    """All variables of a model as arrays, those of its seed generators included."""
    return [np.asarray(variable) for variable in model.variables]


def free_ports(count):
    """Ports of this machine that nobody uses."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [opened.getsockname()[1] for opened in sockets]
    for opened in sockets:
        opened.close()
    return ports
