"""Training: schedules and losses, a `fit` that survives being stopped, a loop for several machines (`workers`)."""

from dlkit.training.checkpoint import Checkpoint, DivergedError, fit, restart
from dlkit.training.schedules import OneCycle, SmoothedCrossentropy

__all__ = ["Checkpoint", "DivergedError", "OneCycle", "SmoothedCrossentropy", "fit", "restart"]
