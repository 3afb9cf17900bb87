"""The long training: how far `cifar10-long` gets from scratch in 24 epochs on two cores, with one seed, no baseline.

It runs the recipe of `dlkit train cifar10-long`, so it may be stopped and resumes. When it has finished, its numbers
are saved in long.json and its curve in long.png, and both are shown in RESULTS.md.
"""

from __future__ import annotations

import json

from benchmarks import harness
from dlkit import plots, recipes

FIELDS = ("accuracy", "accuracy_interval_95", "seconds", "parameters", "epochs", "batch_size", "seed", "precision")


def run(out="runs/cifar10-long", recipe="cifar10-long"):
    """Trains, or resumes the training, and saves the result.

    Args:
        out: String or path, the run folder.
        recipe: String, a key of `recipes.RECIPES`.
    """
    save_training(recipes.train(recipe, out=out, verbose=2))


def save_training(metrics, *, folder=harness.FOLDER):
    """Writes long.json and long.png, and RESULTS.md again.

    Args:
        metrics: Dictionary, the content of a run's `metrics.json`.
        folder: Path of the folder with these files.
    """
    train, val = ([100 * epoch[key] for epoch in metrics["history"]] for key in ("accuracy", "val_accuracy"))
    epochs = range(1, len(train) + 1)
    figure = plots.plot_curves(
        {"training images, augmented": (epochs, train), "validation images": (epochs, val)},
        xlabel="epoch",
        ylabel="accuracy, %",
    )
    figure.savefig(folder / "long.png", dpi=110)
    data = metrics["data"]
    images = f"{data['train_images']:,} training images (a tenth of them for validation), {data['test_images']:,} test"
    conditions = harness.conditions(data=f"{data['name']}, {images}")
    content = {key: metrics[key] for key in FIELDS} | {"conditions": conditions, "history": metrics["history"]}
    (folder / "long.json").write_text(json.dumps(content, indent=1) + "\n")
    harness.write_report(folder=folder)
