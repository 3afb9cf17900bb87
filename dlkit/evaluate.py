"""From logits to an honest number: probabilities, accuracy and its interval, classes, worst mistakes."""

from __future__ import annotations

import keras
import numpy as np
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support


def predict_probs(model, images, *, batch_size=500, flip_tta=False):
    """Class probabilities from a model that returns logits.

    Args:
        model: a `keras.Model` to logits.
        images: array of shape (count, ...); rows of tokens as well.
        batch_size: images at a time.
        flip_tta: True asks a second time, about each image flipped left to right, and takes the mean of both logits;
            images of shape (count, height, width, channels) then.

    Returns:
        float32 array of shape (count, num_classes); each row sums to 1.
    """
    logits = model.predict(images, batch_size=batch_size, verbose=0)
    if flip_tta:
        logits = (logits + model.predict(images[:, :, ::-1], batch_size=batch_size, verbose=0)) / 2
    return keras.ops.convert_to_numpy(keras.ops.softmax(logits.astype("float32")))


def accuracy(labels, probs):
    """Share of rows whose largest probability is at the label, between 0 and 1.

    Args:
        labels: integers of shape (count,).
        probs: probabilities or logits of shape (count, num_classes).
    """
    return float(np.mean(np.argmax(probs, axis=1) == labels))


def wilson_interval(accuracy, count):
    """95 % confidence interval of an accuracy measured on `count` independent examples.

    Args:
        accuracy: share of right answers, between 0 and 1.
        count: number of test examples.

    Returns:
        (low, high), each between 0 and 1.

    Source: Wilson 1927, "Probable inference, the law of succession, and statistical inference".

    Example:
        >>> [round(end, 3) for end in wilson_interval(58 / 60, 60)]
        [0.886, 0.991]
    """
    if count < 1 or not 0 <= accuracy <= 1:
        raise ValueError(f"Expected an accuracy from 0 to 1 and count >= 1. Received: {accuracy} and {count}.")
    z = 1.959964  # the normal distribution's 97.5 % point
    centre = (accuracy + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z / (1 + z**2 / count) * np.sqrt(accuracy * (1 - accuracy) / count + z**2 / (4 * count**2))
    return float(centre - half), float(centre + half)


def class_table(labels, probs, class_names):
    """Precision, recall and F1 of every class, as text with one line a class.

    Args:
        labels: integers of shape (count,).
        probs: array of shape (count, num_classes).
        class_names: a name for each class.
    """
    columns = precision_recall_fscore_support(
        labels, np.argmax(probs, axis=1), labels=range(len(class_names)), zero_division=0
    )
    width = max(map(len, class_names))
    lines = [f"{'':{width}}  precision  recall     F1  images"]
    for name, precision, recall, f1, count in zip(class_names, *columns, strict=True):
        lines.append(f"{name:{width}}  {precision:9.2f}  {recall:6.2f}  {f1:5.2f}  {count:6d}")
    return "\n".join(lines)


def confusion(labels, probs):
    """Counts of shape (num_classes, num_classes): rows are the true classes, columns the predicted ones."""
    return confusion_matrix(labels, np.argmax(probs, axis=1), labels=range(probs.shape[1]))


def worst_mistakes(labels, probs, count):
    """Indices of the wrong answers that were given with the highest probability, worst first."""
    predicted = np.argmax(probs, axis=1)
    wrong = np.flatnonzero(predicted != labels)
    return wrong[np.argsort(-probs[wrong, predicted[wrong]], kind="stable")][:count]


def sample_tokens(model, start, count, *, window, temperature=1.0, seed=0):
    """Lets a language model write: it draws the next token from its own probabilities, reads it, and goes on.

    Args:
        model: a `keras.Model` from (batch, window) tokens to (batch, window, vocabulary_size) logits of the next
            token. It must not look ahead: the places after the last token are filled with 0.
        start: the first tokens, at least one.
        count: how many tokens to write.
        window: how many of the last tokens the model sees.
        temperature: divides the logits before softmax; below 1 the likely becomes likelier, towards 0 it is certain.
        seed: of the draws.

    Returns:
        A list of integers: the start and what was written.

    Raises:
        ValueError: for an empty start or a temperature that is not positive.
    """
    if len(start) == 0:
        raise ValueError("Expected at least one token to start from. Received: none.")
    if temperature <= 0:
        raise ValueError(f"Expected a temperature above 0. Received: {temperature}.")
    rng, tokens = np.random.default_rng(seed), [int(token) for token in start]
    for _ in range(count):
        seen = np.zeros((1, window), "int32")
        recent = tokens[-window:]
        seen[0, : len(recent)] = recent
        logits = model.predict_on_batch(seen)[0, len(recent) - 1].astype("float64") / temperature
        probs = np.exp(logits - logits.max())
        tokens.append(int(rng.choice(len(probs), p=probs / probs.sum())))
    return tokens
