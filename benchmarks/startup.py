"""How long a lesson takes to start: `runtime.setup()`, against bare imports of what it imports.

Each round starts two fresh Python processes. The setup imports TensorFlow and Keras too, and then configures the
device, sets the seed and suppresses TensorFlow's start-up messages. `import dlkit` alone, which changes nothing, is
timed inside its process and reported in the conditions.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

from benchmarks import harness

OURS = "from dlkit import runtime; runtime.setup()"
BASELINE = "import tensorflow, keras"
IMPORT = "import time; start = time.perf_counter(); import dlkit; print(time.perf_counter() - start)"


def starts_per_minute(code):
    """Starts a fresh Python process with this code and waits for its end.

    Args:
        code: String, a Python program.

    Returns:
        Float, how many such starts fit into a minute.
    """
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    return 60 / (time.perf_counter() - start)


def import_milliseconds():
    """Milliseconds that `import dlkit` takes in a fresh Python process."""
    done = subprocess.run([sys.executable, "-c", IMPORT], capture_output=True, text=True, check=True)
    return 1_000 * float(done.stdout)


def run(rounds=5):
    """Runs the benchmark and saves its result.

    Args:
        rounds: Integer, how often each side is measured, default 5.
    """
    starts_per_minute(OURS)  # warm-up: afterwards the files are in the disk cache
    alone = statistics.median(import_milliseconds() for _ in range(rounds))
    result = harness.interleave(lambda: starts_per_minute(OURS), lambda: starts_per_minute(BASELINE), rounds=rounds)
    harness.save_result(
        "startup",
        {
            "description": "a lesson's first cell against bare imports of TensorFlow and Keras",
            "target": "at least 0.9",
            "unit": "starts/minute",
            "conditions": harness.conditions(import_dlkit_alone=f"{alone:.1f} ms"),
            **result,
        },
    )
