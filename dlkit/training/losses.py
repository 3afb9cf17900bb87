"""Losses that Keras lacks."""

from __future__ import annotations

import keras


@keras.saving.register_keras_serializable("dlkit")
class SmoothedCrossentropy(keras.losses.Loss):
    """Cross-entropy between integer labels and logits, with label smoothing.

    Keras offers label smoothing for one-hot labels only; this is the same loss for the integers that data sets hold.

    Args:
        label_smoothing: Float between 0 and 1, default 0.1: the probability that is spread evenly over all classes.
        name: String, the name of the loss, default "smoothed_crossentropy".
        **kwargs: Other arguments of `keras.losses.Loss`, such as `reduction`.

    Example:
        >>> loss = SmoothedCrossentropy(label_smoothing=0.1)
        >>> round(float(loss([1], keras.ops.convert_to_tensor([[0.0, 10.0]]))), 2)
        0.5

    References:
        - [Szegedy et al., 2015](https://arxiv.org/abs/1512.00567), section 7.
    """

    def __init__(self, label_smoothing=0.1, name="smoothed_crossentropy", **kwargs):
        super().__init__(name=name, **kwargs)
        self.label_smoothing = label_smoothing

    def call(self, y_true, y_pred):
        one_hot = keras.ops.one_hot(keras.ops.cast(keras.ops.reshape(y_true, (-1,)), "int32"), y_pred.shape[-1])
        return keras.losses.categorical_crossentropy(
            one_hot, y_pred, from_logits=True, label_smoothing=self.label_smoothing
        )

    def get_config(self):
        return {**super().get_config(), "label_smoothing": self.label_smoothing}
