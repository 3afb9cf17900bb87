"""Start-up of a lesson or a command: quiet TensorFlow, one seed, the device, its precision, the tier."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import sys
import tempfile
import time
import warnings
from dataclasses import dataclass

from dlkit.runtime.shell import command

__all__ = [
    "TIERS",
    "Runtime",
    "command",
    "configure_device",
    "is_out_of_memory",
    "progress",
    "setup",
    "strategy",
    "suppress_native_stderr",
    "versions",
    "worker",
]

TIERS = ("lesson", "full")


@dataclass(frozen=True)
class Runtime:
    """What `setup` found: where a lesson runs and at what size.

    Attributes:
        tier: "lesson" (a cell takes less than a minute on two processor cores) or "full" (a GPU, the real size).
        device: "GPU: <name>" or "CPU".
        precision: the Keras dtype policy this hardware is good at, such as "mixed_bfloat16". Nothing is set by it:
            hand it to a model builder that takes `precision`.
        seed: the seed that NumPy, Python and Keras were given.
    """

    tier: str
    device: str
    precision: str
    seed: int

    def choose(self, *, lesson, full):
        """Returns `lesson` or `full`, whichever tier this is: `epochs = rt.choose(lesson=3, full=30)`."""
        return {"lesson": lesson, "full": full}[self.tier]


def setup(seed=0):
    """Imports TensorFlow without its chatter, sets every seed, and prints one line about where we are.

    Call it first in a notebook or program, before anything imports Keras. Images are channels last and numbers float32
    afterwards, whatever keras.json says. While TensorFlow starts, a notebook or terminal says so.

    Args:
        seed: seed of Python's, NumPy's and Keras's random numbers. On one machine's CPU the same seed gives the same
            numbers to the last bit; another processor or a GPU rounds differently.

    Returns:
        A `Runtime`.

    Raises:
        ValueError: when the variable DLKIT_TIER is neither "lesson" nor "full".
    """
    tier = os.environ.get("DLKIT_TIER")
    if tier is not None and tier not in TIERS:
        raise ValueError(f'Expected DLKIT_TIER to be "lesson" or "full". Received: "{tier}". Correct or unset it.')
    starting = "Starting TensorFlow …" if "tensorflow" not in sys.modules and _watched() else ""
    if starting:
        print(starting, end="\r", flush=True)
    with suppress_native_stderr():
        import keras

        device, precision = configure_device()
    keras.config.set_image_data_format("channels_last")
    keras.config.set_floatx("float32")
    # Keras 3.15 warns in every `fit` on a tf.data.Dataset that its own default, shuffle=True, does nothing there.
    warnings.filterwarnings("ignore", message="`shuffle=True` was passed, but will be ignored")
    # BERT's pooling layer plays no part in reading masked words; Keras warns that it has no gradient.
    warnings.filterwarnings("ignore", message="Gradients do not exist for variables .'pooled_dense")
    # tqdm, which KerasHub imports, asks for ipywidgets, to draw bars that no lesson shows.
    warnings.filterwarnings("ignore", message="IProgress not found")
    # KerasTuner saves models without what their optimizer remembers, and Keras says so when it loads them.
    warnings.filterwarnings("ignore", message="Skipping variable loading for optimizer")
    keras.utils.set_random_seed(seed)
    rt = Runtime(tier or ("full" if device.startswith("GPU") else "lesson"), device, precision, seed)
    stack = " · ".join(f"{name} {version}" for name, version in versions().items())
    print(f"{rt.tier} tier · {rt.device} · {stack} · seed {seed}".ljust(len(starting)))
    return rt


def _watched():
    """Whether a person reads standard output: it goes to a notebook or a terminal."""
    in_notebook = "ipykernel" in sys.modules and type(sys.stdout).__module__.startswith("ipykernel")
    return in_notebook or sys.stdout.isatty()


@contextlib.contextmanager
def suppress_native_stderr():
    """Holds back what TensorFlow writes to standard error while it starts; gives it out when the start fails.

    Its lines ("oneDNN custom operations are on", "Could not find cuda drivers") come from C++ and obey no Python
    setting, so the file descriptor itself is redirected for the moment.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.seek(0)
            os.write(kept, held.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def configure_device():
    """Finds the GPU, or the processor when there is none.

    Returns:
        (device, precision): "GPU: <name>" or "CPU", and the Keras dtype policy it is good at.
    """
    import keras

    if keras.backend.backend() != "tensorflow":
        gpus = keras.distribution.list_devices("gpu")
        return (f"GPU: {gpus[0]}", "mixed_bfloat16") if gpus else ("CPU", _cpu_precision())
    import tensorflow as tf

    tf.get_logger().setLevel("ERROR")  # its warnings about retracing tell learners nothing they can use
    # Products of 32-bit numbers in full, also on GPUs that would round them: by hand must equal Keras there too.
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


def worker():
    """Which worker this process is, by the environment variable TF_CONFIG.

    Returns:
        (index, count); (0, 1) without TF_CONFIG.

    Raises:
        ValueError: when TF_CONFIG does not name workers and which of them this one is.
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
            '{"cluster": {"worker": ["host:port", "host:port"]}, "task": {"type": "worker", "index": 0}}, with another '
            f"index on every machine. Received: {text}"
        ) from error
    return index, len(addresses)


def strategy():
    """TensorFlow's strategy for what is there. Call it before TensorFlow computes anything.

    Returns:
        A `MultiWorkerMirroredStrategy` when TF_CONFIG names several workers (it waits until all are there), a
        `MirroredStrategy` when this machine has several GPUs, else None.
    """
    _, workers = worker()
    with suppress_native_stderr():
        import tensorflow as tf

        if workers > 1:
            return tf.distribute.MultiWorkerMirroredStrategy()
        return tf.distribute.MirroredStrategy() if len(tf.config.list_physical_devices("GPU")) > 1 else None


def _cpu_precision():
    """bfloat16 pays on a processor only where it has instructions for it."""
    try:
        with open("/proc/cpuinfo") as cpuinfo:
            flags = next((line for line in cpuinfo if line.startswith("flags")), "")
    except OSError:  # no Linux
        return "float32"
    return "mixed_bfloat16" if {"avx512_bf16", "amx_bf16"} & set(flags.split()) else "float32"


def is_out_of_memory(error):
    """True when an exception says that the device's or the machine's memory did not suffice, on any Keras backend."""
    text = f"{type(error).__name__} {error}"
    return isinstance(error, MemoryError) or any(
        word in text for word in ("ResourceExhausted", "RESOURCE_EXHAUSTED", "OOM")
    )


def versions():
    """The versions a result depends on, by name, without importing anything heavy that is not loaded yet."""
    from importlib.metadata import version

    return {"Python": platform.python_version(), "TensorFlow": version("tensorflow"), "Keras": version("keras")}


def progress(items, label, total=None):
    """Goes through `items` and, where a person is watching a terminal, shows how far it is.

    Args:
        items: an iterable.
        label: what is being done, such as "reading images".
        total: number of items; `len(items)` by default.

    Yields:
        The items. Redirected output and notebooks stay free of progress lines.
    """
    total = len(items) if total is None else total
    watching, start, shown = sys.stderr.isatty(), time.monotonic(), 0.0
    for done, item in enumerate(items):
        if watching and (now := time.monotonic()) - start > 1 and now - shown > 0.1:
            shown = now
            print(f"\r{label} {done:,}/{total:,}", end="", file=sys.stderr, flush=True)
        yield item
    if shown:
        print(f"\r{label} {total:,}/{total:,}", file=sys.stderr)
