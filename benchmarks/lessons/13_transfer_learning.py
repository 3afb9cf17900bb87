"""Few labeled images: frozen features, fine-tuning and training from scratch, each with its own best settings."""  # noqa: N999

from __future__ import annotations

import functools

import keras
import numpy as np

from dlkit import transfer

TITLE = "Test accuracy on the four target classes, by number of training images per class (mean ± standard deviation)"
DATA = "cifar10"
FUNCTIONS = (
    "only",
    "pick",
    "train_source",
    "prepare",
    "copied",
    "with_new_head",
    "nearest_class_mean",
    "train_until_best",
    "features",
    "test_accuracy",
)
SETTINGS = {
    "source_classes": (0, 1, 2, 3, 4, 6),
    "target_classes": (5, 7, 8, 9),
    "channels": (16, 32, 64),
    "source_images": 10_000,
    "source_epochs": 3,
    "validation_images": 1_000,
    "seeds": (0, 1, 2, 3, 4),
    "rate_seeds": (0, 1),  # the learning rate is the best on average over these, on validation images
    "rates": {
        "frozen features": (1e-3, 3e-3, 1e-2, 3e-2),
        "fine-tuned, batch norm frozen": (1e-4, 5e-4, 2e-3),
        "fine-tuned, batch norm trained": (1e-4, 5e-4, 2e-3),
        "from scratch": (1e-3, 3e-3, 1e-2),
    },
}
SHOW = {"rows": "way", "columns": "per_class", "values": "test"}
WAYS = ("nearest class mean", *SETTINGS["rates"])
ROWS = [{"way": way, "per_class": count} for count in (5, 20, 100, 500) for way in WAYS]


def prepare(lesson, dataset, settings=SETTINGS):
    """Gives the notebook's functions the data, the network trained on the source, and one model for each way.

    Args:
        lesson: The module with the notebook's functions.
        dataset: A `dlkit.data.Dataset` of images in ten classes.
        settings: Dictionary with the keys of SETTINGS.
    """
    lesson.settings = settings
    for name in ("source_classes", "target_classes", "channels"):
        setattr(lesson, name, settings[name])
    lesson.loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    lesson.learning_rate = 1e-3  # of a model just built; `train_until_best` sets its own
    keras.utils.set_random_seed(0)
    images, labels = (x[: settings["source_images"]] for x in lesson.only(dataset.train, lesson.source_classes))
    source = lesson.train_source(images, labels, settings["source_epochs"])
    lesson.backbone = keras.Model(source.input, source.get_layer("mean").output, name="backbone")
    target, count = lesson.only(dataset.train, lesson.target_classes), settings["validation_images"]
    lesson.validation, lesson.pool = [x[:count] for x in target], [x[count:] for x in target]
    lesson.test_images, lesson.test_labels = lesson.only(dataset.test, lesson.target_classes)
    lesson.on_features = {id(x): lesson.features(x) for x in (lesson.validation[0], lesson.test_images)}
    head = transfer.build_head(lesson.backbone.output_shape[1:], len(lesson.target_classes), hidden=())
    lesson.prepare(head, lesson.learning_rate)
    trained = lesson.with_new_head(lesson.backbone, batch_norm=True)
    lesson.models = {
        "frozen features": head,
        "fine-tuned, batch norm frozen": lesson.with_new_head(lesson.backbone, batch_norm=False),
        "fine-tuned, batch norm trained": trained,
        "from scratch": trained,
    }


def measure(lesson, way, per_class):
    """One row of the table: one way of training, with one number of images per class.

    Args:
        lesson: The module with the notebook's functions, after `prepare`.
        way: String, the way of training, one of WAYS.
        per_class: Integer, the number of training images of each class.

    Returns:
        Dictionary with the test accuracy for each seed ("test") and, for a way that is trained, the chosen learning
        rate, the mean validation accuracy with each rate, and the best validation accuracy and steps for each seed.
    """
    if way == "nearest class mean":
        return {"test": [_nearest_class_mean(lesson, per_class, seed) for seed in lesson.settings["seeds"]]}
    rate, tried, runs = _best_runs(lesson, way, per_class)
    tests = []
    for run in runs.values():
        lesson.models[way].set_weights(run["weights"])
        tests.append(float(lesson.test_accuracy(lesson.models[way], _inputs(lesson, way, lesson.test_images))))
    details = {key: [run[key] for run in runs.values()] for key in ("validation", "steps")}
    return {"learning_rate": rate, "validation_by_rate": tried, **details, "test": tests}


def _nearest_class_mean(lesson, per_class, seed):
    images, labels = lesson.pick(per_class, seed, lesson.pool)
    tests = _inputs(lesson, "frozen features", lesson.test_images)
    return float(np.mean(lesson.nearest_class_mean(lesson.features(images), labels, tests) == lesson.test_labels))


@functools.cache
def _best_runs(lesson, way, per_class):
    """(learning rate, mean validation accuracy by rate, runs by seed): the rate is chosen on validation images."""
    seeds, rate_seeds = lesson.settings["seeds"], lesson.settings["rate_seeds"]
    runs = {
        rate: {seed: _train(lesson, way, per_class, seed, rate) for seed in rate_seeds}
        for rate in lesson.settings["rates"][way]
    }
    tried = {rate: float(np.mean([run["validation"] for run in found.values()])) for rate, found in runs.items()}
    best = max(tried, key=tried.get)
    for seed in seeds:
        if seed not in rate_seeds:
            runs[best][seed] = _train(lesson, way, per_class, seed, best)
    return best, tried, runs[best]


def _train(lesson, way, per_class, seed, rate):
    model, start = lesson.models[way], None
    images, labels = lesson.pick(per_class, seed, lesson.pool)
    if way.startswith("fine-tuned"):  # it begins with the head that was trained on frozen features
        head = _best_runs(lesson, "frozen features", per_class)[2][seed]["weights"]
        start = lesson.backbone.get_weights() + head
    train_split = (_inputs(lesson, way, images), labels)
    validation = (_inputs(lesson, way, lesson.validation[0]), lesson.validation[1])
    accuracy = lesson.train_until_best(model, train_split, validation, rate, seed, start)
    return {"validation": accuracy, "steps": int(model.optimizer.iterations), "weights": model.get_weights()}


def _inputs(lesson, way, images):
    """The inputs of a way's model: features for the head alone, computed once for images that are used often."""
    if way != "frozen features":
        return images
    computed = lesson.on_features.get(id(images))
    return lesson.features(images) if computed is None else computed
