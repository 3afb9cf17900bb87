"""Training: a `fit` that resumes after a stop and runs on several machines; schedules and losses that Keras lacks."""

from dlkit.training.checkpoint import Checkpoint, DivergedError
from dlkit.training.fit import fit, restart
from dlkit.training.losses import SmoothedCrossentropy
from dlkit.training.schedules import OneCycle
