"""The device that Keras computes on: finding it, configuring it, and noticing that its memory is full."""

from __future__ import annotations

import contextlib


def configure_device():
    """Finds the GPU, or the processor when there is none, and configures TensorFlow for it.

    With TensorFlow as the backend, this changes settings of the whole process: the Python logger of TensorFlow shows
    errors only, TensorFloat-32 is switched off, and every GPU allocates memory as it is needed ("memory growth")
    instead of all of it at once. Memory growth cannot be changed for a GPU that is already in use; its setting is then
    left as it is.

    Returns:
        Tuple (device, precision) of two strings: "CPU" or "GPU: NAME", which also counts further GPUs, and the
        recommended dtype policy for it, such as "mixed_bfloat16".
    """
    import keras

    if keras.backend.backend() != "tensorflow":
        gpus = keras.distribution.list_devices("gpu")
        return (f"GPU: {gpus[0]}", "mixed_bfloat16") if gpus else ("CPU", _cpu_precision())
    import tensorflow as tf

    tf.get_logger().setLevel("ERROR")  # its warnings about retracing do not help learners
    # TensorFloat-32 rounds the factors of a float32 product to 10 bits; by hand must equal Keras on a GPU too.
    tf.config.experimental.enable_tensor_float_32_execution(False)
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
    return f"GPU: {name}" + (f" and {len(gpus) - 1} more" if len(gpus) > 1 else ""), precision


def _cpu_precision():
    """The recommended dtype policy of this processor: bfloat16 is faster only where it has instructions for it."""
    try:
        with open("/proc/cpuinfo") as cpuinfo:
            flags = next((line for line in cpuinfo if line.startswith("flags")), "")
    except OSError:  # not Linux
        return "float32"
    return "mixed_bfloat16" if {"avx512_bf16", "amx_bf16"} & set(flags.split()) else "float32"


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
