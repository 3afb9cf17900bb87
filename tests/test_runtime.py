import subprocess
import sys

import keras
import numpy as np
import pytest

from dlkit import runtime


def run(code, **environment):
    import os

    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, **environment}, check=False
    )


def test_importing_dlkit_is_instant_and_changes_nothing():
    code = """
import os, sys, time
before = dict(os.environ)
start = time.perf_counter()
import dlkit
seconds = time.perf_counter() - start
heavy = {"tensorflow", "keras", "numpy", "matplotlib"} & set(sys.modules)
assert not heavy, heavy
assert dict(os.environ) == before
print(seconds)
"""
    done = run(code)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 0.2


def test_setup_is_one_line_and_silent_on_standard_error():
    done = run("from dlkit import runtime; runtime.setup(seed=3); import keras; keras.ops.ones(3) + 1")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == 1
    assert "seed 3" in done.stdout
    assert "Keras 3" in done.stdout


def test_quiet_start_gives_back_what_was_said_when_it_fails():
    code = """
import os
from dlkit import runtime
with runtime.quiet_start():
    os.write(2, b"the reason\\n")
    raise ImportError("no such library")
"""
    done = run(code)
    assert done.returncode == 1
    assert "the reason" in done.stderr
    assert "no such library" in done.stderr


def test_the_same_seed_gives_the_same_numbers():
    draws = []
    for seed in (5, 5, 6):
        runtime.setup(seed)
        draws.append((np.random.random(), float(keras.initializers.GlorotUniform()((1, 1))[0, 0])))
    assert draws[0] == draws[1] != draws[2]


def test_the_tier_chooses_and_can_be_overridden(monkeypatch):
    monkeypatch.setenv("DLKIT_TIER", "full")
    assert runtime.setup().choose(lesson=1, full=2) == 2
    monkeypatch.setenv("DLKIT_TIER", "lesson")
    assert runtime.setup().choose(lesson=1, full=2) == 1
    monkeypatch.setenv("DLKIT_TIER", "huge")
    with pytest.raises(ValueError, match='"lesson" or "full". Received: "huge"'):
        runtime.setup()


def test_progress_is_for_terminals_only(capsys):
    assert list(runtime.progress([1, 2, 3], "counting")) == [1, 2, 3]
    assert capsys.readouterr() == ("", "")


def test_32_bit_products_are_computed_in_full_wherever_there_is_a_gpu():
    import tensorflow as tf

    tf.config.experimental.enable_tensor_float_32_execution(True)
    runtime.find_device()
    assert not tf.config.experimental.tensor_float_32_execution_enabled()
