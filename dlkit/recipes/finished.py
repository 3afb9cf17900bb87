"""Finished runs: their model classifies image files, and is evaluated on other folders of images."""

import zipfile
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from dlkit import evaluate, validation
from dlkit.data import DataError, image_files, layouts
from dlkit.recipes import results, run_folder


@dataclass(frozen=True)
class FinishedRun:
    """What `load` finds in the run folder of a finished training."""

    folder: Path
    metrics: dict  # the content of metrics.json
    class_names: list[str]
    model: keras.Model  # from pixels, 0 to 255, to logits

    def classify(self, files, on_error="raise"):
        """Class probabilities of image files. With `on_error="skip"`, those that are not readable are left out.

        Returns (probs, indices): a float32 array of shape (count, num_classes), and which of the files they are.
        """
        probs, indices = [np.zeros((0, len(self.class_names)), "float32")], [np.zeros(0, "int64")]
        for start in range(0, len(files), run_folder.CHUNK):
            images, found = self._read(files[start : start + run_folder.CHUNK], on_error)
            if len(found):
                flip_tta = bool(self.metrics.get("flip_tta"))
                probs.append(evaluate.predict_probs(self.model, images, flip_tta=flip_tta))
                indices.append(start + found)
        return np.concatenate(probs), np.concatenate(indices)

    def _read(self, files, on_error):
        resize = self.metrics.get("resize", "stretch")  # what runs of earlier versions did
        options = {"image_size": self.model.input_shape[1:3], "resize": resize, "on_error": on_error}
        try:
            images, indices = image_files.read_images(files, **options)
        except DataError as error:
            if not (reasons := str(error).splitlines()[1:]):  # a line for each file, if it is about files
                raise
            message = f"{len(reasons)} of {len(files)} files could not be decoded as images. Leave them out:"
            if on_error == "raise":
                raise DataError("\n".join([message, *reasons])) from error
            print("\n".join([message, *reasons]))
            return None, np.zeros(0, "int64")
        if len(self.model.input_shape) == 3:  # a model of grayscale images
            images = (images @ [0.299, 0.587, 0.114]).round().astype("uint8")  # ITU-R BT.601, as in Pillow
        return self._match_ground(images, [files[k] for k in indices]), indices

    def _match_ground(self, images, files):
        """Inverts grayscale images of dark writing on a light ground for a model of light on dark, and vice versa."""
        low, high = self.metrics.get("border_brightness") or (0, 255)  # of nine tenths of the training images
        if low < 128 <= high:
            return images
        ground = "light" if high < 128 else "dark"
        advice = "its negative is classified" if images.ndim == 3 else "do not rely on the answer"
        for k in np.flatnonzero((results.border_brightness(images) < 128) != (high < 128)):
            print(f"{files[k]}: its border is {ground}, unlike the training images: {advice}.")
            if images.ndim == 3:
                images[k] = 255 - images[k]
        return images


def load(run):
    """Loads a finished run.

    Args:
        run: String or path, the run folder, or the `model.keras` in it.

    Returns:
        A `FinishedRun`.

    Raises:
        data.DataError: If the run is not finished, or its model cannot be loaded safely.
    """
    folder = Path(run).parent if Path(run).suffix == ".keras" else Path(run)
    if missing := [name for name in ("metrics.json", "model.keras") if not (folder / name).exists()]:
        raise DataError(f"{folder} lacks {' and '.join(missing)}: it is not a finished run. Train it first.")
    metrics = run_folder.read_json(folder / "metrics.json", class_names=list)
    class_names = [str(name) for name in metrics["class_names"]]
    return FinishedRun(folder, metrics, class_names, _load_model(folder / "model.keras", len(class_names)))


def read_arrays(folder):
    """Reads the test results of a finished run.

    Args:
        folder: Path of the run folder.

    Returns:
        Dictionary of arrays, the content of `test.npz`.

    Raises:
        data.DataError: If the file is missing, as in runs of earlier versions, or damaged.
    """
    file = folder / "test.npz"
    if not file.exists():
        raise DataError(
            f"{folder} lacks test.npz: it was deleted, or an earlier version made this run. Train again with "
            "--overwrite."
        )
    try:
        with np.load(file, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{file} is damaged: {error}. Train again with --overwrite.") from error


def _load_model(file, num_classes):
    """A model of any origin: Keras's safe mode runs none of its code, and what does not classify images is refused."""
    try:
        zipfile.ZipFile(file).close()  # Keras would load its older format, HDF5, without the safe mode
        model = keras.models.load_model(file, compile=False, safe_mode=True)
        shape, outputs = model.input_shape, model.output_shape
        is_image = len(shape) in (3, 4) and None not in shape[1:] and shape[3:] in ((), (3,))
        if not is_image or outputs != (None, num_classes):
            raise ValueError(f"it does not turn images into {num_classes} logits, but {shape} into {outputs}")
        return model
    except (PermissionError, MemoryError):
        raise  # they say nothing about what is in the file
    except Exception as error:  # Keras, HDF5 and zipfile raise many kinds for a damaged file
        reason = str(error).split(". ")[0]
        raise DataError(
            f"{file} cannot be loaded: {reason}. Train it again. If it came from someone else, leave Keras's safe mode "
            "on: without it the file could run any code."
        ) from error


def predict(run, files, *, top=3, on_error="raise"):
    """Classifies image files with the model of a finished run.

    Args:
        run: String or path, the run folder, or the `model.keras` in it.
        files: List of strings or paths, image files.
        top: Integer, how many of the most probable classes to return, default 3.
        on_error: String, "raise" (the default), or "skip" to print the files that cannot be decoded, and go on.

    Returns:
        List with, for each file, a list of (class name, probability) of the most probable classes; None for a file that
        was skipped.

    Raises:
        ValueError: If there is no file.
        data.DataError: If the run is not finished, its model cannot be loaded safely, or a file is not an image.
    """
    top = validation.check_integer("top", top)
    if not files:
        raise ValueError("Expected image files to classify. Received: none.")
    run = load(run)
    probs, indices = run.classify(files, on_error)
    answers = [None] * len(files)
    for k, row in zip(indices, probs, strict=True):
        answers[k] = [(run.class_names[c], float(row[c])) for c in row.argsort()[::-1][:top]]
    return answers


def evaluate_folder(run, folder, *, on_error="raise"):
    """Evaluates the model of a finished run on other images, in a folder as for `data.image_folder`.

    If the folder has a test split, or a validation split alone, that is used, and otherwise all of its images. It need
    not have images of every class.

    Args:
        run: String or path, the run folder, or the `model.keras` in it.
        folder: String or path of the folder of images.
        on_error: String, "raise" (the default), or "skip" for files that cannot be decoded as images.

    Returns:
        Dictionary: the entries of `metrics.json` that `describe` and a table need, for these images, and "confusion", a
        list with, for each true class, the number of images by predicted class.

    Raises:
        data.DataError: If the run is not finished, or the folder has no images, or classes that the run lacks.
    """
    layout = layouts.scan(folder)
    print(*layout.notes, sep="\n", end="\n" * bool(layout.notes))
    split = "test" if "test" in layout.splits else "train"
    found = {name: files for name, files in layout.splits[split].items() if files}
    run = load(run)
    if unknown := sorted(set(found) - set(run.class_names)):
        raise DataError(
            f"{folder}: expected classes of the run: {', '.join(run.class_names)}. Received: {', '.join(unknown)}. "
            "Rename the folders, or remove them."
        )
    files = [file for name in found for file in found[name]]
    if not files:
        raise DataError(f"{folder}: expected class folders with images. Received: none.")
    labels = np.array([run.class_names.index(name) for name in found for _ in found[name]])
    probs, indices = run.classify(files, on_error)
    if not len(indices):
        raise DataError(
            f"{folder}: expected images that can be read. Received: {len(files)} files, all of them broken."
        )
    return {
        **{key: run.metrics[key] for key in ("train_counts", "class_weights") if key in run.metrics},
        **results.summarize(labels[indices], probs, run.class_names),
    }
