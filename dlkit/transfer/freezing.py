"""Which layers of a pretrained network are trained, and L2-SP, which penalizes the distance from its weights."""

from __future__ import annotations

import math

import keras


def freeze(model):
    """Freezes all layers of a model, and prints how many parameters are trained. Compile the model afterwards.

    Args:
        model: A `keras.Model`.

    Returns:
        Integer, the number of parameters that are trained: 0.
    """
    for layer in model.layers:
        layer.trainable = False
    return _report_trainable(model, "nothing")


def unfreeze(model, stage, *, batch_norm=False):
    """Unfreezes the layers from a stage to the end of the model and freezes all layers before it.

    By default, batch normalization stays frozen: it runs in inference mode with its pretrained statistics, because the
    statistics of a small new data set would be worse. The function prints how many parameters are trained. Compile the
    model afterwards.

    Args:
        model: A flat `keras.Model`, such as `keras.Model(backbone.input, head(backbone.output))`.
        stage: String, the beginning of a layer name, such as "conv5" in ResNet50, "conv_dw_12" in MobileNet, or "head".
            Training starts at the first layer, in the order of the model, whose name begins with it. "" unfreezes the
            complete model.
        batch_norm: Boolean, whether batch normalization is trained too from the stage on, default False. This is better
            with many images.

    Returns:
        Integer, the number of parameters that are trained.

    Raises:
        ValueError: If no layer name begins with `stage`.
    """
    first = _first_layer_index(model, stage)
    for index, layer in enumerate(model.layers):
        layer.trainable = index >= first and (batch_norm or not isinstance(layer, keras.layers.BatchNormalization))
    return _report_trainable(model, f"from {model.layers[first].name} on" if stage else "from the first layer on")


def _first_layer_index(model, stage):
    names = [layer.name for layer in model.layers]
    found = [index for index, name in enumerate(names) if name.startswith(stage)]
    if not found:
        stages = sorted({name.split("_")[0] for name in names})
        raise ValueError(
            f'No layer name of {model.name} begins with "{stage}". The layer names begin with {", ".join(stages)}.'
        )
    return found[0]


def _report_trainable(model, which):
    trained = sum(math.prod(weight.shape) for weight in model.trainable_weights)
    print(f"{model.name}: {trained:,} of {model.count_params():,} parameters are trained ({which})")
    return trained


def split_model(model, stage):
    """Splits a model before a stage, so that the outputs of the lower layers can be computed once and cached.

    Args:
        model: A flat `keras.Model`.
        stage: String, the beginning of the name of the first layer of the upper model, as for `transfer.unfreeze`. One
            single tensor must connect both models.

    Returns:
        (lower, upper), two instances of `keras.Model` that share the layers of `model`: training `upper` trains
        `model`, and `upper(lower(images))` equals `model(images)`.

    Raises:
        ValueError: If no layer name begins with `stage`, or several tensors cross the split.
    """
    first = model.layers[_first_layer_index(model, stage)]
    cut = first.input
    if isinstance(cut, list):
        raise ValueError(f"{first.name} has several inputs, so {model.name} cannot be split before it.")
    crossed = ValueError(f"{model.name} cannot be split before {first.name}: a shortcut connection bypasses it.")
    try:
        upper = keras.Model(cut, model.output, name="upper")
    except ValueError as error:
        raise crossed from error
    if cut is not model.input and model.layers[0] in upper.layers:  # Keras 3.12.0 builds it and fails in the call
        raise crossed
    return keras.Model(model.input, cut, name="lower"), upper


@keras.saving.register_keras_serializable("dlkit")
class L2SP(keras.regularizers.Regularizer):
    """L2-SP regularizer: a penalty on the squared distance of a weight from its starting point.

    Args:
        start: Array or variable, the value of the weight before fine-tuning. It is copied.
        strength: Float, factor of the penalty. Common values are 0.01 and 0.1.

    References:
        - [Li et al., 2018](https://arxiv.org/abs/1802.01483)
    """

    def __init__(self, start, strength):
        values = keras.ops.convert_to_numpy(start).copy()  # a variable would change with the weight
        self.start = keras.ops.convert_to_tensor(values)
        self.strength = strength

    def __call__(self, weight):
        return self.strength * keras.ops.sum(keras.ops.square(weight - self.start))

    def get_config(self):
        return {"start": keras.ops.convert_to_numpy(self.start).tolist(), "strength": self.strength}


def add_l2_sp(model, strength, *, exclude=("head",)):
    """Adds the L2-SP penalty to all trainable weights of a model, with their present values as the starting point.

    Args:
        model: A `keras.Model` after `transfer.unfreeze`. Compile it afterwards.
        strength: Float, factor of the penalty, as for `transfer.L2SP`.
        exclude: Tuple of strings, names of layers without a penalty, default ("head",), because a new head is not
            pretrained.

    Returns:
        Integer, the number of weights (arrays) that are penalized.

    References:
        - [Li et al., 2018](https://arxiv.org/abs/1802.01483)
    """
    penalized = [w for layer in model.layers if layer.name not in exclude for w in layer.trainable_weights]
    for weight in penalized:
        weight.regularizer = L2SP(weight, strength)
    return len(penalized)
