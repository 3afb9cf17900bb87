"""Training: a `fit` that resumes after a stop, schedules and losses that Keras lacks, several machines."""

from dlkit.training.checkpoint import Checkpoint, DivergedError
from dlkit.training.fit import fit, restart
from dlkit.training.losses import SmoothedCrossentropy
from dlkit.training.schedules import OneCycle

__all__ = ["Checkpoint", "DivergedError", "OneCycle", "SmoothedCrossentropy", "fit", "restart"]
