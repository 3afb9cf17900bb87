"""The computational cost of a network: the multiply-adds of each layer, counted from the model object."""

from __future__ import annotations

import math

from keras import layers

_DENSE_OR_CONV = (layers.Conv1D, layers.Conv2D, layers.Conv3D, layers.DepthwiseConv2D, layers.Dense)
_SEPARABLE = (layers.SeparableConv2D,)
_IGNORED = (layers.BatchNormalization, layers.LayerNormalization, layers.Embedding)  # by convention


def count_macs(model):
    """Counts the multiply-adds (MACs, multiply-accumulate operations) of each layer for one input.

    A multiplication and the addition that follows it count as one operation. Every weight in the kernel of a
    convolutional or dense layer is used once at each position of the output, so the count is the number of weights
    times the number of positions. By convention, biases, normalization, activations and pooling are not counted.

    Args:
        model: A built `keras.Model` with a fixed input size. A model inside it is counted under its own name.

    Returns:
        Dictionary from layer name to count, in the order of the layers. Layers without multiply-adds are left out.

    Raises:
        ValueError: If a layer has weights and its multiply-adds are not known here, such as those of an LSTM.

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
        positions = math.prod(layer.output.shape[1:-1])
        counts[layer.name] = positions * sum(math.prod(kernel.shape) for kernel in kernels)
    return counts
