"""The run folder: it remembers the settings of its training, belongs to one training, and holds only complete files."""

from __future__ import annotations

import hashlib
import json
import os

import numpy as np
from sklearn.model_selection import train_test_split

from dlkit import evaluate, plots, runtime


def split_validation(split, seed):
    """Sets a tenth of the training images aside for validation, the same fraction of every class.

    Args:
        split: Tuple (images, labels) of arrays.
        seed: Integer; the same seed gives the same split.

    Returns:
        ((images, labels), (images, labels)): for training and for validation.

    Raises:
        ValueError: If there are too few images to set some of every class aside.
    """
    images, labels = split
    indices = np.arange(len(labels))
    try:
        train_index, val_index = train_test_split(indices, test_size=0.1, stratify=labels, random_state=seed)
    except ValueError as error:
        raise ValueError(
            "Expected enough training images to set a tenth of every class aside for validation. Received: "
            f"{np.bincount(labels).tolist()} images of the classes. Add images, ten or more of each."
        ) from error
    return (images[train_index], labels[train_index]), (images[val_index], labels[val_index])


def describe_data(dataset):
    """What identifies the data of a run: name, source, sizes, and a checksum of all images, labels and class names.

    Args:
        dataset: A `Dataset`.

    Returns:
        Dictionary that JSON can hold.
    """
    digest = hashlib.sha256("\n".join(dataset.class_names).encode())
    for array in (*dataset.train, *dataset.test):
        digest.update(np.ascontiguousarray(array))
    return {
        "name": dataset.name,
        "is_real": dataset.is_real,
        "source": dataset.source,
        "sha256": digest.hexdigest(),
        "train_images": len(dataset.train[1]),
        "test_images": len(dataset.test[1]),
    }


def check_settings(folder, settings):
    """Makes the run folder, or checks that it belongs to a training with these settings.

    Args:
        folder: Path of the run folder.
        settings: Dictionary that JSON can hold.

    Raises:
        ValueError: If the folder belongs to a training with other settings or other data.
    """
    file = folder / "settings.json"
    if file.exists():
        before = json.loads(file.read_text())
        if changed := [key for key in settings if before.get(key) != settings[key]]:
            changes = "; ".join(f"{key} was {before.get(key)}, now {settings[key]}" for key in changed)
            raise ValueError(
                f"{folder} belongs to another training: {changes}. Choose another --out, or delete that folder."
            )
        return
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(file, lambda part: part.write_text(json.dumps(settings, indent=2)))


def write_results(folder, model, dataset, history, conditions):
    """Evaluates the model on the test images and writes everything that a finished run has; `metrics.json` comes last.

    Args:
        folder: Path of the run folder.
        model: The trained `keras.Model`.
        dataset: The `Dataset`.
        history: List with a dictionary for each epoch.
        conditions: Dictionary that JSON can hold: settings, data, device. If its "flip_tta" is True, the model predicts
            with test-time augmentation, as for `evaluate.predict_probs`.

    Returns:
        Dictionary, the content of `metrics.json`.
    """
    images, labels = dataset.test
    probs = evaluate.predict_probs(model, images, flip_tta=conditions["flip_tta"])
    accuracy = evaluate.accuracy(labels, probs)
    metrics = {
        "accuracy": accuracy,
        "accuracy_interval_95": evaluate.wilson_interval(accuracy, len(labels)),
        "seconds": round(sum(epoch["seconds"] for epoch in history), 2),
        "parameters": model.count_params(),
        "class_names": dataset.class_names,
        **conditions,
        "versions": runtime.versions(),
        "history": history,
    }
    matrix = plots.plot_confusion_matrix(evaluate.confusion_matrix(labels, probs), dataset.class_names)
    sample = plots.plot_predictions(images[:24], labels[:24], probs[:24], dataset.class_names)
    write_atomically(folder / "confusion.png", lambda part: matrix.savefig(part, dpi=150))
    write_atomically(folder / "predictions.png", lambda part: sample.savefig(part, dpi=150))
    write_atomically(folder / "model.keras", model.save)
    write_atomically(folder / "metrics.json", lambda part: part.write_text(json.dumps(metrics, indent=2)))
    return metrics


def detach_from_strategy(model, build, strategy):
    """Returns the trained model, or, if it was built in the scope of a strategy, a copy of it outside of that scope.

    Args:
        model: The trained `keras.Model`.
        build: Function without arguments that returns a model of the same architecture.
        strategy: A `tf.distribute.Strategy`, or None.

    Returns:
        A `keras.Model` with the same weights.
    """
    if strategy is None:
        return model
    copy = build()
    copy.set_weights(model.get_weights())
    return copy


def write_atomically(path, write):
    """Writes a file under another name and then renames it, so that a file under its own name is complete.

    Args:
        path: Path of the file.
        write: Function that writes the file to the path it is given.
    """
    part = path.with_name(f"part-{path.name}")
    write(part)
    os.replace(part, path)
