"""How the benchmark of the start times a process."""

import subprocess

import pytest

from benchmarks import startup


def test_starts_per_minute_waits_for_the_end_and_raises_an_error():
    assert startup.starts_per_minute("import time; time.sleep(0.2)") < 60 / 0.2
    with pytest.raises(subprocess.CalledProcessError):
        startup.starts_per_minute("raise SystemExit(1)")
    assert 0 < startup.import_milliseconds() < 500
