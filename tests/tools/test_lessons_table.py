"""The table of lessons in README.md, for a small project."""

import nbformat
import pytest

from tests.tools.helpers import write_lesson
from tools import lessons_table


@pytest.fixture
def project(tmp_path):
    """A project with three lessons and a README.md without a table."""
    write_lesson(tmp_path / "notebooks", 0, "Start here", time="20 minutes")
    write_lesson(tmp_path / "notebooks", 1, "Neurons | layers", question="Two | or three?")
    write_lesson(tmp_path / "notebooks", 2, "Losses", time="an hour")
    text = "# Title\n\n<!-- lessons -->\n<!-- /lessons -->\n\nThe end.\n"
    (tmp_path / "README.md").write_text(text, encoding="utf-8")
    return tmp_path


def test_read_lesson(tmp_path):
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
def test_read_lesson_reports_what_the_first_cell_lacks(head, missing, tmp_path):
    with pytest.raises(ValueError, match=rf"05_lesson\.ipynb: expected .*{missing}") as caught:
        lessons_table.read_lesson(write_lesson(tmp_path, 5, head=head))
    assert head.splitlines()[0] in str(caught.value)


def test_read_lesson_reports_a_notebook_without_cells(tmp_path):
    nbformat.write(nbformat.v4.new_notebook(), tmp_path / "05_lesson.ipynb")
    with pytest.raises(ValueError, match=r"05_lesson\.ipynb: expected"):
        lessons_table.read_lesson(tmp_path / "05_lesson.ipynb")


def test_table_has_parts_lessons_and_times(project):
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
    day = next(line for line in lines if line.startswith("- **One day** (1 h):"))
    assert "[00](notebooks/00_lesson.ipynb), [01](notebooks/01_lesson.ipynb)." in day
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


def test_make_table_reports_a_lesson_without_a_part(tmp_path):
    lesson = lessons_table.read_lesson(write_lesson(tmp_path, 77))
    with pytest.raises(ValueError, match=r"Received: 77_lesson\.ipynb\. Add them to PARTS"):
        lessons_table.make_table([lesson])


@pytest.mark.parametrize("text", ["no markers", "<!-- lessons -->", "<!-- /lessons --> <!-- lessons -->"])
def test_insert_reports_missing_markers(text):
    with pytest.raises(ValueError, match="Expected the markers"):
        lessons_table.insert(text, "table")
