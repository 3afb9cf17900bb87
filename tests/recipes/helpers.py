"""What the tests of recipes share: the command `dlkit` in a process of its own, saved weights, a small backbone."""

import os
import subprocess
import sys

import keras
from matplotlib.figure import Figure

from dlkit import runtime
from dlkit.recipes.base import Job


def command(*arguments, **environment):
    """The command line and the environment of a `dlkit` command without a network."""
    return [sys.executable, "-m", "dlkit", *map(str, arguments)], {**os.environ, "DLKIT_OFFLINE": "1", **environment}


def run_command(*arguments, **environment):
    """Runs a `dlkit` command to its end."""
    line, env = command(*arguments, **environment)
    return subprocess.run(line, env=env, capture_output=True, text=True, check=False)


def make_job(train_split, val_split, folder):
    """A training of two classes in this process that writes into one folder and prints nothing of its epochs."""
    return Job(train_split, val_split, ["a", "b"], folder, folder / "features", runtime.setup(0), None, 0)


def draw_nothing(*args):
    """Stands for the figures of a run, which take two seconds."""
    return Figure()


def saved_weights(run_folder):
    """The weights of the model that a run saved."""
    return keras.models.load_model(run_folder / "model.keras").get_weights()


def build_small_backbone(name, input_shape, *, image_size, weights, precision):
    """Stands for `transfer.build_backbone`: a network with batch normalization, which has state."""
    inputs = keras.Input(input_shape)
    x = keras.layers.Conv2D(4, 3, strides=2, activation="relu", name="conv1")(inputs)
    x = keras.layers.BatchNormalization(name="conv1_bn")(x)
    return keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(x), name=name)
