"""The one-cycle schedule, and cross-entropy with label smoothing for integer labels."""

from __future__ import annotations

import keras


@keras.saving.register_keras_serializable("dlkit")
class OneCycle(keras.optimizers.schedules.LearningRateSchedule):
    """Learning rate that climbs in a straight line to its peak and then falls in a straight line to zero.

    Args:
        peak: the highest learning rate.
        steps: training steps in all: batches an epoch times epochs.
        warmup: share of the steps spent climbing, between 0 and 1.

    Source: Smith and Topin 2017, arXiv 1708.07120, in its simplest form, two straight lines.

    Example:
        >>> [round(float(OneCycle(peak=1.0, steps=4, warmup=0.5)(step)), 2) for step in range(4)]
        [0.5, 1.0, 0.67, 0.33]
    """

    def __init__(self, peak, steps, warmup=0.25):
        self.peak, self.steps, self.warmup = peak, steps, warmup

    def __call__(self, step):
        step = keras.ops.cast(step, "float32") + 1  # the first step already moves
        top = max(self.warmup * self.steps, 1)
        return self.peak * keras.ops.minimum(step / top, (self.steps + 1 - step) / (self.steps + 1 - top))

    def get_config(self):
        return {"peak": self.peak, "steps": self.steps, "warmup": self.warmup}


@keras.saving.register_keras_serializable("dlkit")
class SmoothedCrossentropy(keras.losses.Loss):
    """Cross-entropy of logits against integer labels, with label smoothing.

    Keras offers label smoothing for one-hot labels only; this is that loss for the integers that datasets hold.

    Args:
        label_smoothing: probability spread evenly over all classes, between 0 and 1.

    Source: Szegedy et al. 2015, arXiv 1512.00567, section 7.
    """

    def __init__(self, label_smoothing=0.1, name="smoothed_crossentropy", **options):
        super().__init__(name=name, **options)
        self.label_smoothing = label_smoothing

    def call(self, y_true, y_pred):
        one_hot = keras.ops.one_hot(keras.ops.cast(keras.ops.reshape(y_true, (-1,)), "int32"), y_pred.shape[-1])
        return keras.losses.categorical_crossentropy(
            one_hot, y_pred, from_logits=True, label_smoothing=self.label_smoothing
        )

    def get_config(self):
        return {**super().get_config(), "label_smoothing": self.label_smoothing}
