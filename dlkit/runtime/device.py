"""The device that Keras computes on: finding it, its precision, and noticing that its memory is full."""

from __future__ import annotations

import contextlib
import os

PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")


def configure_device():
    """Finds the GPU, or the processor when there is none, and configures TensorFlow for it.

    With TensorFlow as the backend, this changes settings of the whole process: the Python logger of TensorFlow shows
    errors only, and every GPU allocates memory as it is needed ("memory growth") instead of all of it at once. Memory
    growth cannot be changed for a GPU that is already in use; its setting is then left as it is.

    Returns:
        Tuple (device, precision) of two strings: "CPU" or "GPU: NAME", which also counts further GPUs, and the
        recommended dtype policy for it, such as "mixed_bfloat16". The environment variable DLKIT_PRECISION replaces
        the recommendation.

    Raises:
        ValueError: If DLKIT_PRECISION is not one of `PRECISIONS`.
    """
    import keras

    if keras.backend.backend() != "tensorflow":
        gpus = keras.distribution.list_devices("gpu")
        return (f"GPU: {gpus[0]}", _chosen_precision("mixed_bfloat16")) if gpus else ("CPU", _cpu_precision())
    import tensorflow as tf

    tf.get_logger().setLevel("ERROR")  # its warnings about retracing do not help learners
    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        return "CPU", _cpu_precision()
    for gpu in gpus:
        with contextlib.suppress(RuntimeError):  # already in use, so it cannot be changed any more
            tf.config.experimental.set_memory_growth(gpu, True)
    details = tf.config.experimental.get_device_details(gpus[0])
    capability = details.get("compute_capability", (0, 0))
    precision = "mixed_bfloat16" if capability >= (8, 0) else "mixed_float16" if capability >= (7, 0) else "float32"
    name = details.get("device_name", "unknown")
    return f"GPU: {name}" + (f" and {len(gpus) - 1} more" if len(gpus) > 1 else ""), _chosen_precision(precision)


def _chosen_precision(recommended):
    chosen = os.environ.get("DLKIT_PRECISION") or recommended
    if chosen not in PRECISIONS:
        raise ValueError(f'Expected DLKIT_PRECISION to be {", ".join(PRECISIONS)}. Received: "{chosen}". Correct it.')
    return chosen


def _cpu_precision():
    """The recommended dtype policy of this processor: bfloat16 is faster only where it has instructions for it."""
    try:
        with open("/proc/cpuinfo") as cpuinfo:
            flags = next((line for line in cpuinfo if line.startswith("flags")), "")
    except OSError:  # not Linux
        flags = ""
    has_bfloat16 = {"avx512_bf16", "amx_bf16"} & set(flags.split())
    return _chosen_precision("mixed_bfloat16" if has_bfloat16 else "float32")


def use_precision(policy, *, tensor_float_32):
    """Sets the precision in which Keras and TensorFlow compute from here on.

    Args:
        policy: String, the dtype policy of layers that are built from here on, such as "float32" or "mixed_bfloat16".
        tensor_float_32: Boolean, whether a GPU may round the factors of float32 products to 10 bits (TensorFloat-32),
            which is several times as fast. Other backends than TensorFlow are left as they are.

    Returns:
        Tuple (policy, tensor_float_32), the precision until now.
    """
    import keras

    before = keras.config.dtype_policy(), False
    keras.config.set_dtype_policy(policy)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        before = before[0], tf.config.experimental.tensor_float_32_execution_enabled()
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
    """Whether an exception reports that memory was exhausted, of the device or the machine, on any Keras backend.

    Args:
        error: Exception.

    Returns:
        Boolean.
    """
    text = f"{type(error).__name__} {error}"
    return isinstance(error, MemoryError) or any(
        word in text for word in ("ResourceExhausted", "RESOURCE_EXHAUSTED", "OOM")
    )
