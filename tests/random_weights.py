"""Random weights for comparisons of models.

A newly initialized network is too symmetric for a comparison: its biases are 0, and its batch normalization, with mean
0 and variance 1, changes nothing, so that two different orders of layers give the same outputs.
"""

import math

import numpy as np


def randomize(model, seed=0):
    """Sets every weight of a model to random values, including the moving averages of batch normalization.

    Kernels have the variance of He initialization, so that signals do not vanish in many layers. Variances and gammas
    are positive.

    Returns:
        The model.
    """
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        if weight.name in ("moving_variance", "gamma"):
            weight.assign(rng.uniform(0.5, 2, weight.shape))
        elif "kernel" in weight.name:
            depthwise = len(weight.shape) == 4 and weight.shape[-1] == 1
            fan_in = math.prod(weight.shape[: 2 if depthwise else -1])
            weight.assign(rng.normal(0, math.sqrt(2 / fan_in), weight.shape))
        else:
            weight.assign(rng.normal(0, 0.5, weight.shape))
    return model


def assert_equal_models(ours, theirs, inputs, *, atol=1e-5):
    """Asserts that two models give the same outputs with random weights, in inference and in training mode.

    The models have no dropout. After the call in training mode, the weights are compared too: the moving averages of
    batch normalization differ if the momentum differs.
    """
    theirs.set_weights(randomize(ours).get_weights())
    for training in (False, True):
        results = (np.asarray(model(inputs, training=training)) for model in (ours, theirs))
        np.testing.assert_allclose(*results, rtol=1e-4, atol=atol, equal_nan=False)
    for our, their in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(our, their, rtol=1e-4, atol=atol)


def layer_settings(model):
    """Type and settings of each layer in order, without the names of the layers."""
    return [
        (type(layer).__name__, {key: value for key, value in layer.get_config().items() if key != "name"})
        for layer in model.layers
    ]
