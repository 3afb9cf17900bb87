"""Makes the image at the top of README.md from six figures that are saved in the lessons.

python -m tools.figure_strip     writes pictures/lessons.png
"""

from __future__ import annotations

import base64
import io
import sys
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import nbformat
from PIL import Image, ImageChops, ImageDraw, ImageFont

ROOT = Path(__file__).resolve().parents[1]
STRIP_PATH = ROOT / "pictures" / "lessons.png"
WIDTH, COLUMNS, MARGIN, GAP = 1600, 3, 12, 40
FIGURE_HEIGHT = 300  # pixels at most, for each figure
FONT_SIZE = 27  # still legible when the strip is shown 700 pixels wide
MAX_BYTES = 300_000


@dataclass(frozen=True)
class Panel:
    """One figure of the strip.

    Args:
        lesson: String, the number of the lesson, two digits.
        topic: String, a short caption.
        code: String, code that occurs in exactly one cell with a saved figure, the cell that drew this one.
        crop: Tuple (left, top, right, bottom) as fractions of the figure, to show only this region; default the
            complete figure.
    """

    lesson: str
    topic: str
    code: str
    crop: tuple[float, float, float, float] = (0, 0, 1, 1)


PANELS = (
    Panel("01", "Neurons and activations", "plot_boundary(ax, network)"),
    Panel("04", "Optimizers", "path = descend(method, rate, gradient, starts[6], race_steps)"),
    Panel("11", "A CNN on CIFAR-10", "evaluate.worst_mistakes(test[1], probs, 12)", crop=(0, 0.08, 0.5, 1)),
    Panel("19", "Attention", 'ax.imshow(head_weights, cmap="Blues", vmin=0)'),
    Panel("22", "Explaining predictions", "show_maps(range(3), saliency_maps)"),
    Panel("23", "Generative models", 'title="0, 1, 2, 3 out of noise"', crop=(0, 0.08, 1, 1)),
)


def find_figure(path, code):
    """Finds a figure that is saved in a notebook.

    Args:
        path: Path of the notebook.
        code: String, code in the cell that drew the figure.

    Returns:
        A `PIL.Image.Image`, RGB.

    Raises:
        ValueError: If not exactly one figure belongs to cells with this code. The message names the notebook.
    """
    found = []
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code" and code in cell.source:
            found += [out.data["image/png"] for out in cell.outputs if "image/png" in out.get("data", {})]
    if len(found) != 1:
        raise ValueError(
            f"{Path(path).name}: expected one saved figure of a cell with the code {code!r}. Received: {len(found)}. "
            "Run the notebook, or change the panel in tools/figure_strip.py."
        )
    return Image.open(io.BytesIO(base64.b64decode(found[0]))).convert("RGB")


def trim(image):
    """Removes the white border of a `PIL.Image.Image`; an image that is all white stays as it is."""
    box = ImageChops.difference(image, Image.new("RGB", image.size, "white")).getbbox()
    return image.crop(box) if box else image


def draw_strip(figures):
    """Arranges figures with captions in rows of three on a white background.

    Args:
        figures: List of tuples (`Panel`, `PIL.Image.Image`).

    Returns:
        A `PIL.Image.Image`, RGB, 1,600 pixels wide.
    """
    cell_width = (WIDTH - 2 * MARGIN - (COLUMNS - 1) * GAP) // COLUMNS
    caption, rows = FONT_SIZE + 18, -(-len(figures) // COLUMNS)
    strip = Image.new("RGB", (WIDTH, 2 * MARGIN + rows * (caption + FIGURE_HEIGHT) + (rows - 1) * GAP), "white")
    draw, fonts = ImageDraw.Draw(strip), [_font("DejaVuSans-Bold"), _font("DejaVuSans")]
    for position, (panel, figure) in enumerate(figures):
        row, column = divmod(position, COLUMNS)
        x, y = MARGIN + column * (cell_width + GAP), MARGIN + row * (caption + FIGURE_HEIGHT + GAP)
        draw.text((x, y), panel.lesson, fill="#0072B2", font=fonts[0])
        draw.text((x + draw.textlength(f"{panel.lesson} ", fonts[0]), y), panel.topic, fill="#222222", font=fonts[1])
        figure = _fit(_crop(figure, panel.crop), cell_width, FIGURE_HEIGHT)
        strip.paste(figure, (x + (cell_width - figure.width) // 2, y + caption))
    return strip


def _font(name):
    """A font that is installed with Matplotlib, so that the strip looks the same on every machine."""
    return ImageFont.truetype(f"{matplotlib.get_data_path()}/fonts/ttf/{name}.ttf", FONT_SIZE)


def _crop(figure, crop):
    left, top, right, bottom = crop
    width, height = figure.size
    return trim(figure.crop((round(left * width), round(top * height), round(right * width), round(bottom * height))))


def _fit(figure, width, height):
    scale = min(width / figure.width, height / figure.height)
    return figure.resize((round(scale * figure.width), round(scale * figure.height)), Image.Resampling.LANCZOS)


def save(strip, path=STRIP_PATH):
    """Saves the strip as a PNG with a palette of 256 colors.

    Args:
        strip: `PIL.Image.Image`, RGB.
        path: `Path` of the file; its folder is created if needed.

    Raises:
        ValueError: If the file would be larger than 300 kB. Nothing is written then.
    """
    colors = strip.quantize(256, method=Image.Quantize.FASTOCTREE)  # preserves small areas of a bright color
    colors.putpalette([255 if value > 252 else value for value in colors.getpalette()])  # white stays white
    file = io.BytesIO()
    strip.quantize(palette=colors, dither=Image.Dither.FLOYDSTEINBERG).save(file, "PNG", optimize=True)
    if file.tell() > MAX_BYTES:
        raise ValueError(
            f"Expected an image file of at most {MAX_BYTES:,} bytes. Received: {file.tell():,}. "
            "Lower FIGURE_HEIGHT, or choose figures with fewer photographs."
        )
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(file.getvalue())


def main(*, root=ROOT, panels=PANELS):
    """Finds the figures and writes pictures/lessons.png.

    Args:
        root: `Path` of the folder that holds notebooks/.
        panels: List of `Panel`.

    Returns:
        Integer, the exit status 0.

    Raises:
        ValueError: If a notebook or its figure is missing.
    """
    figures = []
    for panel in panels:
        paths = list((root / "notebooks").glob(f"{panel.lesson}_*.ipynb"))
        if len(paths) != 1:
            raise ValueError(f"Expected one notebook notebooks/{panel.lesson}_*.ipynb. Received: {len(paths)}.")
        figures.append((panel, find_figure(paths[0], panel.code)))
    path = root / STRIP_PATH.relative_to(ROOT)
    save(draw_strip(figures), path)
    print(f"{path.relative_to(root)}: {len(figures)} figures, {path.stat().st_size:,} bytes.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
