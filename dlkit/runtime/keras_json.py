"""A user's Keras settings, keras.json and KERAS_BACKEND: which of them break a lesson. Standard library only."""

from __future__ import annotations

import json
import os
from pathlib import Path

# Key: (what the lessons need, what Keras accepts too and `runtime.setup` corrects).
_NEEDED = {
    "image_data_format": ("channels_last", ("channels_first",)),
    "floatx": ("float32", ("float16", "float64")),
    "backend": ("tensorflow", ()),
}


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
    except OSError as error:
        return "problem", f"cannot be read ({error.strerror}), and Keras stops with an error"
    except ValueError as error:
        return "note", f"is not valid JSON ({error}), and Keras ignores it"
    status, wrong = "note", []
    for key, (needed, accepted) in _NEEDED.items():
        overridden = key == "backend" and os.environ.get("KERAS_BACKEND")
        if (value := settings.get(key, needed)) != needed and not overridden:
            status = status if value in accepted else "problem"
            wrong.append(f"{key} {value!r} (the lessons need {needed!r})")
    return (status, f"has {', '.join(wrong)}") if wrong else None
