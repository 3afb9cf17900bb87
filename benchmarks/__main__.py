"""python -m benchmarks [race ...]     all races by default"""

import importlib
import sys

from dlkit import runtime

RACES = ("pipeline", "frozen", "cifar10")

if __name__ == "__main__":
    runtime.setup(0)
    names = sys.argv[1:] or RACES
    if unknown := set(names) - set(RACES):
        sys.exit(f"Expected races: {', '.join(RACES)}. Received: {', '.join(sorted(unknown))}.")
    for name in names:
        importlib.import_module(f"benchmarks.{name}").run()
