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


def settings_path():
    """Where Keras looks for keras.json, as a `Path`: in KERAS_HOME, else in .keras of the home folder, else of /tmp."""
    home = os.path.expanduser("~")
    folder = os.environ.get("KERAS_HOME", os.path.join(home if os.access(home, os.W_OK) else "/tmp", ".keras"))
    return Path(os.path.expanduser(folder)) / "keras.json"


def other_backend():
    """The value of KERAS_BACKEND when it names another backend than TensorFlow, else None."""
    backend = os.environ.get("KERAS_BACKEND")
    return backend if backend and backend != "tensorflow" else None


def find_problem():
    """Examines keras.json.

    Returns:
        None if there is no problem, otherwise a tuple (status, text) of strings: the status is "problem" where Keras
        or the lessons would fail, and "note" where Keras ignores the file or `runtime.setup` corrects it.
    """
    try:
        with open(settings_path()) as file:  # in the encoding of this machine, as Keras opens it
            settings = json.load(file)
    except FileNotFoundError:
        return None
    except OSError as error:
        return "problem", f"cannot be read ({error.strerror}), and Keras stops with an error"
    except ValueError as error:
        return "note", f"is not valid JSON ({error}), and Keras ignores it"
    if not isinstance(settings, dict):
        return "problem", "is not a JSON object, and Keras stops with an error"
    status, wrong = "note", []
    for key, (needed, accepted) in _NEEDED.items():
        overridden = key == "backend" and os.environ.get("KERAS_BACKEND")
        if (value := settings.get(key, needed)) != needed and not overridden:
            status = status if value in accepted else "problem"
            wrong.append(f"{key} {value!r} (the lessons need {needed!r})")
    if not isinstance(settings.get("epsilon", 1e-7), float):
        status, wrong = "problem", [*wrong, f"epsilon {settings['epsilon']!r} (Keras needs a float)"]
    return (status, f"has {', '.join(wrong)}") if wrong else None
