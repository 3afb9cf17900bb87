"""The student's copy of the lessons: what `dlkit lab` writes, updates, and never touches."""

import json
import os
import shutil
import subprocess
import sys
import time

import nbformat
import pytest

from dlkit.cli import main
from dlkit.lab import copy as lab
from tests.faults import mounted
from tools.notebooks import LESSONS, ROOT, SOLUTIONS, code_cells, read

L0, L1 = f"lessons/{lab.FIRST}", "lessons/01_next.ipynb"


def write_lesson(path, text="Read [the README](../README.md#start) and [01](01_next.ipynb).", code="1 + 1"):
    cell = nbformat.v4.new_code_cell(code, execution_count=1)
    cell.outputs = [nbformat.v4.new_output("execute_result", {"text/plain": "2"}, execution_count=1)]
    path.parent.mkdir(parents=True, exist_ok=True)
    cells = [nbformat.v4.new_markdown_cell(text), cell]
    for number, cell in enumerate(cells):
        cell.id = f"cell-{number}"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)


@pytest.fixture
def project(tmp_path):
    """A small curriculum: two lessons, a solution, and pages that they lead to."""
    project = tmp_path / "project"
    write_lesson(project / "notebooks" / lab.FIRST)
    write_lesson(
        project / "notebooks" / "01_next.ipynb", "[RESULTS](../benchmarks/RESULTS.md), [web](https://a.b/c.md)"
    )
    write_lesson(project / "notebooks" / "solutions" / lab.FIRST, f"[lesson](../{lab.FIRST}), [all](../../README.md)")
    (project / "benchmarks").mkdir()
    (project / "benchmarks" / "RESULTS.md").write_text("[README](../README.md) ![curve](curve.png)")
    (project / "benchmarks" / "curve.png").write_bytes(b"picture")
    (project / "README.md").write_text(f"# Start\n[00](notebooks/{lab.FIRST}) [gone](nowhere.md)")
    return project


@pytest.fixture
def copy(project, tmp_path):
    folder = tmp_path / "my-notebooks"
    lab.update_copy(project, folder)
    return folder


def markdown(path):
    return read(path).cells[0].source


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_lessons_come_without_results_and_solutions_with_them(copy):
    assert code_cells(read(copy / L0))[0].outputs == []
    assert code_cells(read(copy / L0))[0].execution_count is None
    assert len(code_cells(read(copy / "solutions" / lab.FIRST))[0].outputs) == 1
    nbformat.validate(read(copy / L0))


def test_links_work_in_the_copy(copy):
    assert markdown(copy / L0) == "Read [the README](../pages/README.md#start) and [01](01_next.ipynb)."
    assert markdown(copy / L1) == "[RESULTS](../pages/benchmarks/RESULTS.md), [web](https://a.b/c.md)"
    assert markdown(copy / "solutions" / lab.FIRST) == f"[lesson](../{L0}), [all](../pages/README.md)"
    assert (copy / "pages/README.md").read_text() == f"# Start\n[00](../{L0}) [gone](nowhere.md)"
    assert (copy / "pages/benchmarks/RESULTS.md").read_text() == "[README](../README.md) ![curve](curve.png)"
    assert (copy / "pages/benchmarks/curve.png").read_bytes() == b"picture"


def test_every_link_of_the_real_lessons_works_in_the_copy(tmp_path):
    lab.update_copy(ROOT, tmp_path / "mine")
    for path in (tmp_path / "mine").rglob("*"):
        if path.suffix in (".ipynb", ".md") and "data" not in path.parts:
            text = path.read_text() if path.suffix == ".md" else json.dumps([c.source for c in read(path).cells])
            for prefix, target in lab._LINK.findall(text):
                if prefix == "](" and "/" in target and "://" not in target and target.endswith((".md", ".ipynb")):
                    assert (path.parent / target).exists(), f"{path.name}: {target}"
    assert len(list((tmp_path / "mine" / "lessons").glob("*.ipynb"))) == len(LESSONS)
    assert len(list((tmp_path / "mine" / "solutions").glob("*.ipynb"))) == len(SOLUTIONS)


def test_a_second_time_changes_nothing(project, copy):
    before = contents(copy)
    lines = lab.update_copy(project, copy)
    assert contents(copy) == before
    assert len(lines) == 1
    assert lines[0].endswith("your copy of 2 lessons and 1 solutions.")


def test_untouched_lessons_are_updated_and_a_students_work_is_left_and_named(project, copy):
    write_lesson(copy / L0, "My own notes")
    mine = (copy / L0).read_bytes()
    assert len(lab.update_copy(project, copy)) == 1, "nothing new, so there is nothing to say of it"
    for name in (lab.FIRST, "01_next.ipynb"):
        write_lesson(project / "notebooks" / name, "A better text")
    lines = lab.update_copy(project, copy)
    assert (copy / L0).read_bytes() == mine
    assert markdown(copy / L1) == "A better text"
    assert f"  Updated: {L1}." in lines
    assert any(line.startswith(f"– {L0} has changed in the curriculum") for line in lines)
    (copy / L0).rename(copy / "lessons/my 00.ipynb")  # what the line advises
    lab.update_copy(project, copy)
    assert markdown(copy / L0) == "A better text"
    assert (copy / "lessons/my 00.ipynb").read_bytes() == mine


def test_a_lesson_that_was_only_executed_again_is_not_called_changed(project, copy):
    write_lesson(copy / L0, "My own notes")
    path = project / "notebooks" / lab.FIRST
    notebook = read(path)
    notebook.cells[1].outputs, notebook.cells[1].execution_count = [], 7
    nbformat.write(notebook, path)
    assert len(lab.update_copy(project, copy)) == 1


def test_a_renamed_lesson_goes_unless_the_student_worked_in_it(project, copy):
    for name in (lab.FIRST, "01_next.ipynb"):
        write_lesson(project / "notebooks" / f"new/{name}")
    (project / "notebooks/01_next.ipynb").rename(project / "notebooks/01_other.ipynb")
    (project / "notebooks/solutions" / lab.FIRST).rename(project / "notebooks/solutions/00_other.ipynb")
    write_lesson(copy / "solutions" / lab.FIRST, "My own notes")
    lines = lab.update_copy(project, copy)
    assert not (copy / L1).exists()
    assert (copy / "lessons/01_other.ipynb").exists()
    assert markdown(copy / "solutions" / lab.FIRST) == "My own notes"
    assert any(line.startswith(f"– solutions/{lab.FIRST} is no longer in the curriculum") for line in lines)


def test_a_broken_notebook_is_reported_and_left(project, copy):
    (copy / L0).write_text('{"cells": [half a')
    lines = lab.update_copy(project, copy)
    assert (copy / L0).read_text() == '{"cells": [half a'
    assert any(line.startswith(f"✗ {L0} in your copy is not a readable notebook") for line in lines)
    (copy / L0).write_text("[]")
    assert any("it has no cells" in line for line in lab.update_copy(project, copy))


def test_a_half_copied_lesson_is_left_too_and_a_missing_one_comes_back(project, copy):
    whole = (copy / L1).read_bytes()
    (copy / L1).write_bytes(whole[:100])
    (copy / L0).unlink()
    lines = lab.update_copy(project, copy)
    assert (copy / L1).read_bytes() == whole[:100]
    assert any(line.startswith(f"✗ {L1} in your copy is not a readable notebook") for line in lines)
    assert f"  New: {L0}." in lines


@pytest.mark.parametrize("record", [None, "{broken", "[]", '{"00_start_here.ipynb": 3}'])
def test_without_its_record_nothing_is_overwritten(record, project, copy):
    write_lesson(copy / L0, "My own notes")
    path = copy / ".lab" / "copied.json"
    path.unlink() if record is None else path.write_text(record)
    lines = lab.update_copy(project, copy)
    assert markdown(copy / L0) == "My own notes"
    assert any(line.startswith(f"– {L0} has changed") for line in lines)
    write_lesson(project / "notebooks" / "01_next.ipynb", "A better text")
    lab.update_copy(project, copy)
    assert markdown(copy / L1) == "A better text", "the same bytes are recognized as ours"


def test_a_kill_at_any_moment_leaves_complete_notebooks_only(project, tmp_path):
    big = "x = 1\n" * 200_000
    for number in range(2, 12):
        write_lesson(project / "notebooks" / f"{number:02}_big.ipynb", code=big)
    code = (
        "import sys; from pathlib import Path; from dlkit.lab import copy; copy.update_copy(*map(Path, sys.argv[1:]))"
    )
    folder = tmp_path / "killed"
    process = subprocess.Popen([sys.executable, "-c", code, str(project), str(folder)], cwd=ROOT)
    while not list(folder.glob("lessons/0[2-9]_big.ipynb")) and process.poll() is None:
        time.sleep(0.001)
    process.kill()
    process.wait()
    for path in folder.glob("lessons/*.ipynb"):
        nbformat.validate(read(path))
    assert len(lab.update_copy(project, folder)) <= 2
    assert len(list(folder.glob("lessons/*.ipynb"))) == 12
    assert len(lab.update_copy(project, folder)) == 1


def test_a_file_in_the_place_of_the_folder(tmp_path, capsys):
    (tmp_path / "mine").write_text("not a folder")
    assert main(["lab", "--copy-only", "--folder", str(tmp_path / "mine")]) == 1
    said = capsys.readouterr().err
    assert "mine is a file, expected a folder. Move it away, or name another with --folder." in said
    assert (tmp_path / "mine").read_text() == "not a folder"


@pytest.mark.parametrize("folder", ["notebooks", "notebooks/solutions", "."])
def test_the_originals_are_no_copy(folder, capsys):
    before = contents(ROOT / "notebooks")
    assert main(["lab", "--copy-only", "--folder", str(ROOT / folder)]) == 1
    assert "holds the original lessons" in capsys.readouterr().err
    assert contents(ROOT / "notebooks") == before


def test_a_folder_that_cannot_be_written_to(tmp_path):
    command = [sys.executable, "-m", "dlkit", "lab", "--copy-only", "--folder", str(tmp_path / "ro" / "mine")]
    done = subprocess.run(
        [*mounted(tmp_path / "ro", "ro"), *command], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 1
    assert "cannot be written to (Read-only file system). Make it writable, or name another folder" in done.stderr


def test_outside_the_curriculum_it_says_where_to_run_it(tmp_path):
    shutil.copytree(ROOT / "dlkit", tmp_path / "elsewhere" / "dlkit", ignore=shutil.ignore_patterns("__pycache__"))
    done = subprocess.run(
        [sys.executable, "-m", "dlkit", "lab", "--copy-only"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path / "elsewhere")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "Run `dlkit lab` in the folder of the curriculum." in done.stderr
