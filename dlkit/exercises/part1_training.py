"""Checkers of notebooks 04 and 05: optimizers, Keras's loop."""

from __future__ import annotations

from itertools import pairwise

import keras
import numpy as np

from dlkit.exercises import checker, wrong_number


@checker("04.two_momentum_steps")
def two_momentum_steps(answer):
    """f(w) = w^2 from 1 with m = 0, rate 0.1, beta 0.9: w after two steps."""
    hints = {
        0.8: "that is one step; take the second from there, with the velocity m = -0.2",
        0.64: "that is plain gradient descent; the second step also has 0.9 of the first one's velocity",
        0.44: "keep 0.9 of the velocity, not all of it",
        0.2224: "that is Nesterov's version; plain momentum adds m and nothing else",
        0.42: "the second gradient is taken where the first step led, at 0.8: it is 1.6",
        1.54: "the signs: m gets *minus* rate times gradient",
    }
    return wrong_number(
        answer,
        "after_two_steps",
        0.46,
        hints,
        "first step: m = -0.1·2, w = 1 + m; second: m = 0.9·m - 0.1·2w, w = w + m",
    )


@checker("04.adagrad")
def adagrad(student):
    """Five steps on two arrays, each with a memory of its own, as Keras's Adagrad; some gradients are 0."""
    rng = np.random.default_rng(4)
    for shape in ((3,), (2, 4)):
        gradients = rng.normal(size=(5, *shape))
        gradients[..., 0] = 0  # as for a pixel that is black in all images
        start = rng.normal(size=shape)
        w, memory, expected, v = start.copy(), {}, start.copy(), 0.1
        no_start, forgets = start.copy(), start.copy()
        for t, g in enumerate(gradients, start=1):
            w = student(w, g.copy(), memory, t, 0.3)
            if np.shape(w) != shape:
                return f"return the new w, of shape {shape}; this has shape {np.shape(w)}"
            v = v + g**2
            expected = expected - 0.3 * g / np.sqrt(v + 1e-7)
            no_start = no_start - 0.3 * g / np.sqrt(v - 0.1 + 1e-7)
            forgets = forgets - 0.3 * g / np.sqrt(0.1 + g**2 + 1e-7)
        if np.isnan(w).any():
            return "nan: a weight whose gradient was always 0 stays where it is; 0.1 and epsilon keep √ from being 0"
        if np.allclose(w, 2 * start - expected):
            return "the sign: the step goes against the gradient"
        if np.allclose(w, no_start):
            return 'v starts at 0.1, not at 0: memory.get("v", 0.1)'
        if np.allclose(w, forgets):
            return "v is forgotten after each step: keep it in memory, and add to what is there"
        if not np.allclose(w, expected):
            return "v = v + g², kept in memory and starting at 0.1; then w − rate·g/√(v + 1e-7)"
        if np.asarray(w).dtype == float and np.abs(w - expected).max() > 1e-9:
            return "right to six digits; epsilon, 1e-7, is added to v, under the root"
    return None


@checker("04.largest_rates")
def largest_rates(answer):
    """{curvature: largest stable rate} of momentum 0.9: 2 (1 + beta) / curvature."""
    if not isinstance(answer, dict):
        return "give a dictionary from λ to the largest rate that still comes down, such as {1.0: 2.5}"
    measured = {float(curvature): float(rate) for curvature, rate in answer.items()}
    if len(measured) < 3:
        return f"{len(measured)} curvature(s) so far; at least three are asked for"
    if outside := [curvature for curvature in measured if not 0.5 <= curvature <= 50]:
        return f"λ = {outside[0]:g} is not between 0.5 and 50"
    for curvature, rate in measured.items():
        if abs(rate * curvature / 2 - 1) < 0.03:
            return (
                f"λ = {curvature:g}: {rate:g} is 2/λ, plain gradient descent's; momentum can bear more. Try larger ones"
            )
        if rate * curvature < 3.8 * 0.979:
            return f"λ = {curvature:g}: with a little more than {rate:g} it still comes down; try larger rates"
        if rate * curvature > 3.8 * 1.021:
            return f"λ = {curvature:g}: with {rate:g} it does not come down any more"
    return None


@checker("05.count_parameters")
def count_parameters(answer):
    """784-100-50-10, weights and biases: 84,060."""
    hints = {
        784 * 100 + 100 * 50 + 50 * 10: "each unit also has a bias: 160 of them in all",
        784 * 100 + 100 * 50 + 50 * 10 + 784 + 160: "the pixels are inputs, not units; they have no bias",
        28 * 100 + 100 + 5050 + 510: "an image has 28 · 28 = 784 pixels",
        784 * 100 + 100 + 5050: "the last layer, from 50 units to 10 logits, is missing",
    }
    return wrong_number(
        answer,
        "parameters",
        84_060,
        hints,
        "for each layer: inputs times units, plus one bias for each unit; then the sum",
    )


def _ways_to_clip(gradients, limit):
    """The right way under None, wrong ones under their hints."""
    norm = np.sqrt(sum(np.sum(g**2) for g in gradients))
    return {
        None: [np.clip(g, -limit, limit) for g in gradients],
        "the gradients are not clipped: tf.clip_by_value(gradient, -limit, limit) for each of them": gradients,
        "that clips the length of all gradients together; here every single number is clipped": [
            g * min(1, limit / norm) for g in gradients
        ],
        "large *positive* numbers are clipped, but not the negative ones": [np.minimum(g, limit) for g in gradients],
        "the sign: the step climbs; optimizer.apply takes the gradients as they are": [
            -np.clip(g, -limit, limit) for g in gradients
        ],
    }


@checker("05.clipped_step")
def clipped_step(student):
    """One SGD step on a linear network whose gradients are known, with a tight and with a loose limit."""
    rng = np.random.default_rng(5)
    x, y = rng.normal(size=(8, 3)).astype("float32"), 5 * rng.normal(size=(8, 1)).astype("float32")
    for limit in (0.5, 1e6):
        network = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
        W, b = network.get_weights()
        error = x @ W + b - y
        before = np.mean(error**2)
        gradients = [2 * x.T @ error / 8, 2 * error.mean(axis=0)]
        returned = student(network, keras.losses.MeanSquaredError(), keras.optimizers.SGD(0.1), x, y, limit)
        found = network.get_weights()
        if returned is None:
            return "return the loss"
        if np.shape(returned) != ():
            return f"return the loss, one number; this has shape {np.shape(returned)}"
        if all(np.array_equal(new, old) for new, old in zip(found, (W, b), strict=True)):
            return "the weights did not move: optimizer.apply(gradients, network.trainable_variables)"
        variants = _ways_to_clip(gradients, limit)
        steps = {
            hint: all(np.allclose(n, o - 0.1 * g, atol=1e-5) for n, o, g in zip(found, (W, b), used, strict=True))
            for hint, used in variants.items()
        }
        if not any(steps.values()):
            return "the weights are not where one SGD step with clipped gradients leads"
        if hint := next(hint for hint, fits in steps.items() if fits):
            return hint
        if not np.isclose(float(returned), before, rtol=1e-4):
            return f"the loss before the step was {before:.4f}; yours is {float(returned):.4f}"
    return _in_training_mode(student, x, (y > 0).astype("float32"))


def _in_training_mode(student, x, y):
    """A step of a network with batch normalization, which trains in another way than it predicts."""
    network = keras.Sequential([keras.Input((3,)), keras.layers.BatchNormalization(), keras.layers.Dense(1)])
    W = network.get_weights()[4]  # after gamma, beta, moving mean and moving variance; the biases are 0

    def loss(targets, logits):
        return np.mean(np.logaddexp(0, logits) - targets * logits)

    trained = (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + 1e-3) @ W
    loss_function = keras.losses.BinaryCrossentropy(from_logits=True)
    found = float(student(network, loss_function, keras.optimizers.SGD(0.1), x, y, 1.0))
    if np.isclose(found, loss(trained, y), rtol=1e-4):
        return "a loss function takes the targets first, then the network's outputs"
    if np.isclose(found, loss(y, x / np.sqrt(1 + 1e-3) @ W), rtol=1e-4) or not np.any(network.get_weights()[2]):
        return "call network(x, training=True), or layers such as batch normalization and dropout do not train"
    if not np.isclose(found, loss(y, trained), rtol=1e-4):
        return "right for a linear network and squared errors only; use the network and the loss function given"
    return None


@checker("05.shifted_digits")
def shifted_digits(answer):
    """{shift in pixels: test accuracy}: an MLP loses, and the more the further."""
    if not isinstance(answer, dict) or not set(range(5)) <= set(answer):
        return "give a dictionary with the shifts 0, 1, 2, 3 and 4, such as {0: 0.95, 1: …}"
    measured = [float(answer[shift]) for shift in range(5)]
    if any(not 0 <= value <= 1 for value in measured):
        return "accuracies lie between 0 and 1; these look like percentages"
    if measured[0] < 0.85:
        return f"without a shift it reads {measured[0]:.0%} only; train the network as in the lesson"
    if measured[4] > measured[0] - 0.1:
        return "four pixels cost the MLP more. Shift the test images only, along axis 2, and train on none of them"
    if any(further > nearer + 0.02 for nearer, further in pairwise(measured)):  # a pixel may gain a little by chance
        return "a longer shift should cost more; look again at which accuracy belongs to which shift"
    return None
