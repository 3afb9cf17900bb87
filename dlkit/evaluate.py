"""Evaluation of a model: probabilities, accuracy with a confidence interval, scores per class, worst mistakes."""

from __future__ import annotations

import keras
import numpy as np
from sklearn import metrics


def predict_probs(model, images, *, batch_size=500, flip_tta=False):
    """Class probabilities of a model that returns logits.

    Args:
        model: A `keras.Model` that returns logits of shape (batch, num_classes).
        images: Array of shape (count, ...), images or other inputs of the model, such as rows of tokens.
        batch_size: Integer, number of images in a batch, default 500.
        flip_tta: Boolean, whether to use test-time augmentation, default False: the mean of the logits of each image
            and of the horizontally flipped image. The images then have the shape (count, height, width, channels).

    Returns:
        float32 array of shape (count, num_classes). Each row sums to 1.
    """
    logits = model.predict(images, batch_size=batch_size, verbose=0)
    if flip_tta:
        logits = (logits + model.predict(images[:, :, ::-1], batch_size=batch_size, verbose=0)) / 2
    return keras.ops.convert_to_numpy(keras.ops.softmax(logits.astype("float32")))


def accuracy(labels, probs):
    """Accuracy: the fraction of rows whose most probable class is the label.

    Args:
        labels: Integer array of shape (count,).
        probs: Array of shape (count, num_classes), probabilities or logits.

    Returns:
        Float between 0 and 1.

    Example:
        >>> accuracy(np.array([0, 1]), np.array([[0.9, 0.1], [0.8, 0.2]]))
        0.5
    """
    return float(np.mean(np.argmax(probs, axis=1) == labels))


def wilson_interval(accuracy, count):
    """Wilson's 95% confidence interval of an accuracy that was measured on independent examples.

    Args:
        accuracy: Float between 0 and 1, the fraction of correct predictions.
        count: Integer, number of test examples.

    Returns:
        Tuple (low, high) of floats between 0 and 1.

    Raises:
        ValueError: If `accuracy` is not between 0 and 1, or `count` is less than 1.

    Example:
        >>> [round(bound, 3) for bound in wilson_interval(58 / 60, 60)]
        [0.886, 0.991]

    References:
        - [Wilson, 1927](https://doi.org/10.1080/01621459.1927.10502953)
    """
    if count < 1 or not 0 <= accuracy <= 1:
        raise ValueError(f"Expected an accuracy from 0 to 1 and count >= 1. Received: {accuracy} and {count}.")
    z = 1.959964  # the 97.5% quantile of the standard normal distribution
    center = (accuracy + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z / (1 + z**2 / count) * np.sqrt(accuracy * (1 - accuracy) / count + z**2 / (4 * count**2))
    return float(center - half), float(center + half)


def class_table(labels, probs, class_names):
    """Table of precision, recall, F1 score and number of images of every class.

    Args:
        labels: Integer array of shape (count,).
        probs: Array of shape (count, num_classes), probabilities or logits.
        class_names: List of strings, the name of each class.

    Returns:
        String with a line for the head of the table and a line for each class.
    """
    columns = metrics.precision_recall_fscore_support(
        labels, np.argmax(probs, axis=1), labels=range(len(class_names)), zero_division=0
    )
    width = max(map(len, class_names))
    lines = [f"{'':{width}}  precision  recall     F1  images"]
    for name, precision, recall, f1, count in zip(class_names, *columns, strict=True):
        lines.append(f"{name:{width}}  {precision:9.2f}  {recall:6.2f}  {f1:5.2f}  {count:6d}")
    return "\n".join(lines)


def confusion_matrix(labels, probs):
    """Confusion matrix: the number of examples for each pair of true class and predicted class.

    Args:
        labels: Integer array of shape (count,).
        probs: Array of shape (count, num_classes), probabilities or logits.

    Returns:
        Integer array of shape (num_classes, num_classes). Rows are true classes, columns are predicted classes.

    Example:
        >>> confusion_matrix(np.array([0, 1]), np.array([[0.9, 0.1], [0.8, 0.2]])).tolist()
        [[1, 0], [1, 0]]
    """
    return metrics.confusion_matrix(labels, np.argmax(probs, axis=1), labels=range(probs.shape[1]))


def worst_mistakes(labels, probs, count):
    """Indices of the incorrect predictions with the highest probability.

    Args:
        labels: Integer array of shape (count,).
        probs: Array of shape (count, num_classes), probabilities.
        count: Integer, largest number of indices to return.

    Returns:
        Integer array of shape (at most `count`,), in the order of decreasing probability.
    """
    predicted = np.argmax(probs, axis=1)
    wrong = np.flatnonzero(predicted != labels)
    return wrong[np.argsort(-probs[wrong, predicted[wrong]], kind="stable")][:count]


def sample_tokens(model, start, count, *, window, temperature=1.0, seed=0):
    """Samples tokens autoregressively: each new token is drawn from the model's distribution given the previous ones.

    Args:
        model: A `keras.Model` from tokens of shape (batch, window) to the logits of the next token, of shape (batch,
            window, vocabulary_size). It must be causal, because the positions after the last token are padded with 0.
        start: List of integers, the first tokens, at least one.
        count: Integer, number of tokens to sample.
        window: Integer, number of most recent tokens that the model is given.
        temperature: Float above 0 by which the logits are divided before the softmax, default 1. A temperature below 1
            makes probable tokens more probable.
        seed: Integer, seed of the random numbers, default 0.

    Returns:
        List of integers: the tokens of `start` and the sampled tokens.

    Raises:
        ValueError: If `start` is empty or `temperature` is not positive.
    """
    if len(start) == 0:
        raise ValueError("Expected at least one token to start from. Received: none.")
    if temperature <= 0:
        raise ValueError(f"Expected a temperature above 0. Received: {temperature}.")
    rng, tokens = np.random.default_rng(seed), [int(token) for token in start]
    for _ in range(count):
        context = np.zeros((1, window), "int32")
        recent = tokens[-window:]
        context[0, : len(recent)] = recent
        logits = model.predict_on_batch(context)[0, len(recent) - 1].astype("float64") / temperature
        probs = np.exp(logits - logits.max())
        tokens.append(int(rng.choice(len(probs), p=probs / probs.sum())))
    return tokens
