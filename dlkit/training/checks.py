"""What `fit` looks at before the first step: whether the model, its loss and the first batches fit together."""

import keras
import numpy as np

from dlkit.training.losses import SmoothedCrossentropy
from dlkit.validation import are_probabilities, check_finite, check_labels


def check_first_batch(model, dataset, name):
    """Looks at the first batch of a dataset, which costs a second and may save an hour.

    Args:
        model: A compiled `keras.Model`.
        dataset: A `tf.data.Dataset` of (inputs, targets) or (inputs, targets, weights).
        name: String, what the dataset is called in messages, such as "validation_data".

    Raises:
        ValueError: If there is no batch, a number in it or an output of the model is NaN or infinite, or, for a loss
            that is a sparse cross-entropy, labels and outputs do not fit.
    """
    batch = next(iter(dataset), None)
    if not isinstance(batch, tuple) or len(batch) not in (2, 3):
        received = "no batch" if batch is None else f"a {type(batch).__name__}"
        raise ValueError(f"Expected {name} with batches (inputs, targets). Received: {received}.")
    for array in keras.tree.flatten(batch):
        check_finite(f"numbers in {name}", np.asarray(array))
    if is_sparse_crossentropy(getattr(model, "loss", None)):
        _check_classification(model, *batch[:2], name)


def is_sparse_crossentropy(loss):
    """Whether a loss compares integer labels with the outputs for all classes."""
    return isinstance(loss, (keras.losses.SparseCategoricalCrossentropy, SmoothedCrossentropy))


def _check_classification(model, inputs, labels, name):
    some = keras.tree.map_structure(lambda array: array[:2], inputs)
    outputs = check_finite("outputs of the model", np.asarray(model(some, training=False)))
    if outputs.shape[-1] < 2:
        raise ValueError(
            f"Expected a model with an output for each class. Received: outputs of shape {outputs.shape}. Give the "
            "last layer one unit for each class, or use `keras.losses.BinaryCrossentropy` for a single one."
        )
    labels = np.asarray(labels)
    labels = labels.reshape(-1) if outputs.ndim > 2 else labels  # a class for each pixel or each token
    if (ignored := getattr(model.loss, "ignore_class", None)) is not None:
        labels = labels[labels != ignored]
    check_labels(labels, num_classes=outputs.shape[-1], name=f"labels in {name}")
    from_logits = getattr(model.loss, "from_logits", True)
    if len(outputs) and are_probabilities(outputs) == from_logits:
        expected, received = ("logits", "probabilities") if from_logits else ("probabilities", "logits")
        advice = "Remove the softmax at the end of the model" if from_logits else "Pass `from_logits=True` to the loss"
        raise ValueError(
            f"Expected {expected}, because the loss has from_logits={from_logits}. Received: {received}. {advice}."
        )
