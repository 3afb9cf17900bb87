"""The computational cost of a network: the multiply-adds of each layer, counted from the model object."""

import math
from itertools import chain

import keras
from keras import layers

_DENSE_OR_CONV = (layers.Conv1D, layers.Conv2D, layers.Conv3D, layers.DepthwiseConv2D, layers.Dense)
# Not counted by convention, although they have weights
_IGNORED = (layers.BatchNormalization, layers.GroupNormalization, layers.LayerNormalization, layers.Normalization)
_IGNORED += (layers.Embedding, layers.PReLU)
# Layers and operations that multiply without weights. A Lambda may do anything.
_PRODUCTS = "Attention Conv ConvTranspose DepthwiseConv Dot DotProductAttention Einsum Inner Lambda Matmul Outer"
_PRODUCTS = (*_PRODUCTS.split(), "SeparableConv", "Tensordot", "Vdot")


def count_macs(model):
    """Counts the multiply-adds (MACs, multiply-accumulate operations) of each layer for one input.

    A multiplication and the addition that follows it count as one operation. Every weight in the kernel of a
    convolutional or dense layer is used once at each position of the output, so the count is the number of weights
    times the number of positions. By convention, biases, normalization, activations and pooling are not counted.

    Args:
        model: A built functional or sequential `keras.Model` with a fixed input size. A model inside it is counted
            under its own name, and a layer that is called several times, as often as it is called.

    Returns:
        Dictionary from layer name to count, in the order of the layers. Layers without multiply-adds are left out.

    Raises:
        ValueError: If the multiply-adds of a layer, such as an LSTM, are not known here, or depend on the input size.

    Example:
        >>> count_macs(keras.Sequential([keras.Input((8, 8, 3)), layers.Conv2D(4, 3, name="conv")]))
        {'conv': 3888}
    """
    if not getattr(model, "inputs", None):
        raise ValueError(f"Expected a built functional or sequential model. Received: {model!r}.")
    graph = keras.Model(model.inputs, model.outputs)  # a sequential model has no operations
    counts = {operation.name: 0 for operation in graph.operations}
    for call in chain.from_iterable(graph._nodes_by_depth.values()):
        counts[call.operation.name] += _count_call(call.operation, call.output_tensors[0].shape)
    return {name: count for name, count in counts.items() if count}


def _count_call(operation, output_shape):
    kind = type(operation)
    if isinstance(operation, keras.Model):
        return sum(count_macs(operation).values())
    if isinstance(operation, layers.SeparableConv2D):
        kernels = [operation.depthwise_kernel, operation.pointwise_kernel]
    elif isinstance(operation, _DENSE_OR_CONV):
        kernels = [operation.kernel]
    else:
        has_products = getattr(operation, "weights", ()) or kind.__name__ in _PRODUCTS
        if isinstance(operation, _IGNORED) or (kind.__module__.startswith("keras.") and not has_products):
            return 0
        raise ValueError(f'The multiply-adds of layer "{operation.name}" ({kind.__name__}) are not known here.')
    channels_first = getattr(operation, "data_format", None) == "channels_first"
    sizes = output_shape[2:] if channels_first else output_shape[1:-1]
    if None in sizes:
        raise ValueError(f'Expected a fixed input size. Received: outputs {output_shape} of layer "{operation.name}".')
    return math.prod(sizes) * sum(math.prod(kernel.shape) for kernel in kernels)
