"""Training on several machines or GPUs: which worker this process is, and TensorFlow's strategy for it."""

from __future__ import annotations

import json
import os

from dlkit.runtime.console import suppress_native_stderr


def worker():
    """Which worker this process is, according to the environment variable TF_CONFIG.

    Returns:
        Tuple (index, count) of two integers: the index of this worker and the number of workers; (0, 1) without
        TF_CONFIG.

    Raises:
        ValueError: If TF_CONFIG does not list the workers and say which of them this one is.
    """
    text = os.environ.get("TF_CONFIG")
    if not text:
        return 0, 1
    try:
        config = json.loads(text)
        addresses, task = config["cluster"]["worker"], config["task"]
        index = int(task["index"])
        if task["type"] != "worker" or not 0 <= index < len(addresses):
            raise ValueError("task is none of the workers")
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"TF_CONFIG cannot be read ({error!r}). Expected "
            '{"cluster": {"worker": ["host:port", "host:port"]}, "task": {"type": "worker", "index": 0}}, with a '
            f"different index on every machine. Received: {text}"
        ) from error
    return index, len(addresses)


def strategy():
    """TensorFlow's distribution strategy for this machine. Call it before TensorFlow computes anything.

    Returns:
        A `tf.distribute.MultiWorkerMirroredStrategy` when TF_CONFIG lists several workers (it waits until all of them
        are connected), a `tf.distribute.MirroredStrategy` when this machine has several GPUs, else None.

    Raises:
        ValueError: If TF_CONFIG does not list the workers and say which of them this one is.
    """
    _, workers = worker()
    with suppress_native_stderr():
        import tensorflow as tf

        if workers > 1:
            return tf.distribute.MultiWorkerMirroredStrategy()
        return tf.distribute.MirroredStrategy() if len(tf.config.list_physical_devices("GPU")) > 1 else None
