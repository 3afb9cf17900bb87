"""Recipes that fine-tune a pretrained network: first a head on its frozen features, then its last stages too."""

import time
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from dlkit import data, runtime, transfer, validation
from dlkit.recipes.base import Recipe, compile_with_adam


@dataclass(frozen=True, kw_only=True)
class FineTuning(Recipe):
    """Settings of a fine-tuning in two phases.

    `epochs` and `batch_size`, which is halved when memory runs out, are those of the second phase.

    Attributes:
        backbone: String, a key of `transfer.BACKBONES`.
        image_size: Integer, height and width at which the backbone works.
        unfreeze: String, the stage from which the second phase trains, such as "conv5", as for `transfer.unfreeze`; ""
            trains the complete network.
        learning_rate: Float, Adam's learning rate in the second phase.
        batch_norm: Boolean, default False, whether the second phase trains batch normalization too.
        weights: String, "imagenet" (default), the path of a weights file, or "none" for random weights.
    """

    backbone: str
    image_size: int
    unfreeze: str
    learning_rate: float
    batch_norm: bool = False
    weights: str = "imagenet"

    OPTIONS = (*Recipe.OPTIONS, "unfreeze", "weights")

    def check_requirements(self, data_dir):
        validation.check_integer("image_size", self.image_size, at_least=32)  # the networks halve it five times
        if self.weights == "imagenet":
            transfer.find_weights(self.backbone)
        elif self.weights != "none" and not Path(self.weights).is_file():
            raise data.DataError(f'Expected weights "imagenet", "none" or a file. Received: {self.weights}, no file.')

    def settings(self):
        own = {"image_size": self.image_size, "unfreeze": self.unfreeze, "weights": str(self.weights)}
        return super().settings() | own

    def folder_image_size(self, sizes):
        if len(sizes) == 1 and max(max(sizes)) <= self.image_size:
            return None  # small images of one size are enlarged inside the model, which needs less memory
        return self.image_size, self.image_size

    def train(self, job):
        backbone = transfer.build_backbone(
            self.backbone,
            job.train_split[0].shape[1:],
            image_size=self.image_size,
            weights=None if self.weights == "none" else self.weights,
            precision=job.runtime.precision if job.runtime.device.startswith("GPU") else "float32",
        )
        head = transfer.build_head(backbone.output_shape[1:], len(job.class_names))
        model = keras.Model(backbone.input, head(backbone.output), name=self.backbone)
        transfer.unfreeze(model, self.unfreeze, batch_norm=self.batch_norm)  # reports a mistyped stage at once
        head_history = self._train_head(backbone, head, job)
        if job.strategy:
            weights = model.get_weights()
            with job.scope():
                model = keras.models.clone_model(model)  # its layers are trainable where those of the original are
                model.set_weights(weights)
        start, batch_size = model.get_weights(), self.batch_size
        while True:
            try:
                return model, [head_history, *self._fine_tune(model, job, batch_size)]
            except Exception as error:
                if not runtime.is_out_of_memory(error) or batch_size == 1:
                    raise
                batch_size //= 2
                print(f"Out of memory. Training resumes after the last complete epoch, in batches of {batch_size}.")
                model.set_weights(start)

    def _train_head(self, backbone, head, job):
        """Trains the head alone, on features that are computed once: seconds instead of minutes for each epoch."""
        start = time.perf_counter()
        train_features, val_features = (
            np.asarray(transfer.cached_features(backbone, images, job.cache), "float32")
            for images, _ in (job.train_split, job.val_split)
        )
        compile_with_adam(head, 1e-3)
        history = head.fit(
            train_features,
            job.train_split[1],
            batch_size=128,
            epochs=30,
            validation_data=(val_features, job.val_split[1]),
            callbacks=[keras.callbacks.EarlyStopping(monitor="val_accuracy", patience=3, restore_best_weights=True)],
            verbose=0,
        ).history
        best = max(history["val_accuracy"])
        print(f"Head on frozen features: validation accuracy {best:.4f} after {len(history['loss'])} epochs.")
        return {"phase": "head", "val_accuracy": best, "seconds": time.perf_counter() - start}

    def _fine_tune(self, model, job, batch_size):
        with job.scope():
            compile_with_adam(model, self.learning_rate)
        callbacks = [
            keras.callbacks.ReduceLROnPlateau(monitor="val_loss", factor=0.3, patience=1),
            keras.callbacks.EarlyStopping(monitor="val_loss", patience=3, restore_best_weights=True),
        ]
        return self.fit(model, job, batch_size=batch_size, augment=self.augment, callbacks=callbacks)


PRETRAINED = {
    "mobilenet": FineTuning(
        description="MobileNet at a quarter of its width, fine-tuned: minutes on two processor cores",
        dataset="cifar10",
        backbone="mobilenet",
        image_size=96,  # larger is better and slower: 128 px takes nearly twice as long
        unfreeze="",  # the complete network is small enough
        epochs=12,
        batch_size=128,  # enough for the statistics of batch normalization
        augment=data.random_crop_and_flip,
        batch_norm=True,  # there are many images; frozen, it lost 16 points in the first epoch
        learning_rate=1e-3,  # much has to change for images this small
    ),
    "resnet50": FineTuning(
        description="ResNet50 with its last stage fine-tuned, for a GPU",
        dataset="cifar10",
        backbone="resnet50",
        image_size=224,  # what its weights were trained at
        unfreeze="conv5",  # the last of its stages: 15 of 24 million parameters
        epochs=10,
        batch_size=32,
        augment=data.random_crop_and_flip,
        learning_rate=1e-5,  # small, so that what it learned on ImageNet is not lost
    ),
}
