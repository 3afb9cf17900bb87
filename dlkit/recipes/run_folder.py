"""The run folder: it remembers the settings of its training and belongs to one training at a time.

`metrics.json` is written last, so a folder that has it is finished, and all of its files are complete.
"""

import contextlib
import hashlib
import json
import math
import os
import tempfile

import numpy as np
from sklearn.model_selection import train_test_split
from tqdm import tqdm

from dlkit.data import DataError

try:
    import fcntl
except ImportError:  # Windows does not have this lock
    fcntl = None

CHUNK = 500  # images that are looked at together, since they may be decoded from disk
RESULTS = ("metrics.json", "model.keras", "confusion.png", "predictions.png", "test.npz", "report.html")
RESULTS += ("checkpoint.npz", "settings.json")


def split_validation(dataset, fraction, seed):
    """The images for training and for validation, ((images, labels), (images, labels)).

    For validation, a data set has images of its own, or else a fraction of the training images of every class.
    """
    images, labels = dataset.train
    counts, held_out = np.bincount(labels, minlength=len(dataset.class_names)), -(-len(labels) * fraction // 1)
    if dataset.validation:
        return dataset.train, dataset.validation
    if min(counts) < 2 or held_out < len(counts):
        needed = max(2, math.ceil(1 / fraction))
        lowest = ", ".join(f'{counts[k]} of "{dataset.class_names[k]}"' for k in counts.argsort(kind="stable")[:5])
        raise DataError(
            f"Expected about {needed} training images or more of each of the {len(counts)} classes, and two at least, "
            f"since {fraction:.0%} are set aside for validation. Received: {lowest}{', …' * (len(counts) > 5)}. Add "
            "images, or pass a larger val_split (on the command line: --val-split 0.2)."
        )
    indices = train_test_split(np.arange(len(labels)), test_size=fraction, stratify=labels, random_state=seed)
    return tuple((images.take(part, axis=0), labels[part]) for part in indices)  # decodes nothing


def describe_data(dataset):
    """What identifies the data of a run: name, source, sizes, and a checksum of all images, labels and class names."""
    digest = hashlib.sha256("\n".join(dataset.class_names).encode())
    for array in (*dataset.train, *dataset.test, *(dataset.validation or ())):
        for start in tqdm(range(0, len(array), CHUNK), desc="checksum", delay=1, disable=None):
            digest.update(np.ascontiguousarray(array[start : start + CHUNK]))
    return {
        "name": dataset.name,
        "is_real": dataset.is_real,
        "source": dataset.source,
        "description": dataset.description,
        "sha256": digest.hexdigest(),
        "train_images": len(dataset.train[1]),
        "test_images": len(dataset.test[1]),
    }


def check_out(folder):
    """Raises a ValueError if a run folder cannot be made or written to, before anything is read for it."""
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not existing.is_dir():
        raise ValueError(f"Expected a folder for the results (--out), but {existing} is a file. Received: {folder}.")
    try:
        tempfile.TemporaryFile(dir=existing).close()
    except OSError as error:
        raise ValueError(
            f"The run folder {folder} cannot be written, since no file can be made in {existing}: {error.strerror}. "
            "Choose another --out."
        ) from error


@contextlib.contextmanager
def claim(folder, settings, *, overwrite=False, extensible=False):
    """Keeps a run folder, which it makes if necessary, for one training with these settings while the block runs.

    If the block ends with an error before an epoch is saved, the folder belongs to no training, so that it can be used
    after the mistake is corrected. Raises a ValueError if it belongs to another process, or to other settings, unless
    `overwrite` deletes the results in it, or a training with fewer epochs is `extensible`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "settings.json"
    with open(folder / ".lock", "a") as lock:
        _lock(lock, folder)
        before = read_json(file, **({"recipe": str} if overwrite else {})) if file.exists() else settings
        if overwrite and file.exists():
            for name in RESULTS:
                (folder / name).unlink(missing_ok=True)
            before = settings
        elif changed := [
            key for key in settings if _identity(before.get(key, settings[key])) != _identity(settings[key])
        ]:
            longer = changed == ["epochs"] and _extend(folder, before["epochs"], settings["epochs"], extensible)
            if not longer:
                raise ValueError(
                    f"{folder} belongs to another training: it was trained {_in_words(before, settings, changed)}. "
                    "Choose another --out, or replace that training with --overwrite."
                )
        if not (folder / "metrics.json").exists():
            write_json(file, before | settings)  # with what `Job.keep` has added
        try:
            yield
        except BaseException:
            if not (folder / "checkpoint.npz").exists():
                file.unlink(missing_ok=True)
            raise


def _identity(value):
    return value["sha256"] if isinstance(value, dict) else value


def _extend(folder, done, epochs, extensible):
    """Whether more epochs continue a training; a finished one is marked as unfinished."""
    if epochs < done:
        return False
    if not extensible:
        raise ValueError(
            f"The learning rate of the training in {folder} falls to zero with epoch {done}, so it cannot continue to "
            f"epoch {epochs}. Choose another --out, or replace that training with --overwrite."
        )
    if (file := folder / "metrics.json").exists():
        trained = sum("phase" not in epoch for epoch in read_json(file)["history"])
        if trained < done:
            print(f"Early stopping ended the training in {folder} with epoch {trained}, so it does not continue.")
        else:
            print(f"The training in {folder} continues after epoch {done}.")
            file.unlink()
    return True


def _in_words(before, now, changed):
    """What differs between two trainings, as the end of the sentence "it was trained ..."."""
    phrases = []
    for key in [key for key in changed if key != "data"]:
        old, new = (f"{part[key]:.3g}" if isinstance(part[key], float) else part[key] for part in (before, now))
        phrases.append(f"with {key.replace('_', ' ')} {old} instead of {new}")
    if "data" in changed:
        old, new = (
            f"{part['train_images']} for training and {part['test_images']} for testing"
            for part in (before["data"], now["data"])
        )
        phrases.append("on other images or labels" + (f" ({old} instead of {new})" if old != new else ""))
    return ", ".join(phrases)


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
    """Writes JSON as `write_text` writes text."""
    write_text(file, json.dumps(content, indent=2))


def write_text(file, text):
    """Writes a text under another name and then renames it, so that a file under its own name is complete."""
    part = file.with_name(f"part-{file.name}")
    try:
        part.write_text(text, encoding="utf-8")
        os.replace(part, file)
    finally:
        part.unlink(missing_ok=True)  # it is there if one of the two failed
