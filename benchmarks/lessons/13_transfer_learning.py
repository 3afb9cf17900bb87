"""Few labeled images: frozen features, fine-tuning and training from scratch, each with its own best settings."""  # noqa: N999

from __future__ import annotations

import functools
from types import SimpleNamespace

import keras
import numpy as np

from dlkit import data, transfer

TITLE = "Test accuracy by number of training images per class (mean ± standard deviation over five draws)"
DATA = "cifar10"
FUNCTIONS = (
    "select_classes",
    "draw_images",
    "train_source",
    "extract_features",
    "nearest_class_mean",
    "logistic_regression",
    "copy_model",
    "compile_model",
    "accuracy",
    "with_new_head",
    "train_until_best",
)
SETTINGS = {
    "source_classes": (0, 1, 2, 3, 4, 6),
    "target_classes": (5, 7, 8, 9),
    "channels": (16, 32, 64),
    "source_images": 10_000,
    "source_epochs": 3,
    "image_size": 96,  # of the ImageNet backbone, MobileNet with a quarter of the channels
    "validation_images": 1_000,
    "seeds": (0, 1, 2, 3, 4),
    "tuning_seeds": (0, 1),  # a setting is the best on average over these, on validation images
    "tuned": {  # the learning rate, or C of the logistic regression
        "4 classes: logistic regression": (1e-4, 1e-3, 1e-2, 1e-1, 1.0),
        "4 classes: linear head, Adam": (1e-3, 3e-3, 1e-2, 3e-2),
        "4 classes: fine-tuned, batch norm frozen": (5e-5, 2e-4, 1e-3),
        "4 classes: fine-tuned, batch norm trained": (5e-5, 2e-4, 1e-3),
        "4 classes: from scratch": (3e-3, 1e-2, 3e-2),
        "10 classes, ImageNet: logistic regression": (1e-4, 1e-3, 1e-2, 1e-1, 1.0),
        "10 classes: from scratch, augmented": (3e-3, 1e-2),
    },
}
SHOW = {"rows": "way", "columns": "per_class", "values": "test"}
FOUR = ("4 classes: nearest class mean", *(way for way in SETTINGS["tuned"] if way.startswith("4")))
TEN = ("10 classes, ImageNet: nearest class mean", *(way for way in SETTINGS["tuned"] if way.startswith("10")))
ROWS = [{"way": way, "per_class": count} for ways in (FOUR, TEN) for count in (5, 20, 100, 500) for way in ways]


def prepare(lesson, dataset, settings=SETTINGS):
    """Gives the notebook's functions the data, the pretrained backbones, and one model for each way of training.

    Args:
        lesson: The module with the notebook's functions.
        dataset: A `dlkit.data.Dataset` of images in ten classes.
        settings: Dictionary with the keys of SETTINGS.
    """
    lesson.settings, lesson.channels = settings, settings["channels"]
    lesson.loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    keras.utils.set_random_seed(0)
    source_split = lesson.select_classes(dataset.train, settings["source_classes"])
    images, labels = (x[: settings["source_images"]] for x in source_split)
    source = lesson.train_source(images, labels, settings["source_epochs"])
    backbone = keras.Model(source.input, source.get_layer("mean").output, name="backbone")
    # Without the real data, which is a trial of this file, the second backbone has random weights.
    weights = "imagenet" if dataset.is_real else None
    imagenet = transfer.build_backbone("mobilenet", (32, 32, 3), image_size=settings["image_size"], weights=weights)
    target = [lesson.select_classes(split, settings["target_classes"]) for split in (dataset.train, dataset.test)]
    lesson.tasks = {
        "4": _task(lesson, *target, backbone),
        "10": _task(lesson, dataset.train, dataset.test, imagenet),
    }
    head = keras.Sequential([keras.Input(backbone.output_shape[1:]), keras.layers.Dense(4, name="head")])
    lesson.compile_model(head, 1e-3)
    trained = lesson.with_new_head(backbone, 4, train_batch_norm=True)
    lesson.models = {
        "4 classes: linear head, Adam": head,
        "4 classes: fine-tuned, batch norm frozen": lesson.with_new_head(backbone, 4, train_batch_norm=False),
        "4 classes: fine-tuned, batch norm trained": trained,
        "4 classes: from scratch": trained,
        "10 classes: from scratch, augmented": lesson.with_new_head(backbone, 10, train_batch_norm=True),
    }


def measure(lesson, way, per_class):
    """One row of the table: one way of training, with one number of images per class.

    Args:
        lesson: The module with the notebook's functions, after `prepare`.
        way: String, the way of training, one of FOUR or TEN.
        per_class: Integer, the number of training images of each class.

    Returns:
        Dictionary with the test accuracy for each seed ("test") and, for a way that is tuned, the chosen setting, the
        mean validation accuracy with each candidate, and for each seed the validation accuracy and, if it is trained in
        steps, their number.
    """
    if way.endswith("nearest class mean"):
        return {"test": [_nearest_class_mean(lesson, way, per_class, seed) for seed in lesson.settings["seeds"]]}
    chosen, tried, runs = _best_runs(lesson, way, per_class)
    keys = ("validation", "steps") if way in lesson.models else ("validation",)
    details = {key: [run[key] for run in runs.values()] for key in keys}
    tests = [_test(lesson, way, run["trained"]) for run in runs.values()]
    return {"chosen": chosen, "validation_by_setting": tried, **details, "test": tests}


def _task(lesson, train, test, backbone):
    """The data of a task, of which the first training images are for validation, and the features of those that are
    used for every row."""
    count = lesson.settings["validation_images"]
    validation, pool = [x[:count] for x in train], [x[count:] for x in train]
    features = {id(x): lesson.extract_features(backbone, x) for x in (validation[0], test[0])}
    return SimpleNamespace(validation=validation, pool=pool, test=test, backbone=backbone, features=features)


def _inputs(lesson, way, images):
    """The inputs of a way's model: images, or their features where only the head is trained."""
    task = lesson.tasks[way.split()[0]]
    if way in lesson.models and not way.endswith("linear head, Adam"):
        return images
    computed = task.features.get(id(images))
    return lesson.extract_features(task.backbone, images) if computed is None else computed


def _nearest_class_mean(lesson, way, per_class, seed):
    task = lesson.tasks[way.split()[0]]
    images, labels = lesson.draw_images(task.pool, per_class, seed)
    test_images, test_labels = task.test
    inputs = _inputs(lesson, way, images), labels, _inputs(lesson, way, test_images)
    return float(np.mean(lesson.nearest_class_mean(*inputs) == test_labels))


@functools.cache
def _best_runs(lesson, way, per_class):
    """(chosen setting, mean validation accuracy by setting, runs by seed)."""
    seeds, tuning_seeds = lesson.settings["seeds"], lesson.settings["tuning_seeds"]
    runs = {
        setting: {seed: _train(lesson, way, per_class, seed, setting) for seed in tuning_seeds}
        for setting in lesson.settings["tuned"][way]
    }
    tried = {key: float(np.mean([run["validation"] for run in found.values()])) for key, found in runs.items()}
    best = max(tried, key=tried.get)
    for seed in seeds:
        if seed not in tuning_seeds:
            runs[best][seed] = _train(lesson, way, per_class, seed, best)
    return best, tried, runs[best]


def _train(lesson, way, per_class, seed, setting):
    task, start = lesson.tasks[way.split()[0]], None
    images, labels = lesson.draw_images(task.pool, per_class, seed)
    train, validation = ((_inputs(lesson, way, split[0]), split[1]) for split in ((images, labels), task.validation))
    if way not in lesson.models:
        fitted = lesson.logistic_regression(*train, setting)
        return {"validation": fitted.score(*validation), "trained": fitted}
    if "fine-tuned" in way:  # it begins with the head that was trained on frozen features
        head = _best_runs(lesson, "4 classes: linear head, Adam", per_class)[2][seed]["trained"]
        start = task.backbone.get_weights() + head
    model, augment = lesson.models[way], data.random_crop_and_flip if way.endswith("augmented") else None
    best = lesson.train_until_best(model, train, validation, setting, seed, start, augment)
    return {"validation": best, "steps": int(model.optimizer.iterations), "trained": model.get_weights()}


def _test(lesson, way, trained):
    """The test accuracy of one run, given as its weights or, for the logistic regression, as the fitted classifier."""
    images, labels = lesson.tasks[way.split()[0]].test
    inputs = _inputs(lesson, way, images)
    if way not in lesson.models:
        return float(trained.score(inputs, labels))
    lesson.models[way].set_weights(trained)
    return lesson.accuracy(lesson.models[way], inputs, labels)
