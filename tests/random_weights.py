"""Comparing models away from their initializers.

A newly built network is too symmetric for a comparison: its biases are 0, and its batch normalization, with mean 0 and
variance 1, changes nothing, so that two orders of layers give the same outputs.
"""

import math

import numpy as np


def randomize(model, seed=0):
    """Gives every weight of a model a random value, batch normalization's moving averages included; returns the model.

    Kernels are as large as He's initializer makes them, so that signals do not vanish in many layers. Variances and
    gammas are positive.
    """
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        if weight.name in ("moving_variance", "gamma"):
            weight.assign(rng.uniform(0.5, 2, weight.shape))
        elif "kernel" in weight.name:
            depthwise = len(weight.shape) == 4 and weight.shape[-1] == 1
            inputs = math.prod(weight.shape[: 2 if depthwise else -1])  # that each output is summed from
            weight.assign(rng.normal(0, math.sqrt(2 / inputs), weight.shape))
        else:
            weight.assign(rng.normal(0, 0.5, weight.shape))
    return model


def assert_equal_models(ours, theirs, inputs, *, atol=1e-5):
    """Two models give the same outputs for random weights, in inference and in training mode (without dropout).

    After the call in training mode the weights are compared too: they differ where the momentum of a moving average
    does.
    """
    theirs.set_weights(randomize(ours).get_weights())
    for training in (False, True):
        results = (np.asarray(model(inputs, training=training)) for model in (ours, theirs))
        np.testing.assert_allclose(*results, rtol=1e-4, atol=atol, equal_nan=False)
    for our, their in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(our, their, rtol=1e-4, atol=atol)


def layer_settings(model):
    """Kind and settings of each layer, in order; layers may have other names."""
    return [
        (type(layer).__name__, {key: value for key, value in layer.get_config().items() if key != "name"})
        for layer in model.layers
    ]
