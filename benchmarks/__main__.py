"""python -m benchmarks [race ...]     all by default, but for the long one"""

import importlib
import sys

from dlkit import runtime

RACES = ("startup", "pipeline", "frozen", "cifar10")
LONG = ("long",)  # up to an hour

if __name__ == "__main__":
    runtime.setup(0)
    names = sys.argv[1:] or RACES
    if unknown := set(names) - {*RACES, *LONG}:
        sys.exit(f"Expected races: {', '.join(RACES + LONG)}. Received: {', '.join(sorted(unknown))}.")
    for name in names:
        importlib.import_module(f"benchmarks.{name}").run()
