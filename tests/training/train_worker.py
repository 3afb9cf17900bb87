"""One worker of a distributed training: python -m tests.training.train_worker FOLDER LEARNING_RATE

TF_CONFIG says which worker this is. Worker 0 writes FOLDER/checkpoint.npz, every worker its final weights.
"""

import sys

import keras
import numpy as np

from dlkit import data, models, runtime, training

TRAINING = {"steps_per_epoch": 5, "epochs": 3}


def load_images():
    return (values[:305] for values in data.load("digits").train)


def build_model(learning_rate):
    model = models.build_mlp((8, 8), 10)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(learning_rate), loss, metrics=["accuracy"], jit_compile=False)
    return model


def fit(model, checkpoint, **options):
    images, labels = load_images()
    return training.fit(
        model,
        lambda first_epoch, shard: data.pipeline(
            images, labels, batch_size=61, training=True, first_epoch=first_epoch, shard=shard
        ),
        checkpoint=checkpoint,
        validation_data=data.pipeline(images[:77], labels[:77], batch_size=50),
        callbacks=[keras.callbacks.ReduceLROnPlateau(monitor="loss", mode="max", patience=1, factor=0.5)],
        **TRAINING,
        **options,
    )


def main(folder, learning_rate):
    strategy = runtime.strategy()
    index, _ = runtime.worker()
    keras.utils.set_random_seed(100 * index)  # other initial weights on every worker: those of worker 0 count
    with strategy.scope():
        model = build_model(float(learning_rate))
    fit(model, f"{folder}/checkpoint.npz", strategy=strategy)
    np.savez(f"{folder}/worker{index}.npz", *model.get_weights())


if __name__ == "__main__":
    main(*sys.argv[1:])
