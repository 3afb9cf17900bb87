import os
import re
import subprocess
import sys

import keras
import nbformat
import numpy as np
import pytest

from dlkit import runtime
from tools.notebooks import ROOT


def run(code, **environment):
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


def test_an_odd_keras_json_changes_nothing_in_a_lesson(tmp_path):
    (tmp_path / "keras.json").write_text('{"image_data_format": "channels_first", "floatx": "float16"}')
    code = """
from dlkit import runtime
runtime.setup()
import keras
print(keras.config.image_data_format(), keras.config.floatx(), keras.config.dtype_policy().name)
model = keras.Sequential([keras.Input((32, 32, 3)), keras.layers.Conv2D(4, 3)])
print(model.output_shape, model.layers[0].kernel.dtype)
"""
    done = run(code, KERAS_HOME=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[1:] == ["channels_last float32 float32", "(None, 30, 30, 4) float32"]


STARTING = "Starting TensorFlow …\r"


def test_on_a_terminal_the_start_is_announced_and_overwritten():
    pty = pytest.importorskip("pty")
    ours, its = pty.openpty()
    code = "from dlkit import runtime; runtime.setup(seed=3); runtime.setup(seed=4)"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=its, env={**os.environ, "PYTHONUTF8": "1"})
    os.close(its)
    shown = b""
    try:
        while block := os.read(ours, 1000):
            shown += block
    except OSError:  # how Linux says that the other side is closed
        pass
    os.close(ours)
    assert process.wait() == 0
    shown = shown.decode().replace("\r\n", "\n")
    assert shown.startswith(STARTING)
    assert shown.count("Starting") == 1, "the second start takes no time"
    lines = shown.removeprefix(STARTING).splitlines()
    assert ["seed 3" in lines[0], "seed 4" in lines[1], len(lines)] == [True, True, 2]
    assert len(lines[0]) >= len(STARTING.strip()), "nothing of it remains"


def test_in_a_notebook_the_start_is_announced_and_overwritten():
    from nbclient import NotebookClient

    cell = nbformat.v4.new_code_cell("from dlkit import runtime\nrt = runtime.setup()")
    NotebookClient(nbformat.v4.new_notebook(cells=[cell]), kernel_name="python3", timeout=120).execute()
    shown = "".join(output.text for output in cell.outputs)
    assert shown.startswith(STARTING)
    assert re.fullmatch(r"(lesson|full) tier · .* · seed 0 *\n", shown.removeprefix(STARTING))


def test_quiet_start_gives_back_what_was_said_when_it_fails():
    code = """
import os
from dlkit import runtime
with runtime.suppress_native_stderr():
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
    runtime.configure_device()
    assert not tf.config.experimental.tensor_float_32_execution_enabled()


def test_every_folder_of_the_package_is_installed():
    assert '[tool.setuptools.packages.find]\ninclude = ["dlkit*"]\n' in (ROOT / "pyproject.toml").read_text()
    for file in (ROOT / "dlkit").rglob("*.py"):
        assert (file.parent / "__init__.py").exists(), "setuptools leaves out a folder that is not a package"
