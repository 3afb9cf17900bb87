"""A lesson as text, from a tiny notebook with every type of output."""

import base64
import io

import nbformat
import pytest
from PIL import Image

from tools import dump_lesson

EXPECTED = """# A lesson

[2] `parameters` `slow`
```python
a = 1
print(a)
```

> one
>
> two

> figure {figure}

> <b>: 3

[3]
```python
1 / 0
```

> ZeroDivisionError: division by zero

> output of type text/html

The end.
"""


@pytest.fixture
def lesson(tmp_path):
    """A notebook with printed text, a figure, a value, an error and HTML."""
    file = io.BytesIO()
    Image.new("RGB", (30, 20), "blue").save(file, "PNG")
    bundle = {"image/png": base64.b64encode(file.getvalue()).decode(), "text/plain": "<Figure>"}
    first = [
        nbformat.v4.new_output("stream", name="stdout", text="one\n\ntwo\n"),
        nbformat.v4.new_output("display_data", bundle),
        nbformat.v4.new_output("execute_result", {"text/html": "<b>3</b>", "text/plain": "<b>: 3"}),
    ]
    second = [
        nbformat.v4.new_output("error", ename="ZeroDivisionError", evalue="division by zero"),
        nbformat.v4.new_output("display_data", {"text/html": "<p>"}),
    ]
    tags = {"tags": ["parameters", "slow"]}
    cells = [
        nbformat.v4.new_markdown_cell("# A lesson"),
        nbformat.v4.new_code_cell("a = 1\nprint(a)", outputs=first, metadata=tags),
        nbformat.v4.new_code_cell("1 / 0", outputs=second),
        nbformat.v4.new_markdown_cell("The end."),
    ]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "lesson.ipynb")
    return tmp_path / "lesson.ipynb"


def test_dump_lesson_prints_cells_and_outputs(lesson, tmp_path, capsys):
    folder = tmp_path / "figures" / "new"
    assert dump_lesson.main([str(lesson), str(folder)]) == 0
    figure = folder / "lesson_2_2.png"
    assert capsys.readouterr().out == EXPECTED.replace("{figure}", str(figure))


def test_dump_lesson_saves_the_figures(lesson, tmp_path):
    folder = tmp_path / "figures"
    dump_lesson.dump(lesson, folder)
    assert [path.name for path in folder.iterdir()] == ["lesson_2_2.png"]
    with Image.open(folder / "lesson_2_2.png") as figure:
        assert figure.size == (30, 20)
        assert figure.getpixel((0, 0)) == (0, 0, 255)


def test_dump_lesson_without_figures_creates_no_folder(lesson, tmp_path):
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1")]), lesson)
    dump_lesson.dump(lesson, tmp_path / "figures")
    assert not (tmp_path / "figures").exists()
