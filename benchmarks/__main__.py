"""python -m benchmarks [NAME ...]     runs these benchmarks, by default all but the long one"""

import importlib
import sys

from dlkit import runtime

NAMES = ("startup", "pipeline", "frozen", "cifar10")
LONG = ("long",)  # up to an hour

if __name__ == "__main__":
    runtime.setup(0)
    names = sys.argv[1:] or NAMES
    if unknown := set(names) - {*NAMES, *LONG}:
        sys.exit(f"Expected benchmarks: {', '.join(NAMES + LONG)}. Received: {', '.join(sorted(unknown))}.")
    for name in names:
        importlib.import_module(f"benchmarks.{name}").run()  # imports Keras, so only after the setup
