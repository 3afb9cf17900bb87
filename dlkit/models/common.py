"""What the builders share: checks of their arguments, the dtype policy, the last layer."""

from contextlib import contextmanager
from numbers import Integral

import keras
from keras import layers

from dlkit.validation import check_integer


@contextmanager
def dtype_policy(policy):
    """Context manager: layers get this dtype policy, such as "mixed_bfloat16". None leaves the global one as it is."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy or before)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def check_input_shape(input_shape, *, smallest=1, gray=False):
    """Returns the shape of one image as a tuple; with `gray`, the channels may be missing. Refuses smaller images."""
    shape = tuple(input_shape) if isinstance(input_shape, (tuple, list)) else ()
    are_sizes = all(isinstance(size, Integral) and size >= 1 for size in shape)
    if len(shape) not in ((2, 3) if gray else (3,)) or not are_sizes or min(shape[:2]) < smallest:
        raise ValueError(
            f"Expected input_shape (height, width{'[, channels]' if gray else ', channels'}) of integers, at least "
            f"{smallest} x {smallest} pixels. Received: {input_shape!r}."
        )
    return shape


def check_integers(name, values, *, shortest=0, longest=100):
    """Returns integers above 0, such as the units of each layer, as a tuple. Raises a ValueError if they are not."""
    if not isinstance(values, (tuple, list)) or not shortest <= len(values) <= longest:
        count = f"{shortest}" if shortest == longest else f"{shortest} or more"
        raise ValueError(f"Expected {name} to be a tuple of {count} integers. Received: {values!r}.")
    return tuple(check_integer(f"{name}[{index}]", value) for index, value in enumerate(values))


def logits_layer(num_classes):
    """The last layer of a classifier of two or more classes: no activation, float32."""
    return layers.Dense(check_integer("num_classes", num_classes, at_least=2), dtype="float32", name="logits")
