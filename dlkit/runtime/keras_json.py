"""A user's Keras settings in keras.json: which of them break a lesson. Standard library only."""

import json
import os
from pathlib import Path

_NEEDED = {"image_data_format": "channels_last", "floatx": "float32", "backend": "tensorflow"}
_CORRECTED = ("channels_first", "float16", "float64")  # values that Keras accepts and `runtime.setup` replaces


def keras_home():
    """The folder of Keras's settings and downloads: KERAS_HOME, else .keras in the home folder, else in /tmp."""
    home = os.path.expanduser("~")
    folder = os.environ.get("KERAS_HOME", os.path.join(home if os.access(home, os.W_OK) else "/tmp", ".keras"))
    return Path(folder).expanduser()


def find_problem():
    """Examines keras.json. Returns None or (status, text), as a row of the doctor.

    The status is "problem" where Keras or the lessons would fail, and "note" where `runtime.setup` corrects it or Keras
    ignores the file.
    """
    try:
        with open(keras_home() / "keras.json") as file:  # in the encoding of this machine, as Keras opens it
            settings = json.load(file)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:  # Keras ignores what is not valid JSON
        return "problem" if isinstance(error, OSError) else "note", f"cannot be read: {error}"
    if os.environ.get("KERAS_BACKEND"):
        settings.pop("backend", None)  # the variable replaces it
    wrong = {key: settings[key] for key, needed in _NEEDED.items() if settings.get(key, needed) != needed}
    text = ", ".join(f"{key} {value!r} (the lessons need {_NEEDED[key]!r})" for key, value in wrong.items())
    status = "note" if all(value in _CORRECTED for value in wrong.values()) else "problem"
    return (status, f"has {text}") if wrong else None
