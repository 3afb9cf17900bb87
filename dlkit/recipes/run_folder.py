"""The run folder: it remembers the settings of its training and belongs to one training at a time.

`metrics.json` is written last, so a folder that has it is finished, and all of its files are complete.
"""

import contextlib
import hashlib
import json
import os

import numpy as np
from sklearn.metrics import accuracy_score
from sklearn.model_selection import train_test_split
from tqdm import tqdm

from dlkit import evaluate, plots, runtime
from dlkit.data import DataError

try:
    import fcntl
except ImportError:  # Windows does not have this lock
    fcntl = None

CHUNK = 500  # images that are looked at together, since they may be decoded from disk


def split_validation(split, seed):
    """Sets a tenth of the training images of every class aside: ((images, labels), (images, labels))."""
    images, labels = split
    counts = np.bincount(labels).tolist()
    if min(counts) < 2 or -(-len(labels) // 10) < len(counts):
        raise DataError(
            f"Expected ten or more training images of each of the {len(counts)} classes, since a tenth of them is set "
            f"aside for validation. Received: {counts} images of the classes. Add images."
        )
    indices = train_test_split(np.arange(len(labels)), test_size=0.1, stratify=labels, random_state=seed)
    return tuple((images.take(part, axis=0), labels[part]) for part in indices)  # decodes nothing


def describe_data(dataset):
    """What identifies the data of a run: name, source, sizes, and a checksum of all images, labels and class names."""
    digest = hashlib.sha256("\n".join(dataset.class_names).encode())
    for array in (*dataset.train, *dataset.test):
        for start in tqdm(range(0, len(array), CHUNK), desc="checksum", delay=1, disable=None):
            digest.update(np.ascontiguousarray(array[start : start + CHUNK]))
    return {
        "name": dataset.name,
        "is_real": dataset.is_real,
        "source": dataset.source,
        "sha256": digest.hexdigest(),
        "train_images": len(dataset.train[1]),
        "test_images": len(dataset.test[1]),
    }


@contextlib.contextmanager
def claim(folder, settings):
    """Keeps a run folder, which it makes if necessary, for one training with these settings while the block runs.

    If the block ends with an error before anything is saved, the folder belongs to no training, so that it can be used
    after the mistake is corrected. Raises a ValueError if it belongs to other settings or to another process.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "settings.json"
    with open(folder / ".lock", "a") as lock:
        _lock(lock, folder)
        before = read_json(file) if file.exists() else settings
        if changed := [key for key in settings if before.get(key) != settings[key]]:
            changes = "; ".join(f"{key} was {before.get(key)}, now {settings[key]}" for key in changed)
            raise ValueError(
                f"{folder} belongs to another training: {changes}. Choose another --out, or delete that folder."
            )
        write_json(file, settings)
        try:
            yield
        except BaseException:
            if {path.name for path in folder.iterdir()} == {".lock", "settings.json"}:
                file.unlink()
            raise


def _lock(file, folder):
    """Locks the file until it is closed, at the latest when the process ends."""
    try:
        if fcntl:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise ValueError(
            f"Another process is training in {folder}. Wait until it has ended, or choose another --out."
        ) from error
    except OSError:
        pass  # a file system without locks


def read_json(file, **types):
    """Reads a dictionary that `write_json` has written. Raises a DataError if it lacks an entry of one of the types."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(content, dict) or not all(isinstance(content.get(key), types[key]) for key in types):
            raise ValueError(f"it holds {str(content)[:50]}")
        return content
    except ValueError as error:  # json's own error is a subclass
        raise DataError(
            f"{file} is damaged, or was not written by a training: {error}. Delete {file.parent} and train again, or "
            "choose another --out."
        ) from error


def write_json(file, content):
    """Writes JSON under another name and then renames it, so that a file under its own name is complete."""
    part = file.with_name(f"part-{file.name}")
    part.write_text(json.dumps(content, indent=2))
    os.replace(part, file)


def write_results(folder, model, dataset, history, conditions):
    """Evaluates a model, writes everything that a finished run has, and returns the content of `metrics.json`.

    The model is trained, but not compiled, so that plain Keras can load it. `conditions` is a dictionary that JSON can
    hold: settings, data, device, and whether to predict with "flip_tta".
    """
    images, labels = dataset.test
    model.save(folder / "model.keras")
    probs = evaluate.predict_probs(model, images, flip_tta=conditions["flip_tta"])
    predicted, counts = probs.argmax(axis=1), np.bincount(labels)
    accuracy = accuracy_score(labels, predicted)
    metrics = {
        "accuracy": accuracy,
        "accuracy_interval_95": evaluate.wilson_interval(accuracy, len(labels)),
        "largest_class": [dataset.class_names[counts.argmax()], counts.max() / len(labels)],
        "seconds": round(sum(epoch["seconds"] for epoch in history), 2),
        "parameters": model.count_params(),
        "class_names": dataset.class_names,
        "border_brightness": np.quantile(border_brightness(dataset.train[0][:CHUNK]), (0.05, 0.95)).tolist(),
        **conditions,
        "versions": runtime.versions(),
        "history": history,
    }
    matrix = plots.plot_confusion_matrix(labels, predicted, dataset.class_names)
    matrix.savefig(folder / "confusion.png", dpi=150)
    sample = plots.plot_predictions(images[:24], labels[:24], probs[:24], dataset.class_names)
    sample.savefig(folder / "predictions.png", dpi=150)
    write_json(folder / "metrics.json", metrics)
    return metrics


def border_brightness(images):
    """Mean of the outermost pixels of each image, which tells dark writing on a light ground from light on dark."""
    images = np.asarray(images)
    border = np.ones(images.shape[1:3], bool)
    border[1:-1, 1:-1] = False
    return images[:, border].reshape(len(images), -1).mean(axis=1)


def report_flips(model, val_split):
    """Says so if test-time augmentation with flips costs accuracy on the validation images."""
    images, labels = val_split
    with_flips, without = (
        accuracy_score(labels, evaluate.predict_probs(model, images, flip_tta=flip).argmax(axis=1))
        for flip in (True, False)
    )
    if with_flips < evaluate.wilson_interval(without, len(labels))[0]:
        print(
            f"Validation accuracy is {without:.3f}, and {with_flips:.3f} with the mean over each image and its mirror "
            "image, which this recipe predicts with: left and right seem to matter. Train again with flip=False (on "
            "the command line: --no-flip)."
        )
