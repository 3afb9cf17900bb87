"""Figures in one style: arrays in, a `matplotlib.figure.Figure` out. Only this part of dlkit uses Matplotlib.

The figure that a function returns is closed, so a notebook shows it once, as the value of the cell.
"""

from dlkit.plots.curves import LiveCurve, add_curves, plot_curves
from dlkit.plots.images import plot_confusion_matrix, plot_images, plot_predictions
from dlkit.plots.networks import plot_dense_network, plot_network
from dlkit.plots.style import BLUE, COLORS, GRAY, GREEN, ORANGE, RED, SKY, figure
