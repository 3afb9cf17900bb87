"""Learning-rate schedules that Keras lacks."""

import keras

from dlkit.validation import check_integer, check_number


@keras.saving.register_keras_serializable("dlkit")
class OneCycle(keras.optimizers.schedules.LearningRateSchedule):
    """Learning-rate schedule that rises linearly to its peak and then falls linearly to zero, where it stays.

    Args:
        peak: Float above 0, the highest learning rate.
        steps: Integer, the number of training steps: batches in an epoch times epochs.
        warmup: Float between 0 and 1, default 0.25: the fraction of the steps in which the rate rises.

    Raises:
        ValueError: If an argument is out of range.

    Example:
        >>> [round(float(OneCycle(peak=1.0, steps=4, warmup=0.5)(step)), 2) for step in range(4)]
        [0.5, 1.0, 0.67, 0.33]

    References:
        - [Smith and Topin, 2017](https://arxiv.org/abs/1708.07120), in its simplest form of two straight lines.
    """

    def __init__(self, peak, steps, warmup=0.25):
        self.peak = check_number("peak", peak, above=0)
        self.steps = check_integer("steps", steps)
        self.warmup = check_number("warmup", warmup, at_least=0, at_most=1)

    def __call__(self, step):
        step = keras.ops.cast(step, "float32") + 1  # from 1, because a rate of 0 would waste the first step
        top = max(self.warmup * self.steps, 1)
        falling = keras.ops.maximum(self.steps + 1 - step, 0) / (self.steps + 1 - top)
        return self.peak * keras.ops.minimum(step / top, falling)

    def get_config(self):
        return {"peak": self.peak, "steps": self.steps, "warmup": self.warmup}
