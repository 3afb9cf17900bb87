"""Self-attention against convolution, the steps from ResNet to ConvNeXt, and pretrained backbones by input size."""  # noqa: N999

from __future__ import annotations

import functools

import keras
import numpy as np

from dlkit import training, transfer

TITLE = "Test accuracy on CIFAR-10 (mean ± standard deviation over the seeds)"
DATA = "cifar10"
FUNCTIONS = (
    "normalize",
    "attend",
    "convolve",
    "encoder_block",
    "build_vit",
    "build_rival",
    "compiled",
    "train",
    "accuracy",
    "cut_patches",
    "join_patches",
    "shuffle_patches",
    "conv_norm",
    "bottleneck",
    "depthwise_bottleneck",
    "inverted_bottleneck",
    "large_kernel_block",
    "convnext_block",
    "staircase",
    "build_step",
    "stem",
    "halve",
    "linear_probe",
)
SETTINGS = {
    "train_images": 2_000,
    "validation_images": 1_000,
    "test_images": 3_000,
    "rates": (1e-3, 3e-3, 1e-2),  # the best on validation images, with the first seed; attention: on both orders
    "mixing": {"epochs": 8, "seeds": (0, 1, 2, 3, 4)},
    "steps": {"epochs": 6, "seeds": (0, 1, 2)},
    "equal work": {"epochs": 2, "seeds": (0, 1, 2)},  # about the multiply-adds of the 6 epochs of ConvNeXt
    "probe": {
        "pool": 3_000,  # each subset is drawn from the first training images
        "train_images": 1_500,
        "subsets": (0, 1, 2, 3, 4),
        "penalty_images": 500,  # the last training images choose the penalty
        "validation_images": 1_000,  # those before them give the validation accuracy
        "test_images": 1_000,
    },
    "fine_tuning": {
        "head_epochs": 30,
        "epochs": 10,
        "subsets": (0, 1, 2),  # the images of "probe"; its penalty images choose the learning rate here
        "rates": (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1),
        "first_rates": (1e-3, 3e-3, 1e-2),  # then those beside the best one, until both neighbors are worse
    },
}
SHOW = {"rows": "row", "columns": "column", "values": "test"}
STEPS = (
    "ResNet",
    "patchify stem",
    "depthwise convolution",
    "inverted bottleneck",
    "7 × 7 kernel, first",
    "ConvNeXt",
)
SIZES = {"mobilenet": (32, 64, 96, 128), "efficientnet_lite0": (32, 64, 96, 128)}
CELLS = {  # {table: {row: columns}}
    "mixing": dict.fromkeys(("attention", "convolution"), ("original", "rearranged")),
    "probe": SIZES,
    "steps": dict.fromkeys(STEPS, ("accuracy",)),
    "equal work": {"ResNet": ("accuracy",)},
    "fine-tuning": {"mobilenet": (64,)},
}
ROWS = [
    {"table": table, "row": row, "column": column}
    for table, rows in CELLS.items()
    for row, columns in rows.items()
    for column in columns
]


def prepare(lesson, dataset, settings=SETTINGS):
    """Gives the notebook's module the images: the first for training, the last ones for validation.

    Args:
        lesson: The module with the notebook's functions.
        dataset: A `dlkit.data.Dataset` of images in ten classes.
        settings: Dictionary with the keys of SETTINGS.
    """
    lesson.settings = settings
    images, labels = dataset.train
    count, held_out = settings["train_images"], settings["validation_images"]
    lesson.train_split = images[:count], labels[:count]
    lesson.val_split = images[-held_out:], labels[-held_out:]
    lesson.test_split = tuple(values[: settings["test_images"]] for values in dataset.test)
    lesson.all_train = dataset.train


def measure(lesson, table, row, column):
    """One cell of one of the five tables.

    Args:
        lesson: The module with the notebook's functions, after `prepare`.
        table: String: "mixing", "steps", "equal work", "probe" or "fine-tuning".
        row: String, the network.
        column: What changes along the row: the order of the patches, or the input size in pixels.

    Returns:
        Dictionary with the test accuracy for each seed ("test"), and what else was chosen or measured.
    """
    if table == "mixing":
        return _measure_mixing(lesson, row, column)
    if table in ("steps", "equal work"):
        return _measure_runs(lesson, lesson.build_step(row), lesson.settings[table])
    return (_measure_probe if table == "probe" else _measure_fine_tuning)(lesson, row, column)


def _measure_mixing(lesson, mixer, order):
    """Attention gets one learning rate for both orders, because they are the same task for it."""
    changes = {"original": lambda images: images, "rearranged": lesson.shuffle_patches}
    network, settings = _rival(lesson, mixer), lesson.settings["mixing"]
    choose_on = changes.values() if mixer == "attention" else [changes[order]]
    return _measure_runs(lesson, network, settings, changes[order], choose_on)


@functools.cache
def _rival(lesson, mixer):
    return lesson.build_rival(mixer)


def _measure_runs(lesson, network, settings, change=lambda images: images, choose_on=None):
    """Chooses the learning rate on validation images with the first seed, then trains with every seed."""
    lesson.compiled(network)

    def train(change, rate, seed, split):
        images, labels = lesson.train_split
        lesson.train(network, change(images), labels, rate, seed, settings["epochs"])
        return lesson.accuracy(network, change(split[0]), split[1])

    seeds, changes = settings["seeds"], choose_on or [change]
    tried = {
        rate: float(np.mean([train(to, rate, seeds[0], lesson.val_split) for to in changes]))
        for rate in lesson.settings["rates"]
    }
    rate = max(tried, key=tried.get)
    tests = [train(change, rate, seed, lesson.test_split) for seed in seeds]
    return {"learning_rate": rate, "validation_by_rate": tried, "parameters": network.count_params(), "test": tests}


def _probe_splits(lesson):
    """The first training images, and those that choose, validate and test."""
    settings, (images, labels) = lesson.settings["probe"], lesson.all_train
    first, last = settings["pool"], len(labels) - settings["penalty_images"]
    return {
        "pool": (images[:first], labels[:first]),
        "penalty": (images[last:], labels[last:]),
        "validation": tuple(values[last - settings["validation_images"] : last] for values in (images, labels)),
        "test": tuple(values[: settings["test_images"]] for values in lesson.test_split),
    }


def _subset(settings, seed):
    return np.random.default_rng(seed).permutation(settings["pool"])[: settings["train_images"]]


def _measure_probe(lesson, name, size):
    """Several training subsets; the penalty, the validation score and the test score each have their own images."""
    settings, splits = lesson.settings["probe"], _probe_splits(lesson)
    backbone = transfer.build_backbone(name, (32, 32, 3), image_size=size)
    features = {part: backbone.predict(x, batch_size=100, verbose=0) for part, (x, _) in splits.items()}
    scores = {"validation": [], "test": []}
    for seed in settings["subsets"]:
        chosen = _subset(settings, seed)
        train_split = features["pool"][chosen], splits["pool"][1][chosen]
        predict = lesson.linear_probe(train_split, (features["penalty"], splits["penalty"][1]))
        for part, values in scores.items():
            values.append(float(np.mean(predict(features[part]) == splits[part][1])))
    return {"features": int(features["pool"].shape[1]), **scores}


def _best_rate(settings, score):
    """Tries the first rates, and then those beside the best one, as long as there are new ones."""
    rates, missing, tried = settings["rates"], settings["first_rates"], {}
    while missing:
        tried |= {rate: score(rate) for rate in missing}
        best = rates.index(max(tried, key=tried.get))
        missing = [rate for rate in rates[max(best - 1, 0) : best + 2] if rate not in tried]
    return rates[best], tried


def _measure_fine_tuning(lesson, name, size):
    """All layers are trained on the images of the probe; the rate falls linearly, and a linear head comes first.

    Batch normalization keeps its statistics.
    """
    settings, splits = lesson.settings["fine_tuning"], _probe_splits(lesson)
    backbone = transfer.build_backbone(name, (32, 32, 3), image_size=size)
    original, head = backbone.get_weights(), keras.layers.Dense(10)
    inputs = keras.Input((32, 32, 3))
    model = lesson.compiled(keras.Model(inputs, head(backbone(inputs, training=False))))
    head_model = lesson.compiled(keras.Sequential([keras.Input((backbone.output_shape[1],)), head]))
    features, epochs = backbone.predict(splits["pool"][0], batch_size=100, verbose=0), settings["epochs"]
    results = {}

    def train(rate, subset):
        images, labels = splits["pool"]
        chosen = _subset(lesson.settings["probe"], subset)
        training.restart(model, subset)
        backbone.set_weights(original)
        training.restart(head_model, subset)
        head_model.fit(features[chosen], labels[chosen], batch_size=50, epochs=settings["head_epochs"], verbose=0)
        before = lesson.accuracy(model, *splits["test"])
        fall = keras.callbacks.LearningRateScheduler(lambda epoch: rate * (1 - epoch / epochs))
        options = {"batch_size": 50, "epochs": epochs, "callbacks": [fall], "verbose": 0}
        model.fit(images[chosen], labels[chosen], **options)
        parts = {part: lesson.accuracy(model, *splits[part]) for part in ("penalty", "validation", "test")}
        results[rate, subset] = {"head": before, **parts}
        return parts["penalty"]

    first, *others = settings["subsets"]
    rate, tried = _best_rate(settings, lambda rate: train(rate, first))
    for subset in others:
        train(rate, subset)
    scores = {part: [results[rate, s][part] for s in settings["subsets"]] for part in ("head", "validation", "test")}
    return {"learning_rate": rate, "validation_by_rate": tried, **scores}
