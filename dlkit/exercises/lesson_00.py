"""Checkers of lesson 00."""

from __future__ import annotations

import numpy as np

from dlkit.exercises.helpers import check_accuracies, check_number, check_shape, checker, first_match


@checker("00.count_parameters")
def count_parameters(answer):
    """Checks the number of weights and biases of a network with 64 inputs, 32 hidden units and 10 classes."""
    hints = {
        64 * 32 + 32 * 10: "that counts only the weights; each unit of both layers has a bias too",
        64 * 32 + 32: "that counts only the hidden layer; the output layer has weights and biases as well",
        64 * 32: "that counts only the weights of the hidden layer; add its biases and the output layer",
        64 * 10 + 10: "that counts the parameters of a network without a hidden layer",
        64 + 32 + 10: "that is the sum of the sizes; every unit has a weight for every unit before it, so multiply",
    }
    default_hint = "for each layer, compute inputs times units, plus one bias for each unit; then add up the layers"
    return check_number(answer, "parameters", 64 * 32 + 32 + 32 * 10 + 10, hints, default_hint)


@checker("00.accuracy")
def accuracy(student):
    """Checks the accuracy on five images, on one image and with four classes."""
    labels = np.array([0, 2, 1, 1, 0])
    probs = np.array([[0.8, 0.1, 0.1], [0.1, 0.5, 0.4], [0.2, 0.7, 0.1], [0.1, 0.6, 0.3], [0.9, 0.05, 0.05]])
    value = student(labels, probs)
    if hint := check_shape(value, (), "return one number, the mean over the images"):
        return hint
    if not np.isclose(float(value), 0.8):
        hints = [
            (4, "that is the number of correct answers; divide it by the number of images"),
            (0.2, "that is the fraction of wrong answers"),
            (80, "that is a percentage; an accuracy is a fraction between 0 and 1"),
        ]
        default_hint = (
            f"for five images with four correct answers, this gives {float(value):.3g}; "
            "take the argmax over axis 1, the classes"
        )
        return first_match(float(value), hints, default_hint)
    if not np.isclose(float(student(labels[:1], probs[:1])), 1.0):
        return "this is correct for five images, but not for one; is the number of images written into the function?"
    # Four classes with all probabilities below one half: the largest one still decides.
    if not np.isclose(float(student(np.array([3]), np.array([[0.2, 0.2, 0.2, 0.4]]))), 1.0):
        return "the network's answer is the class with the largest probability, even if that is below one half"
    return None


@checker("00.smallest_hidden_layer")
def smallest_hidden_layer(measured):
    """Checks how {hidden units: accuracy} was measured; the accuracies themselves depend on the seed."""
    if not isinstance(measured, dict) or not all(isinstance(units, (int, np.integer)) for units in measured):
        return "give your measurements as a dictionary from hidden units to accuracy, such as {8: 0.91}"
    if hint := check_accuracies(measured.values()):
        return hint
    if len(measured) < 4:
        return f"you tried {len(measured)} sizes; try at least four, so that you see where the accuracy drops"
    reached = sorted(units for units, value in measured.items() if value >= 0.9)
    failed = sorted(units for units, value in measured.items() if value < 0.9)
    if not reached:
        return "no size reaches 90% yet; try more units or more epochs"
    if not failed or min(reached) < min(failed):
        return "even the smallest size you tried reaches 90%; try smaller sizes until one does not"
    if (below := max(units for units in failed if units < min(reached))) < min(reached) // 2:
        return f"{below} units do not reach 90% and {min(reached)} units do; try a size between them"
    return None
