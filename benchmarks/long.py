"""The long one: how far `cifar10-long` gets from scratch in 24 epochs on two cores. No opponent, one seed, no turns.

It is a run of `python -m dlkit train cifar10-long`, so it may be stopped and goes on. When it has ended, its numbers go
to long.json, its curve to long.png, and both into RESULTS.md.
"""

from __future__ import annotations

import json

from benchmarks import race
from dlkit import recipes

KEPT = ("accuracy", "accuracy_interval_95", "seconds", "parameters", "epochs", "batch_size", "seed", "precision")


def run(out="runs/cifar10-long", recipe="cifar10-long"):
    """Trains, or goes on, and saves."""
    save(recipes.train(recipe, out=out, verbose=2))


def save(metrics, *, folder=race.FOLDER):
    """Writes long.json and long.png from the content of a `metrics.json`, and RESULTS.md anew."""
    from dlkit import plots

    train, val = ([100 * epoch[key] for epoch in metrics["history"]] for key in ("accuracy", "val_accuracy"))
    epochs = range(1, len(train) + 1)
    figure = plots.plot_curves(
        {"training images, augmented": (epochs, train), "validation images": (epochs, val)},
        x_label="epoch",
        y_label="accuracy, %",
    )
    figure.savefig(folder / "long.png", dpi=110)
    data = metrics["data"]
    images = f"{data['train_images']:,} training images (a tenth of them for validation), {data['test_images']:,} test"
    told = race.conditions(data=f"{data['name']} ({data['origin']}), {images}")
    kept = {key: metrics[key] for key in KEPT} | {"conditions": told, "history": metrics["history"]}
    (folder / "long.json").write_text(json.dumps(kept, indent=1) + "\n")
    race.write(folder=folder)
