"""Thirty layers, five set-ups, each at its own learning rate, five seeds."""  # noqa: N999

from __future__ import annotations

import keras

TITLE = "Accuracy after 50 steps (mean ± standard deviation over five seeds)"
DATA = "mnist"
FUNCTIONS = ("build", "compiled", "train", "accuracy", "train_and_score")
_BATCH_NORM = {"activation": "relu", "initializer": "he_normal", "batch_norm": True}
SETTINGS = {
    "depth": 30,
    "units": 64,
    "networks": {
        "sigmoid": {"activation": "sigmoid", "initializer": "glorot_normal"},
        "ReLU": {"activation": "relu", "initializer": "glorot_normal"},
        "He": {"activation": "relu", "initializer": "he_normal"},
        "batch norm": _BATCH_NORM,
        "skip": {**_BATCH_NORM, "skip": True},
    },
    "validation_part": 8,  # the last eighth of the training images
    "steps": 50,  # of 128 images
    "rates": (0.002, 0.006, 0.02, 0.06),  # the best one on validation images, with the first seed
    "larger_rates": (0.2, 0.6),  # tried one by one, as long as the largest so far is the best
    "seeds": (0, 1, 2, 3, 4),  # other starting weights, other images in each step; the same for all set-ups
}
SHOW = {"rows": "network", "columns": "split", "values": "accuracy"}
ROWS = [{"network": name, "split": split} for name in SETTINGS["networks"] for split in ("validation", "test")]


def prepare(lesson, dataset, settings=SETTINGS):
    """Gives the notebook's functions the images and the settings.

    Args:
        lesson: The module with the notebook's functions.
        dataset: A `dlkit.data.Dataset` of images of 28 x 28 pixels in ten classes.
        settings: Dictionary with the keys of SETTINGS.
    """
    lesson.settings, lesson.measured = settings, {}
    lesson.depth, lesson.units, lesson.steps = settings["depth"], settings["units"], settings["steps"]
    lesson.cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    images, labels = dataset.train
    held_out = len(images) // settings["validation_part"]
    lesson.images, lesson.labels = images[:-held_out], labels[:-held_out]
    lesson.val_images, lesson.val_labels = images[-held_out:], labels[-held_out:]
    lesson.test_images, lesson.test_labels = dataset.test


def measure(lesson, network, split):
    """One row of the table: chooses the learning rate with the first seed, then trains with every seed.

    Args:
        lesson: The module with the notebook's functions, after `prepare`.
        network: String, a key of the setting "networks".
        split: String, "validation" or "test".

    Returns:
        Dictionary with the accuracy for each seed, the chosen learning rate and the validation accuracy of each rate.
    """
    if network not in lesson.measured:
        lesson.measured[network] = _measure_network(lesson, network)
    rate, tried, scores = lesson.measured[network]
    position = ("validation", "test").index(split)
    return {"accuracy": [pair[position] for pair in scores], "rate": rate, "validation_by_rate": tried}


def _measure_network(lesson, name):
    settings = lesson.settings
    first, *others = settings["seeds"]
    network = lesson.compiled(lesson.build(**settings["networks"][name]))
    tried = {rate: lesson.train_and_score(network, rate, first) for rate in settings["rates"]}
    rate = _best(tried)
    for larger in settings["larger_rates"]:
        if rate == max(tried):
            tried[larger] = lesson.train_and_score(network, larger, first)
            rate = _best(tried)
    scores = [tried[rate], *(lesson.train_and_score(network, rate, seed) for seed in others)]
    return rate, {str(rate): val for rate, (val, _) in tried.items()}, scores


def _best(tried):
    return max(tried, key=lambda rate: tried[rate][0])
