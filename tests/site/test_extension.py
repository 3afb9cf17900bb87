"""What the extension makes of a lesson and its solution, on tiny notebooks that Sphinx builds in seconds."""

import base64
import io
import re
import subprocess
import sys

import nbformat
import pytest
from PIL import Image

from tools.notebooks import ROOT

pytest.importorskip("myst_nb", reason="needs the extra site: pip install -c constraints.txt -e '.[site]'")

CONF = f"""
import sys
sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / "site")!r}]
extensions = ["myst_nb", "extension"]
course_repository = "https://github.com/someone/course"
nb_execution_mode = "off"
myst_enable_extensions = ["dollarmath"]
"""
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def markdown(text):
    return nbformat.v4.new_markdown_cell(text)


def code(source, text="", figure=False, **metadata):
    """A code cell with a printed line, a figure, or both."""
    cell = nbformat.v4.new_code_cell(source, metadata=metadata, execution_count=1)
    if text:
        cell.outputs.append(nbformat.v4.new_output("stream", text=text))
    if figure:
        file = io.BytesIO()
        Image.new("RGB", (8, 8)).save(file, "PNG")
        image = {"image/png": base64.b64encode(file.getvalue()).decode(), "text/plain": "<Figure>"}
        cell.outputs.append(nbformat.v4.new_output("display_data", image))
    return cell


LESSON = [
    markdown("# 07 · Topic\n\n*Question?*"),
    markdown("## First\n\nLook at the slope."),
    code("plot()", figure=True),
    code("plot(1)", figure=True, alt="A rising line"),
    markdown("> **Guess.** How many?"),
    code("count()", text="seventeen\n"),
    markdown("Seventeen it is.\n\n> A quotation.\n\n> **Guess.** And now?"),
    code("again()", text="eighteen\n"),
    markdown("## Exercises\n\n**1 · On paper.** What is 1 + 1?"),
    code('check("07.sum", None)', text="not attempted yet\n", tags=["exercise"]),
]
SOLUTION = [
    markdown("# Solutions to 07 · Topic"),
    code("import os"),
    markdown("**1 · On paper.** What is 1 + 1?\n\nThink first."),
    code('check("07.sum", 2)', text="right\n", tags=["exercise"]),
    markdown("Because two follows one.\n\n**2 · In code.** Write it."),
    code('check("07.code", f)', tags=["exercise"]),
]


@pytest.fixture(scope="module")
def html(tmp_path_factory):
    """{page: HTML} of a site with one lesson and its solution. Warnings are errors."""
    folder = tmp_path_factory.mktemp("course")
    (folder / "conf.py").write_text(CONF)
    (folder / "index.md").write_text(
        "# Start\n\n```{toctree}\nnotebooks/07_topic\nnotebooks/solutions/07_topic\nglossary\n```\n"
    )
    (folder / "glossary.md").write_text(
        "# Glossary\n\n```{glossary}\nslope\n斜率\n  How steep.\n```\n", encoding="utf-8"
    )
    for name, cells in {"notebooks/07_topic": LESSON, "notebooks/solutions/07_topic": SOLUTION}.items():
        path = folder / f"{name}.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=METADATA), path)
    command = [sys.executable, "-m", "sphinx", "-W", "-q", folder, folder / "html"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    pages = (folder / "html").rglob("*.html")
    return {path.relative_to(folder / "html").as_posix(): path.read_text("utf-8") for path in pages}


@pytest.fixture
def lesson(html):
    return html["notebooks/07_topic.html"]


@pytest.fixture
def solution(html):
    return html["notebooks/solutions/07_topic.html"]


def folded(page, kind):
    """The folded parts of a page as text."""
    parts = re.findall(rf'<details class="folded {kind}">(.*?)</details>', page, re.DOTALL)
    return [re.sub(r"<[^>]+>", "", part) for part in parts]


def test_results_are_folded_up_to_the_next_guess_or_heading(lesson):
    first, second = folded(lesson, "results")
    assert "seventeen" in first
    assert "Seventeen it is." in first
    assert "A quotation." in first
    assert "And now?" not in first
    assert "eighteen" in second
    assert "Exercises" not in second


def test_guesses_are_marked(lesson):
    assert len(re.findall(r'<blockquote class="guess">', lesson)) == 2


def test_figures_have_alternative_texts(lesson):
    first, second = re.findall(r'<img alt="([^"]*)"', lesson)
    assert first == "Figure of the section “First”. Look at the slope."
    assert second == "A rising line"


def test_exercise_can_be_ticked_and_links_to_its_solution(lesson, solution):
    assert lesson.count('type="checkbox" data-exercise="07.sum"') == 1
    assert 'href="solutions/07_topic.html#exercise-07-sum"' in lesson
    for page in (lesson, solution):
        assert page.count('id="exercise-07-sum"') == 1
        assert page.index('id="exercise-07-sum"') < page.index("On paper"), "the anchor is above the statement"
    assert "checkbox" not in solution


def test_solutions_are_folded_and_statements_are_not(solution):
    first, second = folded(solution, "solution")
    assert "Because two follows one." in first
    assert "Think first." not in first
    assert "In code" not in first
    assert "07.code" in second
    assert "import os" not in first + second


def test_lesson_bar_names_the_part_and_opens_the_lesson(lesson, solution):
    (bar,) = re.findall(r'<div class="lesson-bar">.*?</div>', lesson)
    assert "I · Foundations" in bar
    assert 'href="../_sources/notebooks/07_topic.ipynb"' in bar
    assert "Show all results" in bar
    assert 'href="https://colab.research.google.com/github/someone/course/blob/gh-pages/colab/07_topic.ipynb"' in bar
    assert "lesson-bar" not in solution


def test_terms_have_anchors_in_both_languages(html):
    assert 'id="term-slope"' in html["glossary.html"]
    assert 'href="#term-斜率"' in html["glossary.html"]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("A `name` and ``code``.", "A ``name`` and ``code``."),
        ("of shape (batch, *input_shape)", r"of shape (batch, \*input_shape)"),
        ("an *emphasized* word", "an *emphasized* word"),
        ("a product 2 * 3", "a product 2 * 3"),
        (":ref:`target`", ":ref:`target`"),
    ],
)
def test_docstrings_are_adapted(line, expected):
    import extension  # needs docutils

    lines = [line]
    extension.adapt_docstring(None, "function", "f", None, None, lines)
    assert lines == [expected]
