"""The run folder: it remembers its settings, is never mixed with another training, and what has its name is whole."""

from __future__ import annotations

import hashlib
import json
import os

import numpy as np

from dlkit import runtime


def split(part, seed):
    """A tenth of the training images, the same share of every class, is kept for validation."""
    from sklearn.model_selection import train_test_split

    images, labels = part
    train_index, val_index = train_test_split(np.arange(len(labels)), test_size=0.1, stratify=labels, random_state=seed)
    return (images[train_index], labels[train_index]), (images[val_index], labels[val_index])


def fingerprint(dataset):
    """What identifies the data of a run: its card, and a checksum over all images, labels and class names."""
    digest = hashlib.sha256("\n".join(dataset.class_names).encode())
    for array in (*dataset.train, *dataset.test):
        digest.update(np.ascontiguousarray(array))
    card = {"name": dataset.name, "origin": dataset.origin, "source": dataset.source, "sha256": digest.hexdigest()}
    return {**card, "train_images": len(dataset.train[1]), "test_images": len(dataset.test[1])}


def claim(out, settings):
    """A run folder remembers its settings, so that two trainings are never mixed in one."""
    file = out / "settings.json"
    if file.exists():
        before = json.loads(file.read_text())
        if odd := [key for key in settings if before.get(key) != settings[key]]:
            told = "; ".join(f"{key} was {before.get(key)}, now {settings[key]}" for key in odd)
            raise ValueError(f"{out} belongs to another training: {told}. Choose another --out, or delete that folder.")
        return
    out.mkdir(parents=True, exist_ok=True)
    write(file, lambda part: part.write_text(json.dumps(settings, indent=2)))


def finish(out, model, dataset, history, conditions):
    """Judges the model on the test images and writes all that a finished run has; `metrics.json` last.

    When `conditions` say "mirrored", the model is asked twice, as for `evaluate.predict_probs`.

    Returns:
        The content of `metrics.json`.
    """
    from dlkit import evaluate, plots

    images, labels = dataset.test
    probs = evaluate.predict_probs(model, images, mirrored=conditions["mirrored"])
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
    confusion = plots.show_confusion(evaluate.confusion(labels, probs), dataset.class_names)
    sample = plots.show_predictions(images[:24], labels[:24], probs[:24], dataset.class_names)
    write(out / "confusion.png", lambda part: confusion.savefig(part, dpi=150))
    write(out / "predictions.png", lambda part: sample.savefig(part, dpi=150))
    write(out / "model.keras", model.save)
    write(out / "metrics.json", lambda part: part.write_text(json.dumps(metrics, indent=2)))
    return metrics


def outside(model, make, strategy):
    """The trained model itself, or, when it lives in a strategy, an equal one outside of it."""
    if strategy is None:
        return model
    copy = make()
    copy.set_weights(model.get_weights())
    return copy


def write(path, write):
    """Writes beside and renames: what has the final name is whole."""
    part = path.with_name(f"part-{path.name}")
    write(part)
    os.replace(part, path)
