"""How long a lesson takes to start: `runtime.setup()`, against bare imports of what it brings in.

Each turn starts two fresh Python processes. Setup imports TensorFlow and Keras too, and then finds the device, sets the
seed and keeps TensorFlow's start-up messages back. `import dlkit` by itself, which changes nothing, is timed inside its
process and told in the conditions.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

from benchmarks import race

OURS = "from dlkit import runtime; runtime.setup()"
THEIRS = "import tensorflow, keras"
IMPORT = "import time; start = time.perf_counter(); import dlkit; print(time.perf_counter() - start)"


def starts_per_minute(code):
    """Starts a fresh Python with this code, to its end."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    return 60 / (time.perf_counter() - start)


def import_milliseconds():
    """`import dlkit` alone, in a fresh Python."""
    done = subprocess.run([sys.executable, "-c", IMPORT], capture_output=True, text=True, check=True)
    return 1_000 * float(done.stdout)


def run(rounds=5):
    """Runs the race and saves it."""
    starts_per_minute(OURS)  # once for nothing: files come from the disk
    alone = statistics.median(import_milliseconds() for _ in range(rounds))
    result = race.take_turns(lambda: starts_per_minute(OURS), lambda: starts_per_minute(THEIRS), rounds=rounds)
    told = race.conditions(import_dlkit_alone=f"{alone:.1f} ms")
    question = "a lesson's first cell against bare imports of TensorFlow and Keras"
    race.save(
        "startup", {"question": question, "goal": "at least 0.9", "unit": "starts/minute", "conditions": told, **result}
    )
