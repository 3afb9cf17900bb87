"""What in a user's Keras settings breaks a lesson, and what the doctor prints about it."""

import json
import re
import runpy
from pathlib import Path

import pytest
from keras.src.backend import config

from dlkit import doctor
from dlkit.runtime import keras_json

HARMLESS = {"image_data_format": "channels_last", "floatx": "float32", "epsilon": 1e-07, "backend": "tensorflow"}


@pytest.mark.parametrize(
    ("content", "status", "message"),
    [
        (json.dumps(HARMLESS), None, ""),
        ("{}", None, ""),
        ('{"image_data_format": "channels_first"}', "note", "image_data_format 'channels_first'"),
        ('{"floatx": "float16"}', "note", "floatx 'float16' (the lessons need 'float32')"),
        ("{nope", "note", "cannot be read"),
        ("\udcff", "note", "cannot be read"),
        ('{"backend": "jax", "floatx": "float16"}', "problem", "floatx 'float16' .*, backend 'jax'"),
        ('{"floatx": "bfloat16"}', "problem", "floatx 'bfloat16'"),
        ('{"image_data_format": "last"}', "problem", "image_data_format 'last'"),
    ],
)
def test_find_problem_agrees_with_keras(tmp_path, monkeypatch, posix_shell, content, status, message):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "a home"))
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    monkeypatch.setenv("TF_FORCE_GPU_ALLOW_GROWTH", "true")  # Keras sets it for other backends
    path = tmp_path / "a home" / "keras.json"
    path.parent.mkdir()
    path.write_bytes(content.encode(errors="surrogateescape"))
    found = doctor._keras_settings()
    if status is None:
        assert found == ("ok", "keras.json", "TensorFlow, channels last, float32")
    else:
        assert found[:2] == (status, "keras.json")
        assert re.search(message.replace("(", r"\(").replace(")", r"\)"), found[2]), found
        assert found[2].endswith(f" → rm '{path}'")
    try:
        runpy.run_path(config.__file__)  # what Keras does with the file
        keras_fails = False
    except ValueError:
        keras_fails = True
    assert keras_fails == (status == "problem" and "backend" not in content)


def test_missing_keras_json_is_ok_and_unreadable_is_not(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    assert doctor._keras_settings()[0] == "ok"
    (tmp_path / "keras.json").mkdir()  # opening a folder fails for root too
    status, _, text = doctor._keras_settings()
    assert status == "problem"
    assert "cannot be read" in text


def test_keras_backend_variable_overrides_keras_json(tmp_path, monkeypatch, posix_shell):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    (tmp_path / "keras.json").write_text('{"backend": "torch"}')
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    assert doctor._keras_settings() == (
        "problem",
        "KERAS_BACKEND",
        "it is jax, the lessons need tensorflow → unset KERAS_BACKEND",
    )
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    assert doctor._keras_settings()[0] == "ok"
    monkeypatch.delenv("KERAS_BACKEND")
    assert doctor._keras_settings()[0] == "problem"


def test_keras_home_is_the_folder_that_keras_uses(tmp_path, monkeypatch):
    for home, keras_home in ((tmp_path, None), (tmp_path, "~/elsewhere"), (tmp_path / "none", None)):
        monkeypatch.setenv("HOME", str(home))
        monkeypatch.setenv("USERPROFILE", str(home))
        monkeypatch.delenv("KERAS_HOME", raising=False)
        if keras_home:
            monkeypatch.setenv("KERAS_HOME", keras_home)
        monkeypatch.chdir(tmp_path)
        assert keras_json.keras_home() == Path(runpy.run_path(config.__file__)["_config_path"]).parent
