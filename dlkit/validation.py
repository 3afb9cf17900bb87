"""Checks of what public functions are given: images, labels, probabilities, class names, texts, seeds, numbers.

Each function returns its argument in the form that the caller needs, or raises a `ValueError` that says what was
expected, what was received, and what to do. All public functions use these checks, so the same mistake gets the same
answer everywhere. The last argument, `name`, is the name of the caller's argument in the message. NumPy only.
"""

from numbers import Integral, Real

import numpy as np

CHUNK = 1000  # images that are looked at together, since those that are decoded from disk may not fit into memory


def check_integer(name, value, *, at_least=1, at_most=None):
    """Returns a count, such as epochs, steps or pixels, as an integer. Raises a ValueError if it is not one in range.

    Example:
        >>> check_integer("steps", 0)
        Traceback (most recent call last):
            ...
        ValueError: Expected steps to be an integer of 1 or more. Received: 0.
    """
    fits = isinstance(value, Integral) and not isinstance(value, (bool, np.bool_)) and value >= at_least
    if not fits or (at_most is not None and value > at_most):
        values = f"of {at_least} or more" if at_most is None else f"from {at_least} to {at_most}"
        raise ValueError(f"Expected {name} to be an integer {values}. Received: {value!r}.")
    return int(value)


def check_seed(seed):
    """Returns a seed of random numbers. Raises a ValueError if it is not an integer that NumPy and Keras accept."""
    return check_integer("seed", seed, at_least=0, at_most=2**32 - 1)


def check_number(name, value, *, above=-np.inf, at_least=-np.inf, at_most=np.inf):
    """Returns a real number, such as a temperature, as a float. Raises a ValueError if it is not finite and in range.

    Example:
        >>> check_number("temperature", 0, above=0)
        Traceback (most recent call last):
            ...
        ValueError: Expected temperature to be a number above 0. Received: 0.
    """
    is_number = isinstance(value, Real) and not isinstance(value, (bool, np.bool_)) and np.isfinite(value)
    if not is_number or value <= above or not at_least <= value <= at_most:
        bounds = (("above", above), ("of at least", at_least), ("of at most", at_most))
        bounds = " and ".join(f"{word} {bound:g}" for word, bound in bounds if np.isfinite(bound)) or "that is finite"
        raise ValueError(f"Expected {name} to be a number {bounds}. Received: {value!r}.")
    return float(value)


def check_finite(name, array):
    """Returns an array of numbers. Raises a ValueError that says where the first NaN or infinity is."""
    if _kind(array) not in "fc":
        return array
    rows = array if array.shape else array[None]
    for start in range(0, len(rows), CHUNK):
        part = np.asarray(rows[start : start + CHUNK])
        finite = np.isfinite(part)
        if not finite.all():
            first = np.argwhere(~finite)[0].tolist()
            raise ValueError(
                f"Expected finite {name}. Received: {part[tuple(first)]} at position {[first[0] + start, *first[1:]]}. "
                "One such value is enough to spoil a training: find out where it comes from."
            )
    return array


def check_images(images, *, shape=None, name="images"):
    """Returns images, or other inputs of a model, as an array. Those that are decoded from disk stay where they are.

    `shape` is that of one image, such as `model.input_shape[1:]`, in which None stands for any size; None, the default,
    stands for (height, width) and (height, width, channels). Raises a ValueError if there is no image, the shape is
    another one, or a pixel is not a finite real number.
    """
    if not isinstance(getattr(images, "dtype", None), np.dtype):  # a list or a tensor
        images = _as_array(name, images)
    received = tuple(images.shape)
    wanted = (None,) * min(max(len(received) - 1, 2), 3) if shape is None else tuple(shape)
    fits = len(received) == len(wanted) + 1 and 0 not in received
    if not fits or any(size not in (None, found) for size, found in zip(wanted, received[1:], strict=True)):
        expected = "height, width[, channels]" if shape is None else ", ".join(map(str, wanted)).replace("None", "any")
        missing = len(received) == len(wanted)
        advice = " Add an axis: `images[None]` for one image, `images[..., None]` for channels." if missing else ""
        raise ValueError(f"Expected {name} of shape (count, {expected}). Received: {received}.{advice}")
    if _kind(images) not in "buif":
        raise ValueError(f"Expected {name} that hold real numbers. Received: an array of dtype {images.dtype}.")
    return check_finite(name, images)


def check_raw_pixels(images, *, name="images"):
    """Returns images for a model that scales pixels from 0 to 255 itself. Raises a ValueError if they are scaled.

    That is so if a pixel is below 0 or above 255, apart from rounding, or if they are floats and none is above 1.
    """
    if images.dtype == np.uint8 or len(images) == 0:
        return images
    parts = [np.asarray(images[start : start + CHUNK]) for start in range(0, len(images), CHUNK)]
    low, high = min(part.min() for part in parts), max(part.max() for part in parts)
    if low > -0.5 and high < 255.5 and not (_kind(images) == "f" and 0 < high <= 1):
        return images
    raise ValueError(
        f"Expected {name} with pixels from 0 to 255, because the model scales them itself. Received: {images.dtype} "
        f"from {low:g} to {high:g}. Bring them to that range, as they were before any scaling."
    )


def check_labels(labels, *, count=None, num_classes=None, name="labels"):
    """Returns labels of shape (count,) or, as `keras.datasets` has them, (count, 1), as int64 of shape (count,).

    Raises a ValueError if they are not integers from 0 to `num_classes` - 1 or, unless None, not `count` labels.

    Example:
        >>> check_labels([[2], [0]], count=2, num_classes=3)
        array([2, 0])
    """
    array, advice = _as_array(name, labels), ""
    received, kind = f"{array.dtype} of shape {array.shape}", array.dtype.kind
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    is_vector = array.ndim == 1 and count in (None, len(array))
    low, high = (array.min(), array.max()) if array.ndim == 1 and len(array) and kind in "uif" else (0, -1)
    if is_vector and kind in "ui" and low >= 0 and (num_classes is None or high < num_classes):
        return array.astype("int64")
    if kind in "OSU":
        advice = " Number the classes: `np.unique(labels, return_inverse=True)` returns their names and the numbers."
    elif array.ndim == 2 and ((array == 1).sum(axis=1) == 1).all() and (array.sum(axis=1) == 1).all():
        advice = " They are one-hot: pass `labels.argmax(axis=1)`."
    elif is_vector and kind == "f" and (array == np.round(array)).all():
        advice = ' Convert them: `labels.astype("int64")`.'
    elif is_vector and low == 1 and high == num_classes:
        advice = " They begin at 1: pass `labels - 1`."
    if low <= high:
        received += f" from {low:g} to {high:g}"
    last = "on" if num_classes is None else f"to {num_classes - 1}"
    raise ValueError(
        f"Expected {name} of shape ({'count' if count is None else count},), integers from 0 {last}. "
        f"Received: {received}.{advice}"
    )


def check_probs(probs, *, count=None, num_classes=None):
    """Returns class probabilities as an array of shape (count, num_classes); None stands for any number.

    Raises a ValueError if the shape is another one, or a row is not finite, has a negative entry or does not sum to 1.
    """
    array = _as_array("probs", probs)
    fits = array.ndim == 2 and count in (None, len(array)) and num_classes in (None, array.shape[1])
    if not fits or array.shape[1] < 2 or _kind(array) not in "fui":
        expected = f"({'count' if count is None else count}, {num_classes or 'two or more'})"
        raise ValueError(f"Expected probs of shape {expected}. Received: {array.dtype} of shape {array.shape}.")
    if not are_probabilities(check_finite("probs", array)):
        raise ValueError(
            "Expected probs whose rows are probabilities: from 0 to 1, and 1 in sum. Received: values from "
            f"{array.min():g} to {array.max():g}. Turn logits into probabilities with a softmax, as "
            "`evaluate.predict_probs` does."
        )
    return array


def are_probabilities(outputs):
    """Whether every row of an array (count, num_classes) is a probability distribution, which logits never are."""
    outputs = np.asarray(outputs, "float32")
    return bool((outputs >= 0).all() and (np.abs(outputs.sum(axis=-1) - 1) < 0.01).all())


def check_class_names(class_names):
    """Returns class names as a list of strings. Raises a ValueError if they are not two or more different strings."""
    names = [class_names] if isinstance(class_names, str) else list(class_names)
    if len(names) < 2 or not all(isinstance(name, str) and name for name in names) or len(set(names)) < len(names):
        raise ValueError(f"Expected two or more different class names, strings. Received {len(names)}: {names!r}.")
    return [str(name) for name in names]


def check_texts(texts, *, name="texts"):
    """Returns texts as an array of dtype object. Raises a ValueError if they are not one or more strings."""
    if isinstance(texts, (str, bytes)) or len(texts) == 0:
        raise ValueError(f"Expected {name}, a list of one or more strings. Received: {texts[:50]!r}.")
    for index, text in enumerate(texts):
        if not isinstance(text, str):
            raise ValueError(f"Expected {name}, a list of strings. Received: {text!r} at position {index}.")
    return np.array([str(text) for text in texts], object)


def _as_array(name, values):
    try:
        return np.asarray(values)
    except (ValueError, TypeError) as error:  # rows of different lengths
        raise ValueError(f"Expected {name} that form an array. Received: {type(values).__name__} ({error}).") from error


def _kind(array):
    return "f" if array.dtype.name == "bfloat16" else array.dtype.kind
