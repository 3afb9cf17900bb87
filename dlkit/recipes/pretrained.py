"""Recipes that fine-tune a pretrained network: first a head on its frozen features, then its last stages too."""

import dataclasses
import math
import time
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from dlkit import data, runtime, training, transfer
from dlkit.recipes import memory
from dlkit.recipes.base import Recipe, compile_with_adam

MANY_IMAGES = 2000  # fewer give batch normalization worse statistics than the pretrained ones, and overfit a large head
NATIVE_SIZE = 224  # pixels, what the weights were trained at


@dataclass(frozen=True, kw_only=True)
class FineTuning(Recipe):
    """Settings of a fine-tuning in two phases.

    `epochs`, `batch_size`, which is halved when memory runs out, and `learning_rate` are those of the second phase.

    Attributes:
        backbone: String, a key of `transfer.BACKBONES`.
        image_size: Integer, height and width at which the backbone works.
        photo_size: Integer, default `image_size`: the same for a folder with larger images.
        unfreeze: String, the stage from which the second phase trains, such as "conv5", as for `transfer.unfreeze`; ""
            trains the complete network.
        stages: Tuple of strings, the stages of the backbone.
        batch_norm: Boolean, default False, whether the second phase trains batch normalization too, if there are many
            images.
        linear_head: Boolean, default False, whether the head is a single layer, which the first phase fits as logistic
            regression. `adapt` chooses this for fewer than `MANY_IMAGES` images.
        head_first_up_to: Number of training images up to which there is a first phase, default infinity.
        weights: String, "imagenet" (default), the path of a weights file, or "none" for random weights.
    """

    backbone: str
    image_size: int
    min_image_size: int = 32  # the networks halve it five times
    photo_size: int | None = None
    unfreeze: str
    stages: tuple
    batch_norm: bool = False
    linear_head: bool = False
    head_first_up_to: float = math.inf
    weights: str = "imagenet"

    OPTIONS = (*Recipe.OPTIONS, "unfreeze", "weights")

    def check_requirements(self, data_dir):
        super().check_requirements(data_dir)
        stages = ("head", *self.stages)
        if not any(stage.startswith(self.unfreeze) or self.unfreeze.startswith(stage) for stage in stages):
            raise ValueError(
                f'Expected unfreeze (--unfreeze) to be "head", "" for the complete network, or a stage of '
                f'{self.backbone}: {", ".join(self.stages)}. Received: "{self.unfreeze}".'
            )
        if self.weights == "imagenet":
            transfer.find_weights(self.backbone)
        elif self.weights != "none" and not Path(self.weights).exists():  # a preset is a folder
            raise data.DataError(f'Expected weights "imagenet", "none" or a file. Received: {self.weights}, no file.')

    def folder_image_size(self, sizes):
        side = self.image_size
        if len(sizes) == 1 and max(max(sizes)) <= side:
            return None  # small images of one size are enlarged inside the model, which needs less memory
        if "image_size" not in self.given and max((max(size) for size in sizes), default=side) > side:
            side = self.photo_size or side
        return side, side

    def check_memory(self, image_size):
        image_size = image_size or (self.image_size, self.image_size)  # that at which the network works
        if max(image_size) > NATIVE_SIZE:
            small = dataclasses.replace(self, image_size=NATIVE_SIZE, weights="none")
            backbone = small.build_backbone((NATIVE_SIZE, NATIVE_SIZE, 3), "float32")
            memory.check_image_size(backbone, NATIVE_SIZE, image_size)

    def adapt(self, num_images):
        recipe = self
        if num_images < MANY_IMAGES:
            recipe = dataclasses.replace(self, batch_norm=False, linear_head=True)
            if self.batch_norm and "learning_rate" not in self.given:  # frozen, it tolerates smaller steps only
                recipe = dataclasses.replace(recipe, learning_rate=self.learning_rate / 3)
        return super(FineTuning, recipe).adapt(num_images)

    def build_backbone(self, input_shape, precision):
        """The pretrained network for images of one shape."""
        weights = None if self.weights == "none" else self.weights
        options = {"image_size": self.image_size, "weights": weights, "precision": precision}
        return transfer.build_backbone(self.backbone, input_shape, **options)

    def train(self, job):
        images, labels = job.train_split
        on_gpu = job.runtime.device.startswith("GPU")
        backbone = self.build_backbone(images.shape[1:], job.runtime.precision if on_gpu else "float32")
        hidden = () if self.linear_head else (512,)
        head = transfer.build_head(backbone.output_shape[1:], len(job.class_names), hidden=hidden)
        model = keras.Model(backbone.input, head(backbone.output), name=self.backbone)
        transfer.unfreeze(model, self.unfreeze, batch_norm=self.batch_norm)
        recipe = self.with_batch_size(memory.largest_batch_size(model, self.batch_size, job))
        head_history = [self._train_head(backbone, head, job)] if len(labels) <= self.head_first_up_to else []
        start = model.get_weights()
        if job.strategy:
            with job.scope():
                model = keras.models.clone_model(model)  # its layers are trainable where those of the original are
                model.set_weights(start)
        history = recipe._fine_tune_in_memory(model, job, start)
        if head_history and history:  # a worker other than 0 has no history
            _keep_head_if_better(model, start, head_history[0], self._final_epoch(history))
        return model, head_history + history

    def _fine_tune_in_memory(self, model, job, start):
        batch_size = self.batch_size
        while True:
            try:
                return self._fine_tune(model, job, batch_size)
            except Exception as error:
                if not runtime.is_out_of_memory(error) or batch_size == 1:
                    raise
                batch_size //= 2
                job.keep(fitting_batch_size=batch_size)
                print(f"Out of memory. Training resumes after the last complete epoch, in batches of {batch_size}.")
                model.set_weights(start)

    def _train_head(self, backbone, head, job):
        """Trains the head alone, on features that are computed once: seconds instead of minutes for each pass."""
        start = time.perf_counter()
        train_features, val_features = (
            np.asarray(transfer.cached_features(backbone, images, job.cache), "float32")
            for images, _ in (job.train_split, job.val_split)
        )
        labels, val_labels = job.train_split[1], job.val_split[1]
        fit = self._fit_linear_head if self.linear_head else self._fit_head
        val_accuracy, val_loss = fit(head, (train_features, labels), (val_features, val_labels))
        print(f"Head on frozen features: validation accuracy {val_accuracy:.4f}.")
        seconds = time.perf_counter() - start
        return {"phase": "head", "val_accuracy": val_accuracy, "val_loss": val_loss, "seconds": seconds}

    def _fit_linear_head(self, head, train_split, val_split):
        """Gives the head the weights of logistic regression, of the strength that suits the validation images best."""
        options = {"class_weight": self.class_weight(train_split[1]), "max_iter": 2000}
        classifiers = [LogisticRegression(C=c, **options).fit(*train_split) for c in (1e-4, 1e-3, 1e-2, 0.1, 1)]
        probs = [classifier.predict_proba(val_split[0]) for classifier in classifiers]
        val_losses = [log_loss(val_split[1], p, labels=np.arange(head.output_shape[1])) for p in probs]
        best = classifiers[int(np.argmin(val_losses))]
        weights, bias = best.coef_.T, best.intercept_
        if len(bias) == 1:  # of two classes, scikit-learn stores the difference between their logits
            weights, bias = weights * [[-0.5, 0.5]], bias * [-0.5, 0.5]
        head.set_weights([weights, bias])
        return best.score(*val_split), min(val_losses)

    def _fit_head(self, head, train_split, val_split):
        """Trains a head with hidden layers until its validation loss stops falling, and restores its best weights."""
        compile_with_adam(head, 1e-3)
        history = head.fit(
            *train_split,
            batch_size=self.batch_size,
            epochs=30,
            validation_data=val_split,
            callbacks=[keras.callbacks.EarlyStopping(monitor="val_loss", patience=3, restore_best_weights=True)],
            class_weight=self.class_weight(train_split[1]),
            verbose=0,
        ).history
        best = int(np.argmin(history["val_loss"]))
        return history["val_accuracy"][best], history["val_loss"][best]

    def _fine_tune(self, model, job, batch_size):
        rate, callbacks = self.learning_rate, []
        if self.one_cycle:
            rate = training.OneCycle(rate, self.epochs * -(-len(job.train_split[1]) // batch_size))
        else:
            callbacks = [
                keras.callbacks.ReduceLROnPlateau(monitor="val_loss", factor=0.3, patience=1),
                keras.callbacks.EarlyStopping(monitor="val_loss", patience=3, restore_best_weights=True),
            ]
        with job.scope():
            compile_with_adam(model, rate, label_smoothing=0.1 if self.one_cycle else 0)
        return self.fit(model, job, batch_size=batch_size, augment=self.augment, callbacks=callbacks)

    def _final_epoch(self, history):
        """The epoch whose weights the model has: the last one, or that with the lowest validation loss."""
        return history[-1] if self.one_cycle else min(history, key=lambda epoch: epoch["val_loss"])


def _keep_head_if_better(model, start, head, fine_tuned):
    """Gives the model the weights before fine-tuning, unless it became better on the validation images."""

    def quality(epoch):
        return epoch["val_accuracy"], -epoch.get("val_cross_entropy", epoch["val_loss"])

    head["kept"] = quality(fine_tuned) <= quality(head)
    if head["kept"]:
        model.set_weights(start)
        print(
            f"Fine-tuning reached a validation accuracy of {fine_tuned['val_accuracy']:.4f}, no better than the head "
            "on frozen features, so the model keeps that head and the pretrained weights."
        )


PRETRAINED = {
    "mobilenet": FineTuning(
        description="MobileNet at a quarter of its width, fine-tuned: minutes on two processor cores",
        dataset="cifar10",
        backbone="mobilenet",
        image_size=96,  # larger is better and slower: 128 px takes nearly twice as long
        unfreeze="",  # the complete network is small enough
        stages=("conv1", *(f"conv_dw_{k}" for k in range(1, 14))),
        epochs=12,
        batch_size=128,  # enough for the statistics of batch normalization
        augment=data.random_crop_and_flip,
        batch_norm=True,  # there are many images; frozen, it lost 16 points in the first epoch
        learning_rate=1e-3,  # much has to change for images this small
    ),
    "efficientnet-lite0": FineTuning(
        description="EfficientNet-Lite0, fine-tuned completely in one cycle; slower than mobilenet",
        dataset="cifar10",
        backbone="efficientnet_lite0",
        image_size=96,  # 9 minutes for an epoch of 50,000 images on two cores
        photo_size=160,  # 224 px has twice as many pixels, and takes about twice as long
        unfreeze="",
        stages=("stem", *(f"block{k}" for k in range(1, 8)), "top"),
        epochs=6,  # an hour for 50,000 images
        batch_size=64,
        learning_rate=2e-3,
        one_cycle=True,
        augment=data.random_crop_and_flip,
        batch_norm=True,
        head_first_up_to=5000,  # with more images, fine-tuning soon passes the head, whose features take minutes
        flip_tta=True,
    ),
    "resnet50": FineTuning(
        description="ResNet50 with its last stage fine-tuned, for a GPU",
        dataset="cifar10",
        backbone="resnet50",
        image_size=224,  # what its weights were trained at
        unfreeze="conv5",  # the last of its stages: 15 of 24 million parameters
        stages=tuple(f"conv{k}" for k in range(1, 6)),
        epochs=10,
        batch_size=32,
        augment=data.random_crop_and_flip,
        learning_rate=1e-5,  # small, so that what it learned on ImageNet is not lost
    ),
}
