"""Complete trainings by name: data, model, training, evaluation and export, with all results in a run folder.

The command `dlkit train` calls `train`, and `dlkit predict` calls `predict`.
"""

from __future__ import annotations

import contextlib
import zipfile
from pathlib import Path

import keras
import numpy as np

from dlkit import data, evaluate, runtime, validation
from dlkit.data import image_files
from dlkit.recipes import run_folder
from dlkit.recipes.base import Job, Recipe
from dlkit.recipes.from_scratch import FROM_SCRATCH, FromScratch
from dlkit.recipes.pretrained import PRETRAINED, FineTuning
from dlkit.runtime.workers import agree

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
        **options: `epochs` and `image_size` instead of the recipe's own; `flip`, False for classes that a mirror
            exchanges, such as left and right: images are then never flipped; for a recipe that fine-tunes a pretrained
            network also `unfreeze` (a stage, as for `transfer.unfreeze`) and `weights` ("imagenet", a file, or "none").
            None stands for the recipe's own value.

    Returns:
        Dictionary, the content of `metrics.json`; None on workers other than 0.

    Raises:
        ValueError: If the recipe or an option is unknown, or the run folder belongs to other settings or other data,
            or to another process that is training there, or other workers have other settings or other data.
        dlkit.training.DivergedError: If the loss becomes NaN or infinite.
        OSError: If the run folder cannot be written to.
        data.DataError: If the data or the weights are missing or unusable.
        dlkit.training.distributed.WorkerLostError: If another machine stops answering.
    """
    if name not in RECIPES:
        raise ValueError(f'Expected a recipe: {", ".join(RECIPES)}. Received: "{name}".')
    recipe, out, seed = RECIPES[name].with_options(**options), Path(out), validation.check_seed(seed)
    recipe.check_requirements(data_dir)
    index, workers = runtime.worker()
    if data_dir:
        image_size = recipe.folder_image_size(data.image_sizes(data_dir))
        dataset = data.image_folder(data_dir, image_size=image_size, on_error=on_error)
    else:
        dataset = data.load(recipe.dataset)
    print(dataset)
    splits = run_folder.split_validation(dataset.train, seed)
    settings = {"recipe": name, **recipe.settings(), "seed": seed, "data": run_folder.describe_data(dataset)}
    with contextlib.nullcontext() if index else run_folder.claim(out, settings):
        finished = index == 0 and (out / "metrics.json").exists()
        # The same data may come from another place on another machine.
        if agree({**settings, "data": settings["data"]["sha256"]}, finished=finished):
            print(f"{out} is finished already.")
            return None if index else run_folder.read_json(out / "metrics.json")
        strategy = runtime.strategy()
        rt = runtime.setup(seed)
        job = Job(*splits, dataset.class_names, out, Path(cache or out / "features"), rt, strategy, verbose)
        model, history = recipe.train(job)
        if index:
            return None
        conditions = {**settings, "workers": workers, "device": rt.device, "precision": _precision(model)}
        conditions["flip_tta"] = recipe.flip_tta
        model = _copy(model)
        if recipe.flip_tta:
            run_folder.report_flips(model, splits[1])
        return run_folder.write_results(out, model, dataset, history, conditions)


def _copy(model):
    """The model without what it was trained with: plain Keras loads it, and it needs no strategy."""
    copy = type(model).from_config(model.get_config())
    for variable, trained in zip(copy.variables, model.variables, strict=True):
        variable.assign(np.asarray(trained))
    return copy


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
        ValueError: If there is no file, or `top` is less than 1.
        data.DataError: If the run is not finished, its model cannot be loaded safely, or a file cannot be decoded as an
            image.
    """
    validation.check_integer("top", top)
    folder, files = Path(run).parent if Path(run).suffix == ".keras" else Path(run), [Path(file) for file in files]
    if missing := [name for name in ("metrics.json", "model.keras") if not (folder / name).exists()]:
        raise data.DataError(f"{folder} lacks {' and '.join(missing)}: it is not a finished run. Train it first.")
    if not files:
        raise ValueError("Expected image files to classify. Received: none.")
    if other := next((file for file in files if not file.is_file()), None):
        raise data.DataError(f"{other} {'is a folder' if other.is_dir() else 'does not exist'}. Expected image files.")
    metrics = run_folder.read_json(folder / "metrics.json", class_names=list)
    class_names = [str(name) for name in metrics["class_names"]]
    model = _load_model(folder / "model.keras", len(class_names))
    images, _ = image_files.read_images(files, image_size=model.input_shape[1:3])
    if model.input_shape[3:] != (3,):  # a model of grayscale images
        gray = (images @ [0.299, 0.587, 0.114]).round().astype("uint8")  # ITU-R BT.601, as in Pillow
        images = gray.reshape(-1, *model.input_shape[1:])
    images = _match_ground(images, files, metrics.get("border_brightness"))
    probs = evaluate.predict_probs(model, images, flip_tta=bool(metrics.get("flip_tta")))
    return [[(class_names[k], float(row[k])) for k in row.argsort()[::-1][:top]] for row in probs]


def _match_ground(images, files, training_range):
    """Inverts grayscale images with dark writing on a light ground for a model of light on dark, and vice versa."""
    low, high = training_range or (0, 255)  # of nine tenths of the training images
    if low < 128 <= high:
        return images
    other_ground = (run_folder.border_brightness(images) < 128) != (high < 128)
    is_gray = images.shape[3:] != (3,)
    for k in np.flatnonzero(other_ground):
        advice = "its negative is classified" if is_gray else "do not rely on the answer"
        print(f"{files[k]}: its border is {'light' if high < 128 else 'dark'}, unlike the training images: {advice}.")
    return np.where(other_ground.reshape(-1, *[1] * (images.ndim - 1)), 255 - images, images) if is_gray else images


def _load_model(file, num_classes):
    """A model of any origin: Keras's safe mode runs none of its code, and what does not classify images is refused."""
    with open(file, "rb") as opened:  # zipfile.is_zipfile would call an unreadable file no archive
        is_archive = zipfile.is_zipfile(opened)
    try:
        if not is_archive:
            raise ValueError("it is not a .keras archive")
        model = keras.models.load_model(file, compile=False, safe_mode=True)
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
