"""Complete trainings by name: data, model, training, evaluation and export, with all results in a run folder.

The command `dlkit train` calls `train`, and `dlkit predict` calls `predict`.
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import keras

from dlkit import data, evaluate, runtime
from dlkit.data import image_files
from dlkit.recipes import run_folder
from dlkit.recipes.base import Job, Recipe
from dlkit.recipes.from_scratch import FROM_SCRATCH, FromScratch
from dlkit.recipes.pretrained import PRETRAINED, FineTuning

__all__ = ["RECIPES", "FineTuning", "FromScratch", "Recipe", "predict", "train"]

RECIPES = {**FROM_SCRATCH, **PRETRAINED}


def train(name, *, out, data_dir=None, on_error="raise", cache=None, seed=0, verbose=1, **options):
    """Trains a recipe, or resumes a training that was stopped, and writes everything into a run folder.

    The folder ends up with `metrics.json`, `confusion.png`, `predictions.png` and `model.keras`; `metrics.json` is
    written last, so a folder that has it is finished.

    Several GPUs of one machine are used automatically. When TF_CONFIG names several machines, start the same command on
    each of them: they train together, and worker 0 writes the run folder.

    Args:
        name: String, a key of `RECIPES`.
        out: String or path, the run folder; it is made if it does not exist.
        data_dir: String or path, a folder with `train/<class>/*` and `test/<class>/*`; None loads the recipe's own data
            set.
        on_error: String, "raise" (the default) or "skip": what to do about unreadable files, as for
            `data.image_folder`.
        cache: String or path, the folder for features of frozen networks, which several runs can share; default
            `features` in the run folder.
        seed: Integer, the seed of everything random, default 0.
        verbose: Integer, 0, 1 (the default) or 2, as for `keras.Model.fit`.
        **options: `epochs` and `image_size` instead of the recipe's own; for a recipe that fine-tunes a pretrained
            network also `unfreeze` (a stage, as for `transfer.unfreeze`) and `weights` ("imagenet", a file, or "none").
            None stands for the recipe's own value.

    Returns:
        Dictionary, the content of `metrics.json`; None on workers other than 0.

    Raises:
        ValueError: If the recipe or an option is unknown, or the run folder belongs to other settings or other data.
        dlkit.training.DivergedError: If the loss becomes NaN or infinite.
        OSError: If the run folder cannot be written to.
        data.DataError: If the data or the weights are missing or unusable.
        dlkit.training.distributed.WorkerLostError: If another machine stops answering.
    """
    if name not in RECIPES:
        raise ValueError(f'Expected a recipe: {", ".join(RECIPES)}. Received: "{name}".')
    recipe, out = RECIPES[name].with_options(**options), Path(out)
    recipe.check_requirements(data_dir)
    index, workers = runtime.worker()
    if data_dir:
        image_size = recipe.folder_image_size(data.image_sizes(data_dir))
        dataset = data.image_folder(data_dir, image_size=image_size, on_error=on_error)
    else:
        dataset = data.load(recipe.dataset)
    print(dataset)
    settings = {"recipe": name, **recipe.settings(), "seed": seed, "data": run_folder.describe_data(dataset)}
    if index == 0:
        run_folder.check_settings(out, settings)
        if (out / "metrics.json").exists():
            print(f"{out} is finished already.")
            return json.loads((out / "metrics.json").read_text())
    strategy = runtime.strategy()
    rt = runtime.setup(seed)
    model, history = recipe.train(Job(dataset, out, Path(cache or out / "features"), rt, strategy, verbose))
    if index > 0:
        return None
    conditions = {**settings, "workers": workers, "device": rt.device, "precision": _precision(model)}
    conditions["flip_tta"] = recipe.flip_tta
    return run_folder.write_results(out, model, dataset, history, conditions)


def _precision(model):
    return max(model.layers, key=lambda layer: layer.count_params()).dtype_policy.name


def predict(run, files, *, top=3):
    """Classifies image files with the model of a finished run.

    Args:
        run: String or path, the run folder, or the `model.keras` in it.
        files: List of strings or paths, image files.
        top: Integer, how many classes to name for each file, default 3.

    Returns:
        List with, for each file, a list of (class name, probability), the most probable first.

    Raises:
        data.DataError: If the run is not finished, its model cannot be loaded safely, or a file cannot be decoded as an
            image.
    """
    folder = Path(run).parent if Path(run).suffix == ".keras" else Path(run)
    if missing := [name for name in ("metrics.json", "model.keras") if not (folder / name).exists()]:
        raise data.DataError(f"{folder} lacks {' and '.join(missing)}: it is not a finished run. Train it first.")
    class_names, flip_tta = _read_metrics(folder / "metrics.json")
    model = _load_model(folder / "model.keras", len(class_names))
    images, _ = image_files.read_images([Path(file) for file in files], image_size=model.input_shape[1:3])
    if model.input_shape[3:] != (3,):  # a model of grayscale images
        gray = (images @ [0.299, 0.587, 0.114]).round().astype("uint8")  # ITU-R BT.601, as in Pillow
        images = gray.reshape(-1, *model.input_shape[1:])
    probs = evaluate.predict_probs(model, images, flip_tta=flip_tta)
    return [[(class_names[k], float(row[k])) for k in row.argsort()[::-1][:top]] for row in probs]


def _read_metrics(file):
    """Class names, and whether the model predicts with test-time augmentation."""
    try:
        metrics = json.loads(file.read_text())
        return [str(name) for name in metrics["class_names"]], bool(metrics.get("flip_tta", False))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise data.DataError(f"{file} was not written by a training: {error!r}. Train it again.") from error


def _load_model(file, num_classes):
    """A model of any origin: Keras's safe mode runs none of its code, and what does not classify images is refused."""
    try:
        if not zipfile.is_zipfile(file):
            raise ValueError("it is not a .keras archive")
        model = keras.models.load_model(file, safe_mode=True)
    except Exception as error:  # Keras, HDF5 and zipfile raise many kinds for a damaged file
        reason = str(error).split(". ")[0]
        raise data.DataError(
            f"{file} cannot be loaded: {reason}. Train it again. If it came from someone else, leave Keras's safe mode "
            "on: without it the file could run any code."
        ) from error
    shape, outputs = getattr(model, "input_shape", None), getattr(model, "output_shape", None)
    fits = isinstance(shape, tuple) and len(shape) in (3, 4) and None not in shape[1:] and shape[3:] in ((), (1,), (3,))
    if not fits or outputs != (None, num_classes):
        raise data.DataError(
            f"{file}: expected a classifier of images (None, height, width[, 1 or 3]) with the {num_classes} classes "
            f"of metrics.json. Received: {shape} to {outputs}. Train it again."
        )
    return model
