"""`setup`, the first line of every lesson, and what it returns."""

import os
import platform
import sys
import warnings
from dataclasses import dataclass

from dlkit.runtime.console import is_interactive, suppress_native_stderr
from dlkit.runtime.device import configure_device, use_precision

TIERS = ("lesson", "full")
IGNORED_WARNINGS = (  # beginnings of warnings that ask for nothing that a learner should do
    # Keras 3.15 warns in every `fit` on a tf.data.Dataset that its own default, shuffle=True, has no effect there.
    "`shuffle=True` was passed, but will be ignored",
    # BERT's pooling layer is not used for predicting masked words; Keras warns that it has no gradient.
    "Gradients do not exist for variables .'pooled_dense",
    # tqdm, which KerasHub imports, asks for ipywidgets, to draw progress bars that no lesson shows.
    "IProgress not found",
    # KerasTuner saves models without the state of their optimizer, and Keras warns of that when it loads them.
    "Skipping variable loading for optimizer",
)


@dataclass(frozen=True)
class Runtime:
    """What `setup` found: where a lesson runs and at what size.

    Attributes:
        tier: String, "lesson" (a cell takes less than a minute on two processor cores) or "full" (a GPU, the real
            size).
        device: String, "GPU: NAME" or "CPU".
        precision: String, the recommended dtype policy for this device, such as "mixed_bfloat16". `setup`
            activates it on a GPU, and where DLKIT_PRECISION names it. On a processor it pays for some networks only:
            pass it to a model builder that takes `precision`.
        seed: Integer, the seed of NumPy, Python and Keras.
    """

    tier: str
    device: str
    precision: str
    seed: int

    def choose(self, *, lesson, full):
        """Returns the value of the argument that is named like this tier.

        Example:
            >>> rt = Runtime(tier="lesson", device="CPU", precision="float32", seed=0)
            >>> rt.choose(lesson=3, full=30)
            3
        """
        return {"lesson": lesson, "full": full}[self.tier]


def setup(seed=0, *, exact=False):
    """Imports TensorFlow without its log output, sets every seed, and prints one line about versions and device.

    Call it first in a notebook or program, before anything imports Keras. Afterwards images are channels last,
    whatever keras.json says, and numbers are float32, on a GPU with layers in mixed precision and with TensorFloat-32;
    `runtime.configure_device` lists what else is set. While TensorFlow starts, a notebook or terminal says so.

    Args:
        seed: Integer, the seed of Python's, NumPy's and Keras's random numbers, default 0. On the CPU of one machine
            the same seed gives the same numbers to the last bit; another processor or a GPU rounds differently.
        exact: Boolean, default False. True computes in float32 without TensorFloat-32 on a GPU too, for a lesson that
            compares results to the last digits everywhere; `runtime.exact` does so for one block.

    Returns:
        A `Runtime`.

    Raises:
        ValueError: If the seed is not an integer from 0 to 2**32 - 1, the environment variable DLKIT_TIER is neither
            "lesson" nor "full", or DLKIT_PRECISION is no dtype policy.
    """
    from dlkit.validation import check_seed  # it needs NumPy, which `dlkit doctor` must do without

    check_seed(seed)
    tier = os.environ.get("DLKIT_TIER")
    if tier is not None and tier not in TIERS:
        raise ValueError(f'Expected DLKIT_TIER to be "lesson" or "full". Received: "{tier}". Correct or unset it.')
    starting = "Starting TensorFlow …" if "tensorflow" not in sys.modules and is_interactive() else ""
    if starting:
        print(starting, end="\r", flush=True)
    with suppress_native_stderr():
        import keras

        device, precision = configure_device()
    keras.config.set_image_data_format("channels_last")
    keras.config.set_floatx("float32")
    mixed = device.startswith("GPU") or bool(os.environ.get("DLKIT_PRECISION"))
    use_precision(precision if mixed and not exact else "float32", tensor_float_32=not exact)
    for message in IGNORED_WARNINGS:
        warnings.filterwarnings("ignore", message=message)
    keras.utils.set_random_seed(seed)
    rt = Runtime(tier or ("full" if device.startswith("GPU") else "lesson"), device, precision, seed)
    stack = " · ".join(f"{name} {version}" for name, version in versions().items())
    print(f"{rt.tier} tier · {rt.device} · {stack} · seed {seed}".ljust(len(starting)))
    return rt


def versions():
    """Versions of Python, TensorFlow and Keras, {name: version}. They are found without importing any of these."""
    from importlib.metadata import version

    return {"Python": platform.python_version(), "TensorFlow": version("tensorflow"), "Keras": version("keras")}
