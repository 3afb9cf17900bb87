"""The device that Keras computes on: finding it, its precision, and noticing that its memory is full."""

import contextlib
import os
from pathlib import Path

PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")


def configure_device():
    """Finds the GPU, or the processor when there is none, and configures TensorFlow for it.

    This changes settings of the whole process: the Python logger of TensorFlow shows errors only, and every GPU that is
    not in use yet allocates memory as it is needed ("memory growth") instead of all of it at once.

    Returns:
        Tuple (device, precision) of two strings: "CPU" or "GPU: NAME", which also counts further GPUs, and the
        recommended dtype policy for it, such as "mixed_bfloat16". The environment variable DLKIT_PRECISION replaces
        the recommendation.

    Raises:
        ValueError: If DLKIT_PRECISION is not one of `PRECISIONS`.
    """
    import tensorflow as tf

    tf.get_logger().setLevel("ERROR")  # its warnings about retracing do not help learners
    gpus = tf.config.get_visible_devices("GPU")
    for gpu in gpus:
        with contextlib.suppress(RuntimeError):  # already in use, so it cannot be changed any more
            tf.config.experimental.set_memory_growth(gpu, True)
    if gpus:
        details = tf.config.experimental.get_device_details(gpus[0])
        capability = details.get("compute_capability", (0, 0))
        precision = "mixed_bfloat16" if capability >= (8, 0) else "mixed_float16" if capability >= (7, 0) else "float32"
        more = f" and {len(gpus) - 1} more" if len(gpus) > 1 else ""
        device = f"GPU: {details.get('device_name', 'unknown')}{more}"
    else:
        device, precision = "CPU", "mixed_bfloat16" if _processor_has_bfloat16() else "float32"
    precision = os.environ.get("DLKIT_PRECISION") or precision
    if precision not in PRECISIONS:
        raise ValueError(
            f'Expected DLKIT_PRECISION to be {", ".join(PRECISIONS)}. Received: "{precision}". Correct it.'
        )
    return device, precision


def select_device(name):
    """Makes this process compute on some of its devices only. Call it before TensorFlow computes anything.

    Args:
        name: String, "cpu", "gpu" (all of them) or a single one such as "gpu:1", counted from 0.

    Raises:
        ValueError: If this machine has no such device, or TensorFlow uses others already.
    """
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    choices = {"cpu": [], **({"gpu": gpus} if gpus else {}), **{f"gpu:{k}": [gpu] for k, gpu in enumerate(gpus)}}
    if name not in choices:
        advice = "" if gpus else " TensorFlow finds no GPU here; `dlkit doctor` says more."
        raise ValueError(f'Expected a device of this machine: {", ".join(choices)}. Received: "{name}".{advice}')
    try:
        tf.config.set_visible_devices(choices[name], "GPU")
    except RuntimeError as error:
        raise ValueError(f"The device can only be chosen before TensorFlow computes anything: {error}") from error


def _processor_has_bfloat16():
    """Whether this processor has instructions for bfloat16; without them it is no faster. Only Linux tells."""
    try:
        flags = Path("/proc/cpuinfo").read_text().split()
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags


def use_precision(policy, *, tensor_float_32):
    """Sets the precision in which Keras and TensorFlow compute from here on, and returns that until now, as a tuple.

    Args:
        policy: String, the dtype policy of layers that are built from here on, such as "float32" or "mixed_bfloat16".
        tensor_float_32: Boolean, whether a GPU may round the factors of float32 products to 10 bits (TensorFloat-32),
            which is several times as fast.
    """
    import keras
    import tensorflow as tf

    before = keras.config.dtype_policy(), tf.config.experimental.tensor_float_32_execution_enabled()
    keras.config.set_dtype_policy(policy)
    tf.config.experimental.enable_tensor_float_32_execution(tensor_float_32)
    return before


@contextlib.contextmanager
def exact():
    """Context manager for comparisons to the last digits: float32 without TensorFloat-32 inside the block.

    On a GPU, `runtime.setup` chooses mixed precision and TensorFloat-32, which are fast and round to two or three
    digits. Layers that are built inside the block compute in float32; those that were built before keep their dtype
    policy.

    Example:
        >>> import keras
        >>> with exact():
        ...     keras.layers.Dense(2).compute_dtype
        'float32'
    """
    policy, tensor_float_32 = use_precision("float32", tensor_float_32=False)
    try:
        yield
    finally:
        use_precision(policy, tensor_float_32=tensor_float_32)


def is_out_of_memory(error):
    """Whether an exception reports that memory was exhausted, of the device or the machine."""
    text, words = f"{type(error).__name__} {error}", ("ResourceExhausted", "RESOURCE_EXHAUSTED", "OOM")
    return isinstance(error, MemoryError) or any(word in text for word in words)
