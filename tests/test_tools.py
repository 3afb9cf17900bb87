"""The tools that normalize notebooks and make parts of README.md, on tiny notebooks."""

import base64
import io

import nbformat
import pytest
from PIL import Image, ImageDraw

from tools import figure_strip, lessons_table
from tools.notebooks import normalize

HEAD = """# {number:02d} · {topic}

*{question}*

**After this lesson you can**

- do something.

**Time:** about {time} to read and try; all cells together run for about 5 s on two processor cores."""


def write_lesson(folder, number, topic="Some topic", *, question="Is it so?", time="40 minutes", head=None, cells=()):
    """Writes a notebook with this head and returns its path."""
    folder.mkdir(exist_ok=True)
    head = head or HEAD.format(number=number, topic=topic, question=question, time=time)
    path = folder / f"{number:02d}_lesson.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(head), *cells]), path)
    return path


def figure_cell(source, color="red", size=(400, 200)):
    """A code cell with a saved figure: a colored square within a white border."""
    image = Image.new("RGB", size, "white")
    ImageDraw.Draw(image).rectangle((100, 50, 199, 149), fill=color)
    file = io.BytesIO()
    image.save(file, "PNG")
    bundle = {"image/png": base64.b64encode(file.getvalue()).decode(), "text/plain": "<Figure>"}
    return nbformat.v4.new_code_cell(source, outputs=[nbformat.v4.new_output("display_data", bundle)])


@pytest.fixture
def project(tmp_path):
    """A project with three lessons and a README.md without a table."""
    write_lesson(tmp_path / "notebooks", 0, "Start here", time="20 minutes")
    write_lesson(tmp_path / "notebooks", 1, "Neurons | layers", question="Two | or three?")
    write_lesson(tmp_path / "notebooks", 2, "Losses", time="an hour")
    text = "# Title\n\n<!-- lessons -->\n<!-- /lessons -->\n\nThe end.\n"
    (tmp_path / "README.md").write_text(text, encoding="utf-8")
    return tmp_path


# --- the table of lessons


def test_the_head_of_a_lesson_is_read(tmp_path):
    lesson = lessons_table.read_lesson(write_lesson(tmp_path, 5, "An MLP", time="an hour"))
    assert lesson == lessons_table.Lesson("05_lesson.ipynb", 5, "An MLP", "Is it so?", 60)


@pytest.mark.parametrize(
    ("head", "missing"),
    [
        ("# 05 · Topic\n\nNo question here.\n\n**Time:** about 20 minutes to read and try", r"'\*Question\?\*'"),
        ("# 05 · Topic", r"'\*Question\?\*'"),
        ("# Topic\n\n*Is it so?*\n\n**Time:** about 20 minutes to read and try", "'# 05 · Topic'"),
        ("# 05 · Topic\n\n*Is it so?*\n\n**Time:** 20 minutes", "about 20 minutes to read and try"),
    ],
)
def test_a_head_that_lacks_something_is_reported_with_the_notebooks_name(head, missing, tmp_path):
    with pytest.raises(ValueError, match=rf"05_lesson\.ipynb: expected .*{missing}") as caught:
        lessons_table.read_lesson(write_lesson(tmp_path, 5, head=head))
    assert head.splitlines()[0] in str(caught.value)


def test_a_notebook_without_cells_is_reported_by_name(tmp_path):
    nbformat.write(nbformat.v4.new_notebook(), tmp_path / "05_lesson.ipynb")
    with pytest.raises(ValueError, match=r"05_lesson\.ipynb: expected"):
        lessons_table.read_lesson(tmp_path / "05_lesson.ipynb")


def test_the_table_has_parts_lessons_and_the_time_of_each(project):
    assert lessons_table.main([], root=project) == 0
    lines = (project / "README.md").read_text(encoding="utf-8").replace("\N{NO-BREAK SPACE}", " ").splitlines()
    assert lines[:3] == ["# Title", "", "<!-- lessons -->"]
    assert lines[3:9] == [
        "| | Topic | Question | Time |",
        "|---|---|---|---|",
        "| [00](notebooks/00_lesson.ipynb) | Start here | Is it so? | 20 min |",
        "| | **I · Foundations** | | **1 h 40 min** |",
        r"| [01](notebooks/01_lesson.ipynb) | Neurons \| layers | Two \| or three? | 40 min |",
        "| [02](notebooks/02_lesson.ipynb) | Losses | Is it so? | 60 min |",
    ]
    assert "- **A term** (2 h): all 3 lessons in this order, two a week." in lines
    afternoon = next(line for line in lines if line.startswith("- **One afternoon** (1 h):"))
    assert "[00](notebooks/00_lesson.ipynb), [01](notebooks/01_lesson.ipynb)." in afternoon
    assert lines[-3:] == ["<!-- /lessons -->", "", "The end."]


def test_check_reports_a_difference_and_changes_nothing(project, capsys):
    before = (project / "README.md").read_text(encoding="utf-8")
    assert lessons_table.main(["--check"], root=project) == 1
    assert "Update it: python -m tools.lessons_table" in capsys.readouterr().err
    assert (project / "README.md").read_text(encoding="utf-8") == before
    lessons_table.main([], root=project)
    assert lessons_table.main(["--check"], root=project) == 0
    write_lesson(project / "notebooks", 2, "Losses", question="Is it really so?", time="an hour")
    assert lessons_table.main(["--check"], root=project) == 1


def test_a_lesson_of_no_part_is_reported(tmp_path):
    lesson = lessons_table.read_lesson(write_lesson(tmp_path, 77))
    with pytest.raises(ValueError, match=r"Received: 77_lesson\.ipynb\. Add them to PARTS"):
        lessons_table.make_table([lesson])


@pytest.mark.parametrize("text", ["no markers", "<!-- lessons -->", "<!-- /lessons --> <!-- lessons -->"])
def test_a_document_without_both_markers_is_refused(text):
    with pytest.raises(ValueError, match="Expected the markers"):
        lessons_table.insert(text, "table")


# --- the strip of figures


def test_the_figure_of_the_cell_with_this_code_is_found(tmp_path):
    cells = [figure_cell("draw('red')", "red"), figure_cell("draw('blue')", "blue")]
    path = write_lesson(tmp_path, 1, cells=cells)
    assert figure_strip.find_figure(path, "'blue'").getpixel((150, 100)) == (0, 0, 255)


@pytest.mark.parametrize(("code", "count"), [("draw(", 2), ("paint(", 0), ("print", 0)])
def test_no_figure_or_two_are_reported_with_the_notebooks_name(code, count, tmp_path):
    cells = [figure_cell("draw(1)"), figure_cell("draw(2)"), nbformat.v4.new_code_cell("print()")]
    path = write_lesson(tmp_path, 1, cells=cells)
    with pytest.raises(ValueError, match=rf"01_lesson\.ipynb: expected one saved figure .* Received: {count}"):
        figure_strip.find_figure(path, code)


def test_the_white_border_goes_and_a_white_image_stays():
    image = Image.new("RGB", (60, 40), "white")
    assert figure_strip.trim(image).size == (60, 40)
    ImageDraw.Draw(image).rectangle((10, 5, 29, 24), fill="black")
    assert figure_strip.trim(image).size == (20, 20)


def test_the_strip_has_all_figures_on_white_and_little_weight(tmp_path):
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


def test_a_crop_shows_only_a_part_of_the_figure():
    image = Image.new("RGB", (400, 100), "red")
    image.paste("blue", (200, 0, 400, 100))
    whole, half = (figure_strip.Panel("01", "Topic", "", crop=crop) for crop in ((0, 0, 1, 1), (0, 0, 0.5, 1)))
    blue = [
        any(b > 200 and r < 50 for _, (r, _, b) in figure_strip.draw_strip([(panel, image)]).getcolors(100_000))
        for panel in (whole, half)
    ]
    assert blue == [True, False]


def test_a_missing_notebook_is_reported(tmp_path):
    (tmp_path / "notebooks").mkdir()
    with pytest.raises(ValueError, match=r"Expected one notebook notebooks/01_\*\.ipynb\. Received: 0"):
        figure_strip.main(root=tmp_path, panels=[figure_strip.Panel("01", "Topic", "draw()")])


def test_a_picture_that_is_too_large_is_not_written(tmp_path):
    noise = Image.effect_noise((1200, 900), 100).convert("RGB")
    with pytest.raises(ValueError, match="Expected a picture of at most 300,000 bytes"):
        figure_strip.save(noise, tmp_path / "pictures" / "lessons.png")
    assert not (tmp_path / "pictures").exists()


# --- normal form


def test_printed_text_is_one_output_however_many_pieces_it_came_in():
    def normalized(*pieces):
        outputs = [nbformat.v4.new_output("stream", name="stdout", text=piece) for piece in pieces]
        cell = nbformat.v4.new_code_cell("print()", outputs=outputs)
        return normalize(nbformat.v4.new_notebook(cells=[cell])).cells[0].outputs

    assert normalized("solved", "\n", "next\n") == normalized("solved\nnext\n")
    assert len(normalized("solved\n", "next\n")) == 1


def test_a_line_that_was_overwritten_is_not_saved():
    """As in setup, which says that TensorFlow starts and then overwrites it."""
    output = nbformat.v4.new_output(
        "stream", name="stdout", text="before\nStarting …\r          \rlesson tier\nafter\n"
    )
    cell = nbformat.v4.new_code_cell("print()", outputs=[output])
    outputs = normalize(nbformat.v4.new_notebook(cells=[cell])).cells[0].outputs
    assert outputs[0].text == "before\nlesson tier\nafter\n"
