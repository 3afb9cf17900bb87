"""Whole trainings by name: data, model, training, evaluation, export, and what came of it written to a run folder.

`python -m dlkit train` calls `train`. Heavy imports wait until the data is known to be good, so that a slip in a
path is told in a second and not after TensorFlow's start.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dlkit import data, runtime


@dataclass(frozen=True)
class Recipe:
    """Settings of a training that belong together, each with its reason beside it in `RECIPES`.

    Attributes:
        about: one line for `--help`.
        dataset: name of the data set it uses when no folder is given.
        make: function (input_shape, num_classes, steps, precision) -> compiled model; steps counts the whole training.
        epochs: passes over the training images.
        batch_size: images in a training step.
        augment: as for `data.pipeline`.
    """

    about: str
    dataset: str
    make: Callable
    epochs: int
    batch_size: int
    augment: Callable | None = None


def _with_adam(builder, learning_rate, **options):
    """A `make` for a model of `dlkit.models`, by its builder's name, trained with Adam and cross-entropy."""

    def make(input_shape, num_classes, steps, precision):
        import keras

        from dlkit import models

        model = getattr(models, builder)(input_shape, num_classes, **options)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(optimizer=keras.optimizers.Adam(learning_rate), loss=loss, metrics=["accuracy"])
        return model

    return make


def _cifar10_fast(input_shape, num_classes, steps, precision):
    import keras

    from dlkit import models, training

    model = models.build_small_resnet(input_shape, num_classes, precision=precision)
    optimizer = keras.optimizers.SGD(training.OneCycle(0.2, steps), momentum=0.9, nesterov=True)
    model.compile(optimizer=optimizer, loss=training.SmoothedCrossentropy(), metrics=["accuracy"])
    return model


RECIPES = {
    "digits-mlp": Recipe(
        "an MLP on scikit-learn's digits, to see that everything works",
        "digits",
        _with_adam("build_mlp", 0.003, hidden=(64,)),
        epochs=30,  # a few seconds in all
        batch_size=32,
    ),
    "cifar10-cnn": Recipe(
        "the classic small CNN of many tutorials",
        "cifar10",
        _with_adam("build_classic_cnn", 0.001),
        epochs=10,  # it overfits from here on
        batch_size=32,  # with Adam's default rate, larger batches learn less in ten epochs
    ),
    "cifar10-fast": Recipe(
        "a small residual network, one-cycle schedule, augmentation, label smoothing",
        "cifar10",
        _cifar10_fast,
        epochs=10,
        batch_size=128,  # large enough to keep two cores busy, small enough for 400 steps an epoch
        augment=data.random_crop_and_flip,
    ),
}


def train(name, *, out, data_dir=None, image_size=None, on_error="raise", epochs=None, seed=0, verbose=1):
    """Trains a recipe, or goes on with it where it was stopped, and writes everything into a run folder.

    The folder ends up with `metrics.json`, `confusion.png`, `predictions.png` and `model.keras`; `metrics.json` is
    written last, so a folder that has it is finished.

    Args:
        name: a key of `RECIPES`.
        out: the run folder; made when missing.
        data_dir: a folder with `train/<class>/*` and `test/<class>/*`; None loads the recipe's own data set.
        image_size, on_error: for that folder, as for `data.image_folder`.
        epochs: instead of the recipe's own number.
        seed: of everything random.
        verbose: as for `keras.Model.fit`.

    Returns:
        The content of `metrics.json`.

    Raises:
        ValueError: for an unknown recipe, or when the run folder belongs to other settings or other data.
        data.DataError: when the data is missing or unusable.
    """
    if name not in RECIPES:
        raise ValueError(f'Expected a recipe: {", ".join(RECIPES)}. Received: "{name}".')
    recipe, out = RECIPES[name], Path(out)
    if data_dir and not Path(data_dir).is_dir():
        raise data.DataError(
            f"{data_dir} does not exist. Expected a folder with train/<class>/<image> and test/<class>/<image>. "
            f"To train on {recipe.dataset} leave --data out; `python -m dlkit data fetch {recipe.dataset}` gets it."
        )
    if data_dir:
        dataset = data.image_folder(data_dir, image_size=image_size, on_error=on_error)
    else:
        dataset = data.load(recipe.dataset)
    print(dataset)
    settings = {"recipe": name, "epochs": epochs or recipe.epochs, "batch_size": recipe.batch_size, "seed": seed}
    settings["data"] = _fingerprint(dataset)
    _claim_folder(out, settings)
    if (out / "metrics.json").exists():
        print(f"{out} is finished already.")
        return json.loads((out / "metrics.json").read_text())

    rt = runtime.setup(seed)
    from dlkit import training

    train_part, val_part = _split(dataset.train, seed)
    steps_per_epoch = -(-len(train_part[1]) // recipe.batch_size)
    steps = steps_per_epoch * settings["epochs"]
    model = recipe.make(dataset.train[0].shape[1:], len(dataset.class_names), steps, rt.precision)
    options = {"batch_size": recipe.batch_size, "training": True, "augment": recipe.augment, "seed": seed}
    history = training.fit(
        model,
        lambda first_epoch: data.pipeline(*train_part, first_epoch=first_epoch, **options),
        steps_per_epoch=steps_per_epoch,
        epochs=settings["epochs"],
        checkpoint=out / "checkpoint.npz",
        validation_data=data.pipeline(*val_part, batch_size=500),
        verbose=verbose,
    )
    return _finish(
        out, model, dataset, history, {**settings, "device": rt.device, "precision": model.dtype_policy.name}
    )


def _split(part, seed):
    """A tenth of the training images, the same share of every class, is kept for validation."""
    from sklearn.model_selection import train_test_split

    images, labels = part
    train_index, val_index = train_test_split(np.arange(len(labels)), test_size=0.1, stratify=labels, random_state=seed)
    return (images[train_index], labels[train_index]), (images[val_index], labels[val_index])


def _fingerprint(dataset):
    digest = hashlib.sha256("\n".join(dataset.class_names).encode())
    for array in (*dataset.train, *dataset.test):
        digest.update(np.ascontiguousarray(array))
    card = {"name": dataset.name, "origin": dataset.origin, "source": dataset.source, "sha256": digest.hexdigest()}
    return {**card, "train_images": len(dataset.train[1]), "test_images": len(dataset.test[1])}


def _claim_folder(out, settings):
    """A run folder remembers its settings, so that two trainings are never mixed in one."""
    file = out / "settings.json"
    if file.exists():
        before = json.loads(file.read_text())
        if odd := [key for key in settings if before.get(key) != settings[key]]:
            told = "; ".join(f"{key} was {before.get(key)}, now {settings[key]}" for key in odd)
            raise ValueError(f"{out} belongs to another training: {told}. Choose another --out, or delete that folder.")
        return
    out.mkdir(parents=True, exist_ok=True)
    _write(file, lambda part: part.write_text(json.dumps(settings, indent=2)))


def _finish(out, model, dataset, history, conditions):
    from dlkit import evaluate, plots

    images, labels = dataset.test
    probs = evaluate.predict_probs(model, images)
    accuracy = evaluate.accuracy(labels, probs)
    metrics = {
        "accuracy": accuracy,
        "accuracy_interval_95": evaluate.wilson_interval(accuracy, len(labels)),
        "seconds": round(sum(epoch["seconds"] for epoch in history), 2),
        "parameters": model.count_params(),
        **conditions,
        "versions": runtime.versions(),
        "history": history,
    }
    confusion = plots.show_confusion(evaluate.confusion(labels, probs), dataset.class_names)
    sample = plots.show_predictions(images[:24], labels[:24], probs[:24], dataset.class_names)
    _write(out / "confusion.png", lambda part: confusion.savefig(part, dpi=150))
    _write(out / "predictions.png", lambda part: sample.savefig(part, dpi=150))
    _write(out / "model.keras", model.save)
    _write(out / "metrics.json", lambda part: part.write_text(json.dumps(metrics, indent=2)))
    return metrics


def _write(path, write):
    """Writes beside and renames: what has the final name is whole."""
    part = path.with_name(f"part-{path.name}")
    write(part)
    os.replace(part, path)
