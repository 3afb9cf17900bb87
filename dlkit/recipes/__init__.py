"""Whole trainings by name: data, model, training, evaluation, export, and what came of it written to a run folder.

`python -m dlkit train` calls `train`. Heavy imports wait until the data is known to be good, so that a slip in a
path is told in a second and not after TensorFlow's start.
"""

from __future__ import annotations

import functools
import json
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
        raise data.DataError(
            f"{data_dir} does not exist. Expected a folder with train/<class>/<image> and test/<class>/<image>. "
            f"To train on {recipe.dataset} leave --data out; `python -m dlkit data fetch {recipe.dataset}` gets it."
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
        data.DataError: when the run is not finished, or a file is no image.
    """
    folder = Path(run).parent if Path(run).suffix == ".keras" else Path(run)
    if missing := [name for name in ("metrics.json", "model.keras") if not (folder / name).exists()]:
        raise data.DataError(f"{folder} lacks {' and '.join(missing)}: it is no finished run. Train it first.")
    metrics = json.loads((folder / "metrics.json").read_text())
    class_names = metrics["class_names"]
    with runtime.quiet_start():
        import keras

    from dlkit import evaluate
    from dlkit.data import image_files

    model = keras.models.load_model(folder / "model.keras")
    images, _ = image_files.read_images([Path(file) for file in files], image_size=model.input_shape[1:3])
    probs = evaluate.predict_probs(model, images, mirrored=metrics.get("mirrored", False))
    best = [(row.argsort()[::-1][:top], row) for row in probs]
    return [[(class_names[k], float(row[k])) for k in order] for order, row in best]
