"""Recipes that borrow a trained network: first a head on its frozen features, then fine-tuning of its last stages."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dlkit import data, runtime
from dlkit.recipes import run_folder


@dataclass(frozen=True)
class TransferRecipe:
    """Settings of a transfer in two phases that belong together.

    Attributes:
        about: one line for `--help`.
        dataset: name of the data set it uses when no folder is given.
        backbone: a key of `transfer.BACKBONES`.
        image_size: height and width that the backbone works at.
        unfreeze: stage that the second phase trains from, as for `transfer.unfreeze`.
        epochs: most epochs of the second phase; early stopping may end it sooner.
        batch_size: images in a training step of the second phase; halved when memory runs out.
        batch_norm: whether the second phase trains batch normalisation too, as for `transfer.unfreeze`.
        hidden: units of the head's hidden layers.
        head_rate, fine_rate: learning rates of Adam in the two phases.
        mirrored: whether the finished model is asked twice, as for `evaluate.predict_probs`.
    """

    about: str
    dataset: str
    backbone: str
    image_size: int
    unfreeze: str
    epochs: int
    batch_size: int
    batch_norm: bool = False
    hidden: tuple[int, ...] = (512,)
    head_rate: float = 1e-3
    fine_rate: float = 1e-4
    mirrored: bool = False

    def check(self, options):
        """Raises a `data.DataError` when the weights cannot be had: before any image is read."""
        with runtime.quiet_start():
            from dlkit import transfer
        weights = options.get("weights") or "imagenet"
        if weights == "imagenet":
            transfer.find_weights(self.backbone)
        elif weights != "none" and not Path(weights).is_file():
            raise data.DataError(f'{weights} is no file of weights. Expected "imagenet", "none" or such a file.')

    def settings(self, options):
        """What a run folder of this recipe remembers besides data and seed."""
        return {
            "epochs": options.get("epochs") or self.epochs,
            "batch_size": self.batch_size,
            "image_size": options.get("image_size") or self.image_size,
            "unfreeze": self.unfreeze if options.get("unfreeze") is None else options["unfreeze"],
            "weights": str(options.get("weights") or "imagenet"),
        }

    def read_size(self, files, options):
        """(height, width) to read a folder's images at: their own when all are alike and small, else the backbone's."""
        from dlkit.data import image_files

        size = options.get("image_size") or self.image_size
        found = image_files.sizes(files[:: max(len(files) // 200, 1)])  # two hundred of them tell
        return None if len(found) == 1 and max(max(found)) <= size else (size, size)

    def train(self, dataset, out, settings, rt, strategy, verbose):
        """Trains both phases on nine tenths of the training images, or goes on where they were stopped.

        Returns:
            (model, history): the trained model; first an entry for the head, then a dictionary for each epoch.
        """
        import keras

        from dlkit import transfer

        weights = None if settings["weights"] == "none" else settings["weights"]
        precision = rt.precision if rt.device.startswith("GPU") else "float32"
        backbone = transfer.build_backbone(
            self.backbone,
            dataset.train[0].shape[1:],
            image_size=settings["image_size"],
            weights=weights,
            precision=precision,
        )
        train_part, val_part = run_folder.split(dataset.train, rt.seed)
        head, first = self._train_head(
            backbone, train_part, val_part, out.parent / "features", len(dataset.class_names)
        )
        whole = keras.Model(backbone.input, head(backbone.output), name=self.backbone)
        model = whole
        if strategy:
            with strategy.scope():
                model = keras.models.clone_model(whole)
                model.set_weights(whole.get_weights())
        transfer.unfreeze(model, settings["unfreeze"], batch_norm=self.batch_norm)
        start, batch_size = model.get_weights(), settings["batch_size"]
        while True:
            try:
                tuned = self._fine_tune(
                    model, train_part, val_part, out, settings, batch_size, rt.seed, strategy, verbose
                )
                return run_folder.outside(model, lambda: whole, strategy), [first, *tuned]
            except Exception as error:
                if not runtime.is_out_of_memory(error) or batch_size == 1:
                    raise
                batch_size //= 2
                print(f"Memory ran out: the last whole epoch is kept, and it goes on with batches of {batch_size}.")
                model.set_weights(start)

    def _train_head(self, backbone, train_part, val_part, folder, num_classes):
        """The head alone, on features that are computed once: seconds, where whole epochs would take minutes."""
        import keras

        from dlkit import transfer

        start = time.perf_counter()
        features = [transfer.cached_features(backbone, part[0], folder) for part in (train_part, val_part)]
        head = transfer.build_head(backbone.output_shape[1:], num_classes, hidden=self.hidden)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        head.compile(keras.optimizers.Adam(self.head_rate), loss, metrics=["accuracy"])
        stop = keras.callbacks.EarlyStopping(monitor="val_accuracy", patience=3, restore_best_weights=True)
        history = head.fit(
            np.asarray(features[0], "float32"),
            train_part[1],
            batch_size=128,
            epochs=30,
            validation_data=(np.asarray(features[1], "float32"), val_part[1]),
            callbacks=[stop],
            verbose=0,
        ).history
        best = max(history["val_accuracy"])
        print(f"Head on frozen features: validation accuracy {best:.4f} after {len(history['loss'])} epochs.")
        return head, {"phase": "head", "val_accuracy": best, "seconds": time.perf_counter() - start}

    def _fine_tune(self, model, train_part, val_part, out, settings, batch_size, seed, strategy, verbose):
        import keras

        from dlkit import training

        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        with strategy.scope() if strategy else contextlib.nullcontext():
            model.compile(keras.optimizers.Adam(self.fine_rate), loss, metrics=["accuracy"])
        options = {"batch_size": batch_size, "training": True, "augment": data.random_crop_and_flip, "seed": seed}
        return training.fit(
            model,
            lambda first_epoch, part=(0, 1): data.pipeline(*train_part, first_epoch=first_epoch, part=part, **options),
            steps_per_epoch=-(-len(train_part[1]) // batch_size),
            epochs=settings["epochs"],
            checkpoint=out / "checkpoint.npz",
            validation_data=data.pipeline(*val_part, batch_size=batch_size),
            callbacks=[
                keras.callbacks.ReduceLROnPlateau(monitor="val_loss", factor=0.3, patience=1),
                keras.callbacks.EarlyStopping(monitor="val_loss", patience=3, restore_best_weights=True),
            ],
            verbose=verbose,
            strategy=strategy,
        )


BORROWED = {
    "mobilenet": TransferRecipe(
        "MobileNet at a quarter of its width, fine-tuned: minutes on two processor cores",
        "cifar10",
        "mobilenet",
        image_size=96,  # larger is better and slower: 128 px takes nearly twice as long
        unfreeze="",  # the whole network is small enough
        epochs=12,
        batch_size=128,  # enough for the statistics of batch normalisation
        batch_norm=True,  # there are many images; frozen, it lost 16 points in the first epoch
        fine_rate=1e-3,  # much has to change for images this small
    ),
    "resnet50": TransferRecipe(
        "ResNet50 with its last stage fine-tuned, for a GPU",
        "cifar10",
        "resnet50",
        image_size=224,  # what its weights were trained at
        unfreeze="conv5",  # the last of its stages: 15 of 24 million parameters
        epochs=10,
        batch_size=32,
        fine_rate=1e-5,  # small: what ImageNet taught it is worth keeping
    ),
}
