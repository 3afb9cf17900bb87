"""The style of all figures: white background, 7 inches wide, colors that color-blind readers can distinguish."""

from __future__ import annotations

import contextlib

import matplotlib.pyplot as plt

# Okabe and Ito's colors, which color-blind readers can distinguish (https://jfly.uni-koeln.de/color, 2008).
BLUE, ORANGE, GREEN, RED, PURPLE, SKY, YELLOW, GRAY = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#D55E00",
    "#CC79A7",
    "#56B4E9",
    "#F0E442",
    "#666666",
)
COLORS = (BLUE, ORANGE, GREEN, RED, PURPLE, SKY, YELLOW, GRAY)
WIDTH = 7  # inches
_STYLE = {
    "figure.facecolor": "white",
    "axes.facecolor": "white",
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#999999",
    "xtick.color": "#444444",
    "ytick.color": "#444444",
    "axes.prop_cycle": plt.cycler(color=COLORS),
    "figure.constrained_layout.use": True,
}


@contextlib.contextmanager
def figure(rows=1, columns=1, *, height=3.0, **options):
    """Context manager that creates an empty figure in dlkit's style and closes it at the end of the block.

    Args:
        rows: Integer, number of rows of axes, default 1.
        columns: Integer, number of columns of axes, default 1.
        height: Float, height in inches, default 3. The width is always 7 inches.
        **options: Further arguments for `matplotlib.pyplot.subplots`.

    Yields:
        Tuple (figure, axes), as `matplotlib.pyplot.subplots` returns it.

    Example:
        >>> with figure(height=2) as (fig, ax):
        ...     lines = ax.plot([1, 2, 3])
    """
    with plt.rc_context(_STYLE):
        fig, axes = plt.subplots(rows, columns, figsize=(WIDTH, height), **options)
        try:
            yield fig, axes
        finally:
            plt.close(fig)
