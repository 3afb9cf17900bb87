"""What of a borrowed network is trained: all of it, its last stages, or nothing; and a spring to where it started."""

from __future__ import annotations

import math

import keras


def freeze(model):
    """Keeps every weight of the model as it is in training.

    Returns:
        Number of parameters that are trained from now on: 0. Compile the model after this, not before.
    """
    for layer in model.layers:
        layer.trainable = False
    return _report_trainable(model, "nothing")


def unfreeze(model, stage, *, batch_norm=False):
    """Trains the layers from a stage on, to the end of the model, and freezes all before it.

    Unless told otherwise, batch normalisation stays frozen: it keeps its statistics and works in inference mode, since
    the statistics of a few new images would throw away what it has learnt.

    Args:
        model: a flat model, such as `keras.Model(backbone.input, head(backbone.output))`.
        stage: the beginning of a layer's name: "conv5" in ResNet50, "conv_dw_12" in MobileNet, "head". The first layer
            in the model's order whose name begins so starts the trained part. "" trains everything.
        batch_norm: True also trains batch normalisation from the stage on: better where there are many images.

    Returns:
        Number of parameters that are trained from now on. Compile the model after this, not before.

    Raises:
        ValueError: when no layer's name begins so.
    """
    first = _first(model, stage)
    for index, layer in enumerate(model.layers):
        layer.trainable = index >= first and (batch_norm or not isinstance(layer, keras.layers.BatchNormalization))
    return _report_trainable(model, f"from {model.layers[first].name} on" if stage else "from the first layer on")


def _first(model, stage):
    names = [layer.name for layer in model.layers]
    found = [index for index, name in enumerate(names) if name.startswith(stage)]
    if not found:
        stages = sorted({name.split("_")[0] for name in names})
        raise ValueError(f'No layer of {model.name} begins with "{stage}". Names begin with: {", ".join(stages)}.')
    return found[0]


def _report_trainable(model, which):
    trained = sum(math.prod(weight.shape) for weight in model.trainable_weights)
    print(f"{model.name}: {trained:,} of {model.count_params():,} parameters are trained ({which})")
    return trained


def split_model(model, stage):
    """Cuts a model before a stage, so that what comes before can be computed once and kept.

    Args:
        model: a flat model.
        stage: as for `unfreeze`; all that the part from there on needs must pass through one tensor.

    Returns:
        (lower, upper), two models that share the layers of `model`: training `upper` trains `model`.
        `upper(lower(images))` equals `model(images)`.

    Raises:
        ValueError: when no layer's name begins so, or several tensors cross the cut.
    """
    first = model.layers[_first(model, stage)]
    cut = first.input
    if isinstance(cut, list):
        raise ValueError(f"{first.name} has several inputs, so {model.name} cannot be cut before it.")
    past = ValueError(f"{model.name} cannot be cut before {first.name}: a shortcut goes past it.")
    try:
        upper = keras.Model(cut, model.output, name="upper")
    except ValueError as error:
        raise past from error
    if cut is not model.input and model.layers[0] in upper.layers:  # Keras 3.12.0 builds it and fails in the call
        raise past
    return keras.Model(model.input, cut, name="lower"), upper


@keras.saving.register_keras_serializable("dlkit")
class L2SP(keras.regularizers.Regularizer):
    """Penalty on the squared distance from where a weight started (L2-SP, Li et al. 2018, arXiv 1802.01483).

    Args:
        start: the weight's value before fine-tuning.
        strength: factor of the penalty; 0.01 and 0.1 are usual.
    """

    def __init__(self, start, strength):
        self.start = keras.ops.convert_to_tensor(
            keras.ops.convert_to_numpy(start).copy()
        )  # a variable would move along
        self.strength = strength

    def __call__(self, weight):
        return self.strength * keras.ops.sum(keras.ops.square(weight - self.start))

    def get_config(self):
        return {"start": keras.ops.convert_to_numpy(self.start).tolist(), "strength": self.strength}


def add_l2_sp(model, strength, *, exclude=("head",)):
    """Adds the penalty of L2-SP to every trained weight: in fine-tuning it may move, but at a price.

    Args:
        model: a model after `unfreeze`; compile it after this.
        strength: factor of the penalty, as for `L2SP`.
        exclude: names of layers without it: a new head has no start worth keeping.

    Returns:
        Number of weights (arrays) that are held.
    """
    held = [w for layer in model.layers if layer.name not in exclude for w in layer.trainable_weights]
    for weight in held:
        weight.regularizer = L2SP(weight, strength)
    return len(held)
