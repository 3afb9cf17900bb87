"""The configuration of the device that Keras computes on."""

import tensorflow as tf

from dlkit import runtime


def test_configure_device_switches_tensor_float_32_off():
    tf.config.experimental.enable_tensor_float_32_execution(True)
    runtime.configure_device()
    assert not tf.config.experimental.tensor_float_32_execution_enabled()
