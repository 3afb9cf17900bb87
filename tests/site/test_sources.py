"""The pages that Sphinx reads: copies of the documents, and pages filled from lessons, glossary and docstrings."""

import importlib
import json
import re

import course
import fills
import nbformat
import pytest
import sources

from dlkit import data
from tools.lessons_table import read_lesson
from tools.notebooks import LESSONS, ROOT

ADDRESS = "https://github.com/someone/course"
LESSONS_READ = [read_lesson(path) for path in LESSONS]


@pytest.fixture(scope="module")
def pages():
    """All pages of the real course."""
    return sources.pages()


@pytest.fixture
def project(tmp_path):
    """A function that writes a project whose pyproject.toml names this repository."""

    def write(repository):
        (tmp_path / "pyproject.toml").write_text(f'[tool.site]\nrepository = "{repository}"\n')
        return tmp_path

    return write


@pytest.mark.parametrize("address", ["", ADDRESS, "https://github.com/a-b/c.d_e"])
def test_repository_reads_the_address(project, address):
    assert course.repository(project(address)) == address
    assert course.repository(project(address + "/")) == address


@pytest.mark.parametrize("address", ["github.com/a/b", "https://github.com/a", "https://gitlab.com/a/b"])
def test_repository_refuses_other_addresses(project, address):
    with pytest.raises(ValueError, match=r"Expected the repository .* Received: .*\."):
        course.repository(project(address))


def test_launch_links_need_a_repository():
    assert course.launch_links("07_x.ipynb", "") == {}
    links = course.launch_links("07_x.ipynb", ADDRESS)
    assert links["Open in Colab"].endswith("/github/someone/course/blob/gh-pages/colab/07_x.ipynb")
    assert links["Open in Binder"].endswith(
        "/gh/someone/course/main?urlpath=lab%2Ftree%2Fmy-notebooks%2Flessons%2F07_x.ipynb"
    )


def test_colab_notebook_installs_the_course_and_has_no_results():
    path = next(path for path in LESSONS if path.stem.startswith("07"))
    notebook = nbformat.reads(course.colab_notebook(path, ADDRESS), as_version=4)
    nbformat.validate(notebook)
    badge, setup, *cells = notebook.cells
    assert "colab-badge.svg" in badge.source
    assert f"git clone --quiet --depth 1 {ADDRESS} curriculum" in setup.source
    assert len(cells) == len(json.loads(path.read_text("utf-8"))["cells"])
    assert not any(cell.get("outputs") for cell in cells)
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    assert f"({ADDRESS}/blob/main/notebooks/05_mlp_in_keras.ipynb)" in text
    assert re.findall(r"\]\((?!https?:|#)[^)]*\)", text) == []


def test_exercises_are_those_of_the_checkers():
    named = {name for path in LESSONS for name in course.exercises(path)}
    assert named == set(importlib.import_module("dlkit.exercises").names())


def test_pages_are_complete(pages):
    assert {"index.md", "README.md", "data/README.md", "api/index.md", "notebooks/solutions/index.md"} <= set(pages)
    for path in LESSONS:
        assert pages[f"notebooks/{path.name}"] == path.read_bytes(), "a lesson is shown as it is"
    for name, content in pages.items():
        if name.endswith(".md"):
            assert b"<!-- fill:" not in content, name
    assert not any(name.startswith("_extra/") for name in pages) or course.repository()


def test_landing_page_shows_lessons_and_paths(pages):
    text = pages["index.md"].decode()
    for lesson in LESSONS_READ:
        assert f"[{lesson.topic}](notebooks/{lesson.file})" in text
        assert lesson.question in text
    assert text.startswith((ROOT / "README.md").read_text("utf-8").partition("\n")[0])
    assert "](pictures/lessons.png)" in text
    assert text.count(":::{container} path\n") == 3
    assert re.search(r"\*\*One day\*\* · \d\sh", text)


def test_readme_goes_on_where_the_landing_page_ends(pages):
    text = pages["README.md"].decode()
    assert text.startswith("# Install and use\n\n## Installation\n")
    assert "](notebooks/solutions/index.md)" in text, "a link to a folder leads to its page"


def test_readme_without_installation_is_reported(tmp_path):
    (tmp_path / "README.md").write_text("# Title\n\nText.\n")
    with pytest.raises(ValueError, match="Expected the heading '## Installation' in README.md"):
        fills.split_readme(tmp_path)


def test_glossary_page_has_every_term_in_both_languages(pages):
    text = pages["glossary.md"].decode()
    for row in data.glossary():
        assert re.search(rf"^{re.escape(row['term'])}$", text, re.M)
        assert re.search(rf"^{re.escape(row['chinese'])}$", text, re.M)
        assert row["definition"] in text


def test_licenses_name_every_data_set(pages):
    text = pages["licenses.md"].decode()
    sheets = (
        (ROOT / "data/README.md").read_text("utf-8").partition("## Data sheets")[2].partition("\n\nThe complete")[0]
    )
    names = re.findall(r"^\| (`\w+`) \|", sheets, re.M)
    assert len(names) > 8
    assert all(f"| {name} |" in text for name in names)


def test_licenses_name_every_backbone(pages):
    from dlkit.transfer import BACKBONES

    assert all(f"| `{name}` |" in pages["licenses.md"].decode() for name in BACKBONES)


def test_citation_is_that_of_the_file(pages):
    text = pages["cite.md"].decode()
    assert "@software{" in text
    assert "deep learning that checks what it says" in text


def test_api_pages_name_what_exists(pages):
    named = [name for page in pages.values() for name in re.findall(rb"auto(?:class|function):: ([\w.]+)", page)]
    assert len(named) > 50
    for name in named:
        module, _, attribute = name.decode().rpartition(".")
        assert hasattr(importlib.import_module(module), attribute), name
    assert {b"dlkit.data.pipeline", b"dlkit.recipes.train", b"dlkit.models.build_resnet"} <= set(named)


def test_launch_page_says_how_to_set_the_address(project):
    assert "[tool.site]" in fills.fill_launch(project(""), LESSONS_READ)
    assert "colab.research.google.com" in fills.fill_launch(project(ADDRESS), LESSONS_READ)


def test_write_changes_only_what_differs(tmp_path):
    sources.write({"a.md": b"1", "b/c.md": b"2"}, tmp_path)
    before = (tmp_path / "a.md").stat().st_mtime_ns
    sources.write({"a.md": b"1", "d.md": b"3"}, tmp_path)
    assert (tmp_path / "a.md").stat().st_mtime_ns == before
    assert {path.name for path in tmp_path.rglob("*.md")} == {"a.md", "d.md"}
