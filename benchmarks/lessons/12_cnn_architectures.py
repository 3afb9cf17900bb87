"""Plain and residual networks of two depths, each at its own learning rate."""  # noqa: N999

from __future__ import annotations

import numpy as np

TITLE = "Training loss in the last epoch (mean ± standard deviation over three seeds)"
DATA = "cifar10"
FUNCTIONS = ("shrink", "residual_block", "deep_network", "compiled", "train")
SETTINGS = {
    "train_images": 4_000,
    "validation_images": 2_000,  # the last training images; they choose the learning rate
    "test_images": 3_000,
    "side": 16,  # pixels
    "channels": (8, 16, 32),
    "epochs": 12,
    "batch_size": 64,
    "rates": (0.03, 0.1, 0.3),
    "tuning_epochs": 6,  # the rate is chosen with seed 0 in half the time
    "seeds": (1, 2, 3),
}
SHOW = {"rows": "network", "columns": "layers", "values": "train_loss"}
ROWS = [{"network": network, "layers": depth} for network in ("plain", "residual") for depth in (8, 20)]


def prepare(lesson, dataset, settings=SETTINGS):
    """Gives the notebook's module the images: the first for training, the last ones for validation.

    Args:
        lesson: The module with the notebook's functions.
        dataset: A `dlkit.data.Dataset` of images in ten classes.
        settings: Dictionary with the keys of SETTINGS.
    """
    lesson.settings, lesson.batch_size = settings, settings["batch_size"]
    (images, labels), (test_images, test_labels) = dataset.train, dataset.test
    count, held_out, test = settings["train_images"], settings["validation_images"], settings["test_images"]
    parts = {
        "train_split": (images[:count], labels[:count]),
        "val_split": (images[-held_out:], labels[-held_out:]),
        "test_split": (test_images[:test], test_labels[:test]),
    }
    for name, (x, y) in parts.items():
        setattr(lesson, name, (lesson.shrink(x, settings["side"]), y))


def measure(lesson, network, layers):
    """One network: the rate is chosen on validation images with seed 0, then three seeds train at it.

    Args:
        lesson: The module with the notebook's functions, after `prepare`.
        network: String, "plain" or "residual".
        layers: Integer, the number of layers with weights.

    Returns:
        Dictionary with the chosen rate, and for each seed the training loss of every epoch and the test accuracy.
    """
    settings = lesson.settings
    model = lesson.deep_network(layers, network == "residual", settings["side"], settings["channels"])
    lesson.compiled(model)

    def run(rate, epochs, seed):
        return lesson.train(model, lesson.train_split, rate, epochs, seed)

    def accuracy(split):
        return model.evaluate(*split, batch_size=500, verbose=0)[1]

    tried = {}
    for rate in settings["rates"]:
        run(rate, settings["tuning_epochs"], 0)
        tried[rate] = accuracy(lesson.val_split)
    rate = max(tried, key=tried.get)
    losses, test = [], []
    for seed in settings["seeds"]:
        losses.append(run(rate, settings["epochs"], seed))
        test.append(accuracy(lesson.test_split))
    return {
        "learning_rate": rate,
        "validation_by_rate": tried,
        "losses": np.round(losses, 4).tolist(),
        "train_loss": [run_losses[-1] for run_losses in losses],
        "test": test,
    }
