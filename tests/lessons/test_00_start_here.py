"""Tests the code of lesson 00 on more cases than the lesson shows, and the checkers of its exercises."""

import numpy as np

from tests.lessons.exercise_tests import ExerciseTests

# Exercises: other correct answers, and mistakes with a word of the hint that each should get


def accuracy_with_a_loop(labels, probs):
    correct = 0
    for label, row in zip(labels, probs, strict=True):
        correct += list(row).index(max(row)) == label
    return correct / len(labels)


ALTERNATIVES = {
    "00.accuracy": [accuracy_with_a_loop],
    "00.count_parameters": [2410.0],
    "00.smallest_hidden_layer": [{5: 0.88, 9: 0.93, 20: 0.95, 3: 0.7}],
}

MISTAKES = {
    "00.accuracy": [
        (lambda labels, probs: np.sum(probs.argmax(axis=1) == labels), "divide"),
        (lambda labels, probs: np.mean(probs.argmax(axis=1) != labels), "wrong answers"),
        (lambda labels, probs: 100 * np.mean(probs.argmax(axis=1) == labels), "percentage"),
        (lambda labels, probs: probs.argmax(axis=1) == labels, "mean over the images"),
        (lambda labels, probs: np.sum(probs.argmax(axis=1) == labels) / 5, "written into"),
        (lambda labels, probs: np.mean([probs[k, label] > 0.45 for k, label in enumerate(labels)]), "below one half"),
        (lambda labels, probs: print(end=""), "return"),
        (lambda labels, probs: np.mean(probs.argmax(axis=3) == labels), "your function raised AxisError"),
        (lambda labels, probs: [[1, 2], [3]], "using what it returned, raised ValueError"),
        (lambda labels: 1.0, "calling your function"),
    ],
    "00.count_parameters": [
        (64 * 32 + 32 * 10, "bias"),
        (64 * 32 + 32, "output layer"),
        (106, "multiply"),
        (7, "inputs times units"),
        ("2410", "give one number"),
    ],
    "00.smallest_hidden_layer": [
        (6, "dictionary"),
        ({8: 91, 4: 83, 6: 90, 2: 50}, "not percentages"),
        ({8: 0.91, 4: 0.8}, "at least four"),
        ({8: 0.91, 16: 0.93, 32: 0.95, 64: 0.97}, "smaller sizes"),
        ({4: 0.91, 5: 0.88, 8: 0.93, 16: 0.95}, "even the smallest"),
        ({1: 0.2, 2: 0.5, 3: 0.6, 4: 0.8}, "no size reaches"),
        ({1: 0.2, 2: 0.5, 32: 0.95, 64: 0.97}, "between them"),
    ],
}


class TestExercises(ExerciseTests):
    pass
