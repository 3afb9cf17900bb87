"""Complete trainings by name: data, model, training, evaluation and export, with all results in a run folder.

The command `dlkit train` calls `train`, `dlkit predict` calls `predict`, and `dlkit evaluate` `evaluate_folder`.
"""

import contextlib
import dataclasses
import difflib
from pathlib import Path

import numpy as np

from dlkit import data, runtime, validation
from dlkit.data import folders
from dlkit.recipes import report, results, run_folder
from dlkit.recipes.base import Job, Recipe
from dlkit.recipes.finished import evaluate_folder, predict
from dlkit.recipes.from_scratch import FROM_SCRATCH, FromScratch
from dlkit.recipes.pretrained import PRETRAINED, FineTuning
from dlkit.recipes.verdict import describe, report_flips
from dlkit.runtime.workers import agree

__all__ = ["RECIPES", "FineTuning", "FromScratch", "Recipe", "describe", "evaluate_folder", "predict", "train"]

RECIPES = {**FROM_SCRATCH, **PRETRAINED}


def train(
    name,
    *,
    out,
    data_dir=None,
    on_error="raise",
    cache=None,
    seed=0,
    device=None,
    overwrite=False,
    verbose=1,
    **options,
):
    """Trains a recipe, or resumes a training that was stopped, and writes everything into a run folder.

    The same call with more epochs continues a finished training whose learning rate has not fallen to zero.

    The folder ends up with `model.keras`, `confusion.png`, `predictions.png`, `metrics.json` and `report.html`. Several
    GPUs of one machine are used automatically. When TF_CONFIG names several machines, start the same command on each of
    them: they train together, and worker 0 writes the run folder.

    Args:
        name: String, a key of `RECIPES`.
        out: String or path, the run folder; it is made if it does not exist.
        data_dir: Folder of images in a layout that `data.image_folder` knows; None loads the recipe's own data set.
        on_error: String, "raise" (the default) or "skip" for unreadable files, as for `data.image_folder`.
        cache: Folder for features of frozen networks, which runs can share; default `features` in the run folder.
        seed: Integer, the seed of everything random, default 0.
        device: String, as for `runtime.select_device`: "cpu", "gpu", "gpu:1"; None, the default, uses all GPUs.
        overwrite: Boolean, default False, whether to delete the results of another training that `out` holds.
        verbose: Integer, 0, 1 (the default) or 2, as for `keras.Model.fit`.
        **options: As for `Recipe.with_options`, attributes of the `Recipe`: `epochs`, `image_size`, `flip` (False for
            classes that a mirror exchanges) and so on; for a pretrained network also `unfreeze` (a stage, as for
            `transfer.unfreeze`) and `weights` ("imagenet", a file, or "none").

    Returns:
        Dictionary, the content of `metrics.json`; None on workers other than 0.

    Raises:
        ValueError: If the recipe or an option is unknown, the run folder belongs to another process, or to other
            settings or data, or other workers have others, or the training would not fit into memory.
        data.DataError: If the data or the weights are missing or unusable.
        OSError: If the run folder cannot be written to.
        dlkit.training.DivergedError: If the loss or a weight becomes NaN or infinite.
        ConnectionError: If another machine stops answering.
    """
    recipe, out, seed = _find(name).with_options(**options), Path(out), validation.check_seed(seed)
    recipe.check_requirements(data_dir)
    if device is not None:
        runtime.select_device(device)
    index, workers = runtime.worker()
    if not index:
        run_folder.check_out(out)
    recipe, dataset = _load(recipe, data_dir, on_error, workers)
    splits = run_folder.split_validation(dataset, recipe.val_split, seed)
    recipe = recipe.adapt(len(splits[0][1]))
    settings = {"recipe": name, **recipe.settings(), "seed": seed, "data": run_folder.describe_data(dataset)}
    claim = {"overwrite": overwrite, "extensible": not recipe.one_cycle}
    with contextlib.nullcontext() if index else run_folder.claim(out, settings, **claim):
        file = out / "metrics.json"
        finished = index == 0 and file.exists() and "recall" in run_folder.read_json(file)  # not by an earlier version
        # The same data may come from another place on another machine.
        if agree({**settings, "data": settings["data"]["sha256"]}, finished=finished):
            print(f"{out} is finished already.")
            if not index and (out / "test.npz").exists() and not (out / "report.html").exists():
                report.write_report(out)
            return None if index else run_folder.read_json(file)
        strategy = runtime.strategy()
        if recipe.class_weights and strategy:
            raise ValueError("Expected class weights (--class-weights) on one device only. Received: several.")
        cache, rt = Path(cache or out / "features"), runtime.setup(seed)
        job = Job(*splits, dataset.class_names, out, cache, rt, strategy, verbose)
        model, history = recipe.train(job)
        if index:
            return None
        largest = max(model.layers, key=lambda layer: layer.count_params())
        conditions = {"workers": workers, "device": rt.device, "precision": largest.dtype_policy.name}
        model = _copy(model)
        if recipe.flip_tta:
            report_flips(model, splits[1])
        conditions = {**job.read_settings(), **conditions, "flip_tta": recipe.flip_tta, "on_error": on_error}
        metrics = results.write_results(out, model, dataset, history, conditions)
        report.write_report(out)
        return metrics


def _find(name):
    """The recipe of a name. Raises a ValueError that proposes a similar one."""
    if name not in RECIPES:
        similar = difflib.get_close_matches(name, RECIPES, 1)
        proposal = f' Did you mean "{similar[0]}"?' if similar else ""
        raise ValueError(f'Expected a recipe: {", ".join(RECIPES)}. Received: "{name}".{proposal}')
    return RECIPES[name]


def _load(recipe, data_dir, on_error, workers):
    """The recipe for the size of the images, and the data set, which is printed."""
    if not data_dir:
        dataset = data.load(recipe.dataset)
    else:
        layout = folders.find(data_dir)
        files = layout.files()
        size = recipe.folder_image_size(set(folders.stored_sizes(files[:: max(len(files) // 200, 1)])))  # a sample
        if workers == 1:  # several machines must meet before TensorFlow computes anything
            recipe.check_memory(size)
        if size:
            recipe = dataclasses.replace(recipe, image_size=size[0])
        dataset = folders.read(layout, image_size=size, resize=recipe.resize, on_error=on_error)
    print(dataset)
    if dataset.validation and "val_split" in recipe.given:
        raise ValueError("Expected val_split (--val-split) only without a folder of validation images. Received both.")
    return recipe, dataset


def _copy(model):
    """The model without the state of its training: plain Keras loads it, and it needs no strategy."""
    copy = type(model).from_config(model.get_config())
    for variable, trained in zip(copy.variables, model.variables, strict=True):
        variable.assign(np.asarray(trained))
    return copy
