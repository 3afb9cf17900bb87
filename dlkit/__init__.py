"""dlkit: the thin package behind the notebooks.

Data flows one way: `data` -> `models` -> `transfer` -> `training` -> `evaluate` -> `plots`. `recipes` and the command
line (`dlkit`) put the steps together; `runtime`, `claims` and `exercises` serve the notebooks.

Importing dlkit is instant and changes nothing: no TensorFlow, no seeds, no settings. `runtime.setup()` does that.
"""

__version__ = "0.1.0"
