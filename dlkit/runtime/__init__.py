"""The start of a lesson or a command: TensorFlow without log output, seeds, the device, its dtype policy, the tier."""

from dlkit.runtime.console import suppress_native_stderr
from dlkit.runtime.device import configure_device, exact, is_out_of_memory, select_device
from dlkit.runtime.shell import dlkit_command
from dlkit.runtime.startup import Runtime, setup, versions
from dlkit.runtime.workers import strategy, worker
