"""A recipe on two devices of one machine: python -m tests.training.train_on_two_devices RECIPE OPTIONS_AS_JSON

The processor is divided into two logical devices, which TensorFlow treats like two GPUs.
"""

import json
import sys

import tensorflow as tf

from dlkit import recipes, runtime


def main(name, options):
    devices = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], devices)
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    runtime.strategy = lambda: strategy
    recipes.train(name, **json.loads(options))


if __name__ == "__main__":
    main(*sys.argv[1:])
