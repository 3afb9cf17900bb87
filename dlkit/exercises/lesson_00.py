"""Checkers of lesson 00."""

from __future__ import annotations

import numpy as np

from dlkit.exercises.helpers import check_number, checker


@checker("00.count_parameters")
def count_parameters(answer):
    """64 pixels, 32 hidden units, 10 classes: weights and biases."""
    hints = {
        64 * 32 + 32 * 10: "those are the weights; each unit of both layers has a bias too",
        64 * 32 + 32: "that is the hidden layer; the output layer has weights and biases as well",
        64 * 32: "that is the weights of the hidden layer; add its biases and the output layer",
        64 * 10 + 10: "that is a network without a hidden layer",
        64 + 32 + 10: "you added the sizes; every unit has a weight for every unit before it, so multiply",
    }
    otherwise = "for each layer: inputs times units, plus one bias for each unit; then add the layers"
    return check_number(answer, "parameters", 64 * 32 + 32 + 32 * 10 + 10, hints, otherwise)


@checker("00.accuracy")
def accuracy(student):
    labels = np.array([0, 2, 1, 1, 0])
    probs = np.array([[0.8, 0.1, 0.1], [0.1, 0.5, 0.4], [0.2, 0.7, 0.1], [0.1, 0.6, 0.3], [0.9, 0.05, 0.05]])
    value = student(labels, probs)
    if value is None:
        return "your function returns nothing; is the `return` missing?"
    if np.ndim(value) != 0:
        return f"expected one number, this has shape {np.shape(value)}; take the mean over the images"
    hints = [
        (4, "that is the number of right answers; divide by the number of images"),
        (0.2, "that is the share of wrong answers"),
        (80, "that is in percent; accuracy is a share between 0 and 1"),
    ]
    for wrong, hint in hints:
        if np.isclose(float(value), wrong):
            return hint
    if not np.isclose(float(value), 0.8):
        return (
            f"on five images with four right this gives {float(value):.3g}; is argmax taken over axis 1, the classes?"
        )
    if not np.isclose(float(student(labels[:1], probs[:1])), 1.0):
        return "right for five images, wrong for one; is the number of images written into the function?"
    # Four classes with all probabilities below one half: the largest one still decides.
    if not np.isclose(float(student(np.array([3]), np.array([[0.2, 0.2, 0.2, 0.4]]))), 1.0):
        return "the answer is the class with the largest probability, even when that is below one half"
    return None


@checker("00.smallest_hidden_layer")
def smallest_hidden_layer(measured):
    """The student's measurements, {hidden units: accuracy}: checked for method, since the numbers are the seed's."""
    if not isinstance(measured, dict) or not all(isinstance(units, (int, np.integer)) for units in measured):
        return "give your measurements as a dictionary from hidden units to accuracy, such as {8: 0.91}"
    values = np.array([float(value) for value in measured.values()])
    if len(values) and values.max() > 1:
        return "accuracies are shares between 0 and 1, not percentages"
    if len(measured) < 4:
        return f"you tried {len(measured)} sizes; try at least four, so that you see where it turns"
    reached = sorted(units for units, value in measured.items() if value >= 0.9)
    failed = sorted(units for units, value in measured.items() if value < 0.9)
    if not reached:
        return "no size reaches 90 % yet; try more units, or more epochs"
    if not failed or min(reached) < min(failed):
        return "every size you tried reaches 90 %; go smaller until one does not"
    if (below := max(units for units in failed if units < min(reached))) < min(reached) // 2:
        return f"{below} fails and {min(reached)} works; halve the gap and try a size between them"
    return None
