"""What augmentation is worth for digits: four strengths, two sizes of the training set, chosen on validation images."""  # noqa: N999

from __future__ import annotations

import keras
import numpy as np

TITLE = "Test accuracy on digits by number of training images (mean ± standard deviation over five draws)"
DATA = "mnist"
FUNCTIONS = ("build_digit_network", "geometric", "train")
SETTINGS = {
    "pool": 5_000,  # the training images are drawn from the first ones of the training set
    "validation_images": 1_000,  # the last ones of the training set choose the learning rate and when to stop
    "test_images": 2_000,
    "rates": (1e-3, 3e-3),  # the better one on validation images, with the first seed
    "round": 100,  # steps of 50 images between two looks at the validation accuracy
    "patience": 4,  # rounds without progress after which the training stops
    "rounds": 25,  # at most
    "seeds": (0, 1, 2, 3, 4),  # other training images and other initial weights
}
SHOW = {"rows": "strength", "columns": "images", "values": "test"}
ROWS = [{"strength": strength, "images": images} for strength in ("0", "0.05", "0.1", "0.2") for images in (100, 1_000)]


def prepare(lesson, dataset, settings=SETTINGS):
    """Gives the notebook's module the images.

    Args:
        lesson: The module with the notebook's functions.
        dataset: A `dlkit.data.Dataset` of digits, 28 x 28 pixels.
        settings: Dictionary with the keys of SETTINGS.
    """
    images, labels = dataset.train[0][..., None], dataset.train[1]
    held_out = settings["validation_images"]
    lesson.settings, lesson.network = settings, lesson.build_digit_network()
    lesson.pool = images[: settings["pool"]], labels[: settings["pool"]]
    lesson.validation = images[-held_out:], labels[-held_out:]
    count = settings["test_images"]
    lesson.test = dataset.test[0][:count, ..., None], dataset.test[1][:count]


def measure(lesson, strength, images):
    """One cell of the table: chooses the learning rate with the first seed, then trains with every seed.

    Args:
        lesson: The module with the notebook's functions, after `prepare`.
        strength: String, the strength of the augmentation.
        images: Integer, the number of training images.

    Returns:
        Dictionary with validation and test accuracy for each seed, and what was chosen.
    """
    settings, results = lesson.settings, {}

    def train(rate, seed):
        chosen = np.random.default_rng(seed).permutation(len(lesson.pool[1]))[:images]
        stop = keras.callbacks.EarlyStopping(
            "val_accuracy", mode="max", patience=settings["patience"], restore_best_weights=True
        )
        lesson.train(
            lesson.network,
            *(values[chosen] for values in lesson.pool),
            lesson.geometric(float(strength)),
            seed=seed,
            rate=rate,
            steps=settings["round"],
            epochs=settings["rounds"],
            validation_data=lesson.validation,
            validation_batch_size=500,
            callbacks=[stop],
        )
        scores = [
            lesson.network.evaluate(*split, batch_size=500, verbose=0)[1] for split in (lesson.validation, lesson.test)
        ]
        results[rate, seed] = [float(score) for score in scores]
        return scores[0]

    first, *others = settings["seeds"]
    tried = {rate: float(train(rate, first)) for rate in settings["rates"]}
    rate = max(tried, key=tried.get)
    for seed in others:
        train(rate, seed)
    validation, test = zip(*(results[rate, seed] for seed in settings["seeds"]), strict=True)
    return {"learning_rate": rate, "validation_by_rate": tried, "validation": validation, "test": test}
