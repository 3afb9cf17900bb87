"""Losses that Keras lacks."""

import keras
from keras import ops

from dlkit.validation import check_number


@keras.saving.register_keras_serializable("dlkit")
class SmoothedCrossentropy(keras.losses.Loss):
    """Cross-entropy between integer labels and logits, with label smoothing.

    Keras offers label smoothing for one-hot labels only; this is the same loss for the integers that data sets hold.
    A label that is no class raises TensorFlow's error on a processor, and makes the loss NaN everywhere else.

    Args:
        label_smoothing: Float between 0 and 1, default 0.1: the probability that is spread evenly over all classes.
        name: String, the name of the loss, default "smoothed_crossentropy".
        **kwargs: Other arguments of `keras.losses.Loss`, such as `reduction`.

    Raises:
        ValueError: If `label_smoothing` is not a number from 0 to 1.

    Example:
        >>> loss = SmoothedCrossentropy(label_smoothing=0.1)
        >>> round(float(loss([1], keras.ops.convert_to_tensor([[0.0, 10.0]]))), 2)
        0.5

    References:
        - [Szegedy et al., 2015](https://arxiv.org/abs/1512.00567), section 7.
    """

    def __init__(self, label_smoothing=0.1, name="smoothed_crossentropy", **kwargs):
        super().__init__(name=name, **kwargs)
        self.label_smoothing = check_number("label_smoothing", label_smoothing, at_least=0, at_most=1)

    def call(self, y_true, y_pred):
        labels = ops.cast(ops.reshape(y_true, (-1,)), "int32")
        of_label = keras.losses.sparse_categorical_crossentropy(labels, y_pred, from_logits=True)
        of_all = -ops.mean(ops.log_softmax(y_pred), axis=-1)
        loss = (1 - self.label_smoothing) * of_label + self.label_smoothing * of_all
        is_class = ops.logical_and(labels >= 0, labels < y_pred.shape[-1])
        return ops.where(is_class, loss, float("nan"))  # other backends take such a label for one that costs nothing

    def get_config(self):
        return {**super().get_config(), "label_smoothing": self.label_smoothing}
