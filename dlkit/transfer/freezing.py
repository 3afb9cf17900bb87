"""Which layers of a pretrained network are trained, and L2-SP, which penalizes the distance from its weights.

A model may hold models, as in Keras's own guides: all functions but `split_model` go through their layers too.
"""

import math

import keras

from dlkit.validation import check_number


def freeze(model):
    """Freezes all layers of a model, and prints how many parameters are trained. Compile the model afterwards.

    Args:
        model: A `keras.Model`.

    Returns:
        Integer, the number of parameters that are trained: 0.
    """
    model.trainable = False  # with all its layers
    return _report_trainable(model, "nothing")


def unfreeze(model, stage, *, batch_norm=False):
    """Unfreezes the layers from a stage to the end of the model and freezes all layers before it.

    By default, batch normalization stays frozen: it runs in inference mode with its pretrained statistics, because the
    statistics of a small new data set would be worse. The function prints how many parameters are trained. Compile the
    model afterwards.

    Args:
        model: A `keras.Model`, such as `keras.Model(backbone.input, head(backbone.output))`.
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
    all_layers = list(_walk(model))
    first = all_layers.index(_first_layer(model, stage))
    model.trainable = True  # nothing in a frozen model is trained, whatever its layers say
    for index, layer in enumerate(all_layers):
        if isinstance(layer, keras.Model):
            layer.trainable = True
            continue
        for inner in layer._flatten_layers():  # with those that it holds, one by one
            is_frozen_norm = isinstance(inner, keras.layers.BatchNormalization) and not batch_norm
            inner.trainable = index >= first and not is_frozen_norm
    return _report_trainable(model, f"from {all_layers[first].name} on" if stage else "from the first layer on")


def _walk(model):
    """Yields all layers in the order of the model: each model inside it, and then its layers."""
    for layer in model.layers:
        yield layer
        if isinstance(layer, keras.Model):
            yield from _walk(layer)


def _first_layer(model, stage):
    for layer in _walk(model):
        if layer.name.startswith(stage):
            return layer
    stages = ", ".join(sorted({layer.name.split("_")[0] for layer in _walk(model)}))
    raise ValueError(f'No layer name of {model.name} begins with "{stage}". The layer names begin with {stages}.')


def _report_trainable(model, which):
    trained = sum(math.prod(weight.shape) for weight in model.trainable_weights)
    print(f"{model.name}: {trained:,} of {model.count_params():,} parameters are trained ({which})")
    return trained


def split_model(model, stage):
    """Splits a model before a stage, so that the outputs of the lower layers can be computed once and cached.

    Args:
        model: A `keras.Model`. The layers of models inside it cannot be separated.
        stage: String, the beginning of the name of the first layer of the upper model, as for `transfer.unfreeze`. One
            single tensor must connect both models.

    Returns:
        (lower, upper), two instances of `keras.Model` that share the layers of `model`: training `upper` trains
        `model`, and `upper(lower(images))` equals `model(images)`.

    Raises:
        ValueError: If no layer name begins with `stage`, the layer belongs to a model inside `model`, or several
            tensors cross the split.
    """
    first = _first_layer(model, stage)
    if isinstance(model, keras.Sequential):
        model = keras.Model(model.inputs[0], model.outputs[0], name=model.name)
    if first not in model.layers:
        raise ValueError(
            f"{first.name} belongs to a model inside {model.name}, so {model.name} cannot be split before it. Build it "
            "without models inside: `keras.Model(backbone.input, head(backbone.output))`."
        )
    cut = first.input
    if isinstance(cut, list):
        raise ValueError(f"{first.name} has several inputs, so {model.name} cannot be split before it.")
    try:
        return keras.Model(model.input, cut, name="lower"), keras.Model(cut, model.output, name="upper")
    except ValueError as error:
        message = f"{model.name} cannot be split before {first.name}: a shortcut connection bypasses it."
        raise ValueError(message) from error


def add_l2_sp(model, strength, *, exclude=("head",)):
    """Adds the L2-SP penalty, the squared distance from the present values, to all trainable weights of a model.

    The penalty is no part of a saved or cloned model: load the model without it, or add it again.

    Args:
        model: A `keras.Model` after `transfer.unfreeze`. Compile it afterwards.
        strength: Float, factor of the penalty. Common values are 0.01 and 0.1.
        exclude: Tuple of strings, names of layers without a penalty, default ("head",), because a new head is not
            pretrained.

    Returns:
        Integer, the number of weights (arrays) that are penalized.

    Raises:
        ValueError: If the model has no layer of a name in `exclude`, or no other weight is trainable.

    References:
        - [Li et al., 2018](https://arxiv.org/abs/1802.01483)
    """
    check_number("strength", strength, at_least=0)
    all_layers, exclude = list(_walk(model)), {exclude} if isinstance(exclude, str) else set(exclude)
    if unknown := exclude - {layer.name for layer in all_layers}:
        raise ValueError(
            f"Expected exclude to hold names of layers of {model.name}. Received: {', '.join(map(repr, unknown))}. "
            "Name the new layers, which are not pretrained, or pass `exclude=()`."
        )
    excluded = {id(weight) for layer in all_layers if layer.name in exclude for weight in layer.weights}
    penalized = [weight for weight in model.trainable_weights if id(weight) not in excluded]
    if not penalized:
        raise ValueError(f"No weight of {model.name} to penalize is trained. Call `transfer.unfreeze` first.")
    for weight in penalized:
        weight.regularizer = _L2SP(weight, strength)
    return len(penalized)


class _L2SP(keras.regularizers.Regularizer):
    def __init__(self, start, strength):
        values = keras.ops.convert_to_numpy(start).copy()  # a variable would change with the weight
        self.start, self.strength = keras.ops.convert_to_tensor(values), strength

    def __call__(self, weight):
        return self.strength * keras.ops.sum(keras.ops.square(weight - self.start))
