"""What a network costs: the multiply-adds of each layer, counted from the model object."""

from __future__ import annotations

import math

from keras import layers

_DENSE_OR_CONV = (layers.Conv1D, layers.Conv2D, layers.Conv3D, layers.DepthwiseConv2D, layers.Dense)
_SEPARABLE = (layers.SeparableConv2D,)
_IGNORED = (layers.BatchNormalization, layers.LayerNormalization, layers.Embedding)  # by convention


def count_macs(model):
    """Counts the multiply-adds of each layer for one input.

    A multiplication and the addition that follows it count as one. Every number of a convolution's or dense layer's
    kernel is used once at every place of the output, so that their product is the count. By convention biases,
    normalisation, activations and poolings are left out.

    Args:
        model: a built `keras.Model` of known image size; models inside it are counted under their own names.

    Returns:
        Dictionary from layer name to count, for the layers that have any, in the model's order.

    Raises:
        ValueError: for a layer with weights whose products this does not know, such as an LSTM.

    Example:
        >>> import keras
        >>> count_macs(keras.Sequential([keras.Input((8, 8, 3)), layers.Conv2D(4, 3, name="conv")]))
        {'conv': 3888}
    """
    counts = {}
    for layer in model.layers:
        if hasattr(layer, "layers"):
            counts[layer.name] = sum(count_macs(layer).values())
            continue
        if isinstance(layer, _SEPARABLE):
            kernels = [layer.depthwise_kernel, layer.pointwise_kernel]
        elif isinstance(layer, _DENSE_OR_CONV):
            kernels = [layer.kernel]
        elif not layer.weights or isinstance(layer, _IGNORED):
            continue
        else:
            raise ValueError(f'The multiply-adds of layer "{layer.name}" ({type(layer).__name__}) are not known here.')
        places = math.prod(layer.output.shape[1:-1])
        counts[layer.name] = places * sum(math.prod(kernel.shape) for kernel in kernels)
    return counts
