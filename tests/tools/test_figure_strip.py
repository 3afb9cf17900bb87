"""The strip of figures at the top of README.md, from tiny lessons with saved figures."""

import base64
import io

import nbformat
import pytest
from PIL import Image, ImageDraw

from tests.tools.helpers import write_lesson
from tools import figure_strip


def figure_cell(source, color="red", size=(400, 200)):
    """A code cell with a saved figure: a colored square within a white border."""
    image = Image.new("RGB", size, "white")
    ImageDraw.Draw(image).rectangle((100, 50, 199, 149), fill=color)
    file = io.BytesIO()
    image.save(file, "PNG")
    bundle = {"image/png": base64.b64encode(file.getvalue()).decode(), "text/plain": "<Figure>"}
    return nbformat.v4.new_code_cell(source, outputs=[nbformat.v4.new_output("display_data", bundle)])


def test_find_figure_by_the_code_of_its_cell(tmp_path):
    cells = [figure_cell("draw('red')", "red"), figure_cell("draw('blue')", "blue")]
    path = write_lesson(tmp_path, 1, cells=cells)
    assert figure_strip.find_figure(path, "'blue'").getpixel((150, 100)) == (0, 0, 255)


@pytest.mark.parametrize(("code", "count"), [("draw(", 2), ("paint(", 0), ("print", 0)])
def test_find_figure_reports_no_figure_or_several(code, count, tmp_path):
    cells = [figure_cell("draw(1)"), figure_cell("draw(2)"), nbformat.v4.new_code_cell("print()")]
    path = write_lesson(tmp_path, 1, cells=cells)
    with pytest.raises(ValueError, match=rf"01_lesson\.ipynb: expected one saved figure .* Received: {count}"):
        figure_strip.find_figure(path, code)


def test_trim_removes_only_a_white_border():
    image = Image.new("RGB", (60, 40), "white")
    assert figure_strip.trim(image).size == (60, 40)
    ImageDraw.Draw(image).rectangle((10, 5, 29, 24), fill="black")
    assert figure_strip.trim(image).size == (20, 20)


def test_strip_has_all_figures_and_is_a_small_file(tmp_path):
    for number, color in enumerate(("red", "lime", "blue", "yellow"), start=1):
        write_lesson(tmp_path / "notebooks", number, cells=[figure_cell("draw()", color)])
    panels = [figure_strip.Panel(f"0{number}", f"Topic {number}", "draw()") for number in range(1, 5)]
    assert figure_strip.main(root=tmp_path, panels=panels) == 0
    path = tmp_path / "pictures" / "lessons.png"
    assert path.stat().st_size < 30_000
    with Image.open(path) as file:
        strip = file.convert("RGB")
    assert strip.width == figure_strip.WIDTH
    counts = {color: count for count, color in strip.getcolors(100_000)}
    assert max(counts, key=counts.get) == (255, 255, 255)
    for color in ((255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0)):
        assert (
            sum(count for near, count in counts.items() if max(map(abs, map(int.__sub__, near, color))) < 12) > 50_000
        )


def test_crop_shows_a_region_of_the_figure():
    image = Image.new("RGB", (400, 100), "red")
    image.paste("blue", (200, 0, 400, 100))
    complete, half = (figure_strip.Panel("01", "Topic", "", crop=crop) for crop in ((0, 0, 1, 1), (0, 0, 0.5, 1)))
    blue = [
        any(b > 200 and r < 50 for _, (r, _, b) in figure_strip.draw_strip([(panel, image)]).getcolors(100_000))
        for panel in (complete, half)
    ]
    assert blue == [True, False]


def test_missing_notebook_is_reported(tmp_path):
    (tmp_path / "notebooks").mkdir()
    with pytest.raises(ValueError, match=r"Expected one notebook notebooks/01_\*\.ipynb\. Received: 0"):
        figure_strip.main(root=tmp_path, panels=[figure_strip.Panel("01", "Topic", "draw()")])


def test_save_writes_no_file_that_is_too_large(tmp_path):
    noise = Image.effect_noise((1200, 900), 100).convert("RGB")
    with pytest.raises(ValueError, match="Expected an image file of at most 300,000 bytes"):
        figure_strip.save(noise, tmp_path / "pictures" / "lessons.png")
    assert not (tmp_path / "pictures").exists()
