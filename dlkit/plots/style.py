"""The style of all figures: white background, 7 inches wide, colors that color-blind readers can distinguish."""

import contextlib
import functools
import warnings

import matplotlib.pyplot as plt
from matplotlib import font_manager

# Okabe and Ito's colors, which color-blind readers can distinguish (https://jfly.uni-koeln.de/color, 2008).
COLORS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#F0E442", "#666666")
BLUE, ORANGE, GREEN, RED, PURPLE, SKY, YELLOW, GRAY = COLORS
WIDTH = 7  # inches
# Matplotlib's own font, and the fonts of Linux, macOS and Windows for Chinese, Japanese and Korean class names.
_FONTS = ("DejaVu Sans", "Noto Sans CJK SC", "Noto Sans CJK JP", "WenQuanYi Micro Hei", "WenQuanYi Zen Hei")
_FONTS += ("PingFang SC", "Hiragino Sans GB", "Heiti TC", "Microsoft YaHei", "SimHei", "Yu Gothic", "Malgun Gothic")
FONTS = [name for name in _FONTS if name in font_manager.get_font_names()]
_STYLE = {
    "figure.facecolor": "white",
    "axes.facecolor": "white",
    "font.family": FONTS,
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


def literal(text):
    """A name from data, such as a class or a file, as a text that Matplotlib draws as it is.

    Dollar signs would mark a formula. Characters that no installed font has become boxes, which is said once.
    """
    text = "" if text is None else str(text).encode("utf-8", "replace").decode()  # file names may not be valid Unicode
    if missing := {c for c in text if not c.isascii() and ord(c) not in _code_points()}:
        warnings.warn(
            "The class names or titles of a figure have characters that no installed font can draw. They are drawn as "
            "boxes. Install a font that has them, such as Noto Sans CJK, and delete Matplotlib's font cache.",
            stacklevel=1,
        )
        text = "".join("□" if c in missing else c for c in text)
    return text.replace("$", r"\$")


@functools.cache
def _code_points():
    """The code points of the characters in all fonts."""
    fonts = (font_manager.get_font(font_manager.findfont(name)) for name in FONTS)
    return frozenset(code for font in fonts for code in font.get_charmap())
