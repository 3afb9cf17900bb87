"""`runtime.setup`: one printed line, seeds, settings of Keras, and the tier."""

import os
import re
import subprocess
import sys

import keras
import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient

from dlkit import runtime
from tests.runtime.helpers import run_code

STARTING = "Starting TensorFlow …\r"


def test_setup_prints_one_line_and_overrides_keras_json(tmp_path):
    (tmp_path / "keras.json").write_text('{"image_data_format": "channels_first", "floatx": "float16"}')
    code = """
from dlkit import runtime
runtime.setup(seed=3)
import keras
print(keras.config.image_data_format(), keras.config.floatx(), keras.config.dtype_policy().name)
model = keras.Sequential([keras.Input((32, 32, 3)), keras.layers.Conv2D(4, 3)])
print(model.output_shape, model.layers[0].kernel.dtype)
"""
    done = run_code(code, KERAS_HOME=str(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    line, *rest = done.stdout.splitlines()
    assert "seed 3" in line
    assert "Keras 3" in line
    assert rest == ["channels_last float32 float32", "(None, 30, 30, 4) float32"]


@pytest.mark.slow  # test_person_reads_a_notebook_and_a_terminal covers where it is printed
def test_setup_overwrites_its_notice_on_a_terminal():
    pty = pytest.importorskip("pty")
    our_end, its_end = pty.openpty()  # a pseudo-terminal: the process believes that it writes to a screen
    code = "from dlkit import runtime; runtime.setup(seed=3); runtime.setup(seed=4)"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=its_end, env={**os.environ, "PYTHONUTF8": "1"})
    os.close(its_end)
    shown = b""
    try:
        while block := os.read(our_end, 1000):
            shown += block
    except OSError:  # on Linux the other end is closed
        pass
    os.close(our_end)
    assert process.wait() == 0
    shown = shown.decode().replace("\r\n", "\n")
    assert shown.startswith(STARTING)
    assert shown.count("Starting") == 1, "TensorFlow is loaded at the second call"
    lines = shown.removeprefix(STARTING).splitlines()
    assert ["seed 3" in lines[0], "seed 4" in lines[1], len(lines)] == [True, True, 2]
    assert len(lines[0]) >= len(STARTING.strip()), "the line covers the notice completely"


@pytest.mark.slow
def test_setup_overwrites_its_notice_in_a_notebook():
    cell = nbformat.v4.new_code_cell("from dlkit import runtime\nrt = runtime.setup()")
    NotebookClient(nbformat.v4.new_notebook(cells=[cell]), kernel_name="python3", timeout=120).execute()
    shown = "".join(output.text for output in cell.outputs)
    assert shown.startswith(STARTING)
    assert re.fullmatch(r"(lesson|full) tier · .* · seed 0 *\n", shown.removeprefix(STARTING))


def test_setup_with_the_same_seed_gives_the_same_numbers():
    draws = []
    for seed in (5, 5, 6):
        runtime.setup(seed)
        draws.append((np.random.random(), float(keras.initializers.GlorotUniform()((1, 1))[0, 0])))
    assert draws[0] == draws[1] != draws[2]


def test_tier_can_be_overridden_and_chooses(monkeypatch):
    monkeypatch.setenv("DLKIT_TIER", "full")
    assert runtime.setup().choose(lesson=1, full=2) == 2
    monkeypatch.setenv("DLKIT_TIER", "lesson")
    assert runtime.setup().choose(lesson=1, full=2) == 1
    monkeypatch.setenv("DLKIT_TIER", "huge")
    with pytest.raises(ValueError, match='"lesson" or "full". Received: "huge"'):
        runtime.setup()
