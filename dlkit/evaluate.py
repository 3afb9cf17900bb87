"""Evaluation of a model: probabilities, the interval of an accuracy, worst mistakes, and texts that a model writes."""

import keras
import numpy as np
from scipy.stats import binomtest
from tqdm import tqdm

from dlkit import validation


def predict_probs(model, images, *, batch_size=500, flip_tta=False):
    """Class probabilities of a classifier.

    Args:
        model: A `keras.Model` that returns logits, or, because it ends with a softmax, probabilities of shape (batch,
            num_classes).
        images: Array of shape (count, ...), images or other inputs of the model, such as rows of tokens.
        batch_size: Integer, number of images in a batch, default 500.
        flip_tta: Boolean, whether to use test-time augmentation, default False: the mean of the outputs for each image
            and for the horizontally flipped image.

    Returns:
        float32 array of shape (count, num_classes). Each row sums to 1.

    Raises:
        ValueError: If the model does not return a logit for each class, or `check_inputs` refuses the images.
    """
    images = check_inputs(model, images)
    batch_size = validation.check_integer("batch_size", batch_size)
    outputs = []
    for start in tqdm(range(0, len(images), batch_size), desc="predicting", delay=1, disable=None):
        batch = np.asarray(images[start : start + batch_size])
        outputs.append(_predict_classes(model, batch))
        if flip_tta:
            outputs[-1] = (outputs[-1] + _predict_classes(model, batch[:, :, ::-1])) / 2
    outputs = validation.check_finite("outputs of the model", np.concatenate(outputs))
    return outputs if validation.are_probabilities(outputs) else keras.ops.convert_to_numpy(keras.ops.softmax(outputs))


def _predict_classes(model, batch):
    outputs = model.predict_on_batch(batch)
    shape = getattr(outputs, "shape", ())
    if len(shape) != 2 or shape[1] < 2 or getattr(model.layers[-1], "activation", None) is keras.activations.sigmoid:
        raise ValueError(
            "Expected a model that returns a logit for each of two or more classes, without a sigmoid. Received: "
            f"outputs of shape {shape}. For two classes and one sigmoid output, `p = model.predict(images)`, use "
            "`np.hstack([1 - p, p])`."
        )
    return outputs.astype("float32")


def check_inputs(model, inputs, *, name="images"):
    """Returns inputs, called `name` in messages, as an array that fits a `keras.Model` in shape and in range.

    Raises a ValueError if they are a pipeline, have another shape than the model takes, are not finite, are scaled
    pixels for a model that scales pixels itself, or are tokens that it does not know, or if a weight is not finite.
    """
    check_weights(model)
    expected = getattr(model, "inputs", None)  # None for a subclass of keras.Model
    if not isinstance(inputs, list) and not hasattr(inputs, "shape"):
        raise ValueError(
            f"Expected {name} as an array. Received: {type(inputs).__name__}. Pass the array without labels, "
            "since a pipeline that shuffles gives the outputs in another order than the labels."
        )
    shape = expected[0].shape[1:] if expected else np.shape(inputs)[1:]
    inputs = validation.check_images(inputs, shape=shape, name=name)
    if scales_pixels(model):
        validation.check_raw_pixels(inputs, name=name)
    sizes = [layer.input_dim for layer in model.layers if isinstance(layer, keras.layers.Embedding)]
    if sizes and not 0 <= np.min(inputs) <= np.max(inputs) < max(sizes):
        received = f"{np.min(inputs)} to {np.max(inputs)}"
        raise ValueError(f"Expected {name} with tokens from 0 to {max(sizes) - 1}. Received: {received}.")
    for layer in model.layers:  # a PositionEmbedding of KerasHub
        longest = getattr(layer, "sequence_length", np.inf)
        if len(shape) > 0 and inputs.shape[1] > longest:
            received = f"{inputs.shape[1]} for {model.name}"
            raise ValueError(f"Expected {name} of at most {longest} tokens, the max_length. Received: {received}.")
    return inputs


def check_weights(model):
    """Raises a ValueError if a weight of a model is NaN or infinite. Its outputs need not show it."""
    for weight in model.weights:
        validation.check_finite(f"weights in {weight.path}", keras.ops.convert_to_numpy(weight))


def scales_pixels(model):
    """Whether a model begins with a layer that scales pixels from 0 to 255, as the models of dlkit do."""
    before = ("InputLayer", "Flatten", "Reshape", "Resizing", "CenterCrop", "Random")
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            return scales_pixels(layer)
        if isinstance(layer, keras.layers.Rescaling):
            return 0 < np.max(layer.scale) < 0.1  # such as 1/255; some models multiply by 255 instead
        if isinstance(layer, keras.layers.Normalization) and layer.built:
            mean = keras.ops.convert_to_numpy(layer.mean)
            return mean.ndim > 2 and mean.max() > 1  # of images, not of the columns of a table
        if not type(layer).__name__.startswith(before):
            return False
    return False


def wilson_interval(accuracy, count):
    """Wilson's 95% confidence interval of an accuracy that was measured on independent examples.

    Args:
        accuracy: Float between 0 and 1, the fraction of correct predictions, exact or rounded to four digits.
        count: Integer, number of test examples.

    Returns:
        Tuple (low, high) of floats between 0 and 1.

    Raises:
        ValueError: If `count` is less than 1, or `accuracy` is not the fraction of a number of `count` examples.

    Example:
        >>> [round(bound, 3) for bound in wilson_interval(58 / 60, 60)]
        [0.886, 0.991]

    References:
        - [Wilson, 1927](https://doi.org/10.1080/01621459.1927.10502953)
    """
    count = validation.check_integer("count", count)
    correct = round(validation.check_number("accuracy", accuracy, at_least=0, at_most=1) * count)
    if abs(correct / count - accuracy) > 5.01e-5:
        nearest = f"{correct} / {count} = {correct / count:.4f}"
        raise ValueError(f"Expected a fraction of {count} examples, such as {nearest}. Received: {accuracy}.")
    return tuple(map(float, binomtest(correct, count).proportion_ci(method="wilson")))


def worst_mistakes(labels, probs, count):
    """Indices of the incorrect predictions with the highest probability.

    Args:
        labels: Integer array of shape (num_examples,).
        probs: Array of shape (num_examples, num_classes), probabilities.
        count: Integer, largest number of indices to return.

    Returns:
        Integer array of shape (at most `count`,), in the order of decreasing probability.
    """
    probs = validation.check_probs(probs)
    labels = validation.check_labels(labels, count=len(probs), num_classes=probs.shape[1])
    wrong = np.flatnonzero(probs.argmax(axis=1) != labels)
    return wrong[np.argsort(-probs[wrong].max(axis=1), kind="stable")][: validation.check_integer("count", count)]


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
        ValueError: If `start` is empty, an argument is out of range, or the model does not take `window` tokens.
    """
    if len(start) == 0:
        raise ValueError("Expected at least one token to start from. Received: none.")
    tokens = validation.check_labels(start, num_classes=model.output_shape[-1], name="start").tolist()
    window = validation.check_integer("window", window)
    check_inputs(model, np.zeros((1, window), "int32"), name="window")
    temperature = validation.check_number("temperature", temperature, above=0)
    rng = np.random.default_rng(validation.check_seed(seed))
    for _ in range(validation.check_integer("count", count)):
        recent = tokens[-window:]
        context = np.array([recent + [0] * (window - len(recent))], "int32")
        logits = model.predict_on_batch(context)[0, len(recent) - 1].astype("float64")
        if validation.are_probabilities(logits):
            logits = np.log(np.maximum(logits, 1e-30))
        probs = np.exp((logits - logits.max()) / temperature)
        tokens.append(int(rng.choice(len(probs), p=probs / probs.sum())))
    return tokens
