"""The results of a training: its accuracy on the test images, its figures, and some of its images and answers."""

from itertools import zip_longest

import numpy as np
from sklearn.metrics import confusion_matrix

from dlkit import evaluate, plots, runtime
from dlkit.recipes.run_folder import CHUNK, write_json

EXAMPLES = 12  # mistakes, and other test images, that are kept in test.npz
CALIBRATION = 100  # training images that are kept there, enough to quantize the model


def write_results(folder, model, dataset, history, conditions):
    """Evaluates a model, writes everything that a finished run has, and returns the content of `metrics.json`.

    The model is trained, but not compiled, so that plain Keras can load it. `conditions` is a dictionary that JSON can
    hold: settings, data, device, and whether to predict with "flip_tta".
    """
    images, labels = dataset.test
    model.save(folder / "model.keras")
    batch_size = min(4 * conditions["batch_size"], CHUNK)
    probs = evaluate.predict_probs(model, images, batch_size=batch_size, flip_tta=conditions["flip_tta"])
    metrics = {
        **summarize(labels, probs, dataset.class_names),
        "copies": dataset.copies,
        "train_counts": np.bincount(dataset.train[1], minlength=len(dataset.class_names)).tolist(),
        "seconds": round(sum(epoch["seconds"] for epoch in history), 2),
        "parameters": model.count_params(),
        "border_brightness": np.quantile(border_brightness(dataset.train[0][:CHUNK]), (0.05, 0.95)).tolist(),
        **conditions,
        "versions": runtime.versions(),
        "history": history,
    }
    matrix = plots.plot_confusion_matrix(labels, probs.argmax(axis=1), dataset.class_names)
    matrix.savefig(folder / "confusion.png", dpi=150)
    sample = plots.plot_predictions(images[:24], labels[:24], probs[:24], dataset.class_names)
    sample.savefig(folder / "predictions.png", dpi=150)
    np.savez_compressed(folder / "test.npz", **_examples(dataset, probs))
    write_json(folder / "metrics.json", metrics)
    return metrics


def summarize(labels, probs, class_names):
    """The entries of `metrics.json` about test images, from integer labels (count,) and probabilities."""
    matrix = confusion_matrix(labels, probs.argmax(axis=1), labels=np.arange(len(class_names)))
    counts, accuracy = matrix.sum(axis=1), float(matrix.trace() / len(labels))
    return {
        "accuracy": accuracy,
        "accuracy_interval_95": evaluate.wilson_interval(accuracy, len(labels)),
        "largest_class": [class_names[counts.argmax()], counts.max() / len(labels)],
        "recall": (matrix.diagonal() / np.maximum(counts, 1)).tolist(),
        "test_counts": counts.tolist(),
        "confusion": matrix.tolist(),
        "class_names": class_names,
    }


def _examples(dataset, probs):
    """The arrays of test.npz: the answers to all test images, and some of the images."""
    (images, labels), num_classes = dataset.test, len(dataset.class_names)
    mistakes = evaluate.worst_mistakes(labels, probs, EXAMPLES)
    of_class = [np.flatnonzero(labels == k)[: -(-EXAMPLES // num_classes)] for k in range(num_classes)]
    samples = np.array([k for turn in zip_longest(*of_class) for k in turn if k is not None][:EXAMPLES])
    chosen = np.linspace(0, len(dataset.train[1]) - 1, min(CALIBRATION, len(dataset.train[1]))).astype("int64")
    return {
        "labels": labels,
        "probs": probs,
        "mistakes": mistakes,
        "mistake_images": images[mistakes],
        "samples": samples,
        "sample_images": images[samples],
        "calibration": dataset.train[0][chosen],
    }


def border_brightness(images):
    """Mean of the outermost pixels of each image, which tells dark writing on a light ground from light on dark."""
    images = np.asarray(images)
    border = np.ones(images.shape[1:3], bool)
    border[1:-1, 1:-1] = False
    return images[:, border].reshape(len(images), -1).mean(axis=1)
