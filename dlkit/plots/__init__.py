"""Pictures in one style: arrays in, a Matplotlib `Figure` out. The only part of dlkit that uses Matplotlib.

A function returns its figure closed, so that a notebook shows it once, as the value of the cell.
"""

from dlkit.plots.curves import LiveCurve, draw_curves, show_curves
from dlkit.plots.images import show_confusion, show_images, show_predictions
from dlkit.plots.networks import show_network, show_wires
from dlkit.plots.style import BLUE, COLOURS, GREEN, GREY, ORANGE, PURPLE, RED, SKY, figure

__all__ = [
    "BLUE",
    "COLOURS",
    "GREEN",
    "GREY",
    "ORANGE",
    "PURPLE",
    "RED",
    "SKY",
    "LiveCurve",
    "draw_curves",
    "figure",
    "show_confusion",
    "show_curves",
    "show_images",
    "show_network",
    "show_predictions",
    "show_wires",
]
