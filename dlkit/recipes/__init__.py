"""Whole trainings by name: data, model, training, evaluation, export, and what came of it written to a run folder.

The command `dlkit train` calls `train`. Heavy imports wait until the data is known to be good, so that a slip in a
path is reported in a second and not after TensorFlow's start.
"""

from __future__ import annotations

import functools
import json
import zipfile
from pathlib import Path

from dlkit import data, runtime
from dlkit.recipes import run_folder
from dlkit.recipes.borrowed import BORROWED, TransferRecipe
from dlkit.recipes.scratch import SCRATCH, Recipe

__all__ = ["RECIPES", "Recipe", "TransferRecipe", "predict", "train"]

RECIPES = {**SCRATCH, **BORROWED}


def train(name, *, out, data_dir=None, on_error="raise", seed=0, verbose=1, **options):
    """Trains a recipe, or goes on with it where it was stopped, and writes everything into a run folder.

    The folder ends up with `metrics.json`, `confusion.png`, `predictions.png` and `model.keras`; `metrics.json` is
    written last, so a folder that has it is finished.

    Several GPUs are used by themselves. When TF_CONFIG names several machines, start the same on each of them: they
    train together, and worker 0 writes the run folder.

    Args:
        name: a key of `RECIPES`.
        out: the run folder; made when missing.
        data_dir: a folder with `train/<class>/*` and `test/<class>/*`; None loads the recipe's own data set.
        on_error: for that folder, as for `data.image_folder`.
        seed: of everything random.
        verbose: as for `keras.Model.fit`.
        options: `epochs` and `image_size` instead of the recipe's own; for a recipe that borrows a network also
            `unfreeze` (a stage, as for `transfer.unfreeze`) and `weights` ("imagenet", a file, or "none").

    Returns:
        The content of `metrics.json`; None on workers other than 0.

    Raises:
        ValueError: for an unknown recipe, or when the run folder belongs to other settings or other data.
        dlkit.training.workers.WorkerLostError: when another machine stops answering.
        data.DataError: when the data or the weights are missing or unusable.
    """
    if name not in RECIPES:
        raise ValueError(f'Expected a recipe: {", ".join(RECIPES)}. Received: "{name}".')
    recipe, out = RECIPES[name], Path(out)
    if data_dir and not Path(data_dir).is_dir():
        fetch = runtime.command("data", "fetch", recipe.dataset)
        raise data.DataError(
            f"{data_dir} does not exist. Expected a folder with train/<class>/<image> and test/<class>/<image>. "
            f"To train on {recipe.dataset} leave --data out; `{fetch}` downloads it."
        )
    recipe.check(options)
    index, workers = runtime.worker()
    if data_dir:
        read_size = functools.partial(recipe.read_size, options=options)
        dataset = data.image_folder(data_dir, image_size=read_size, on_error=on_error)
    else:
        dataset = data.load(recipe.dataset)
    print(dataset)
    settings = {"recipe": name, **recipe.settings(options), "seed": seed, "data": run_folder.fingerprint(dataset)}
    if index == 0:
        run_folder.claim(out, settings)
        if (out / "metrics.json").exists():
            print(f"{out} is finished already.")
            return json.loads((out / "metrics.json").read_text())
    strategy = runtime.strategy()
    rt = runtime.setup(seed)
    model, history = recipe.train(dataset, out, settings, rt, strategy, verbose)
    if index > 0:
        return None
    conditions = {**settings, "workers": workers, "device": rt.device, "precision": _precision(model)}
    conditions["mirrored"] = recipe.mirrored
    return run_folder.finish(out, model, dataset, history, conditions)


def _precision(model):
    return max(model.layers, key=lambda layer: layer.count_params()).dtype_policy.name


def predict(run, files, *, top=3):
    """Classifies image files with the model of a finished run.

    Args:
        run: the run folder, or the `model.keras` in it.
        files: paths of images.
        top: how many classes to name for each.

    Returns:
        A list with, for each file, a list of (class name, probability), the most probable first.

    Raises:
        data.DataError: when the run is not finished, its model cannot be loaded safely, or a file is no image.
    """
    folder = Path(run).parent if Path(run).suffix == ".keras" else Path(run)
    if missing := [name for name in ("metrics.json", "model.keras") if not (folder / name).exists()]:
        raise data.DataError(f"{folder} lacks {' and '.join(missing)}: it is no finished run. Train it first.")
    class_names, mirrored = _about(folder / "metrics.json")
    from dlkit.data import image_files

    with runtime.quiet_start():
        from dlkit import evaluate
    model = _load_model(folder / "model.keras", len(class_names))
    images, _ = image_files.read_images([Path(file) for file in files], image_size=model.input_shape[1:3])
    if model.input_shape[3:] != (3,):  # a model of grey images
        grey = (images @ [0.299, 0.587, 0.114]).round().astype("uint8")  # ITU-R BT.601, as Pillow does it
        images = grey.reshape(-1, *model.input_shape[1:])
    probs = evaluate.predict_probs(model, images, mirrored=mirrored)
    best = [(row.argsort()[::-1][:top], row) for row in probs]
    return [[(class_names[k], float(row[k])) for k in order] for order, row in best]


def _about(file):
    """Class names, and whether the model is asked twice."""
    try:
        metrics = json.loads(file.read_text())
        return [str(name) for name in metrics["class_names"]], bool(metrics.get("mirrored", False))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise data.DataError(f"{file} is not what a training has written: {error!r}. Train it again.") from error


def _load_model(file, num_classes):
    """A model from anywhere: Keras's safe mode loads no code, and what is not an image classifier is refused."""
    import keras

    try:
        if not zipfile.is_zipfile(file):
            raise ValueError("it is no .keras archive")
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
