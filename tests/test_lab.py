"""The student's copy of the lessons: what `dlkit lab` writes, what it updates, and what it never changes."""

import json
import re
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest

from dlkit.cli import main
from dlkit.lab import FIRST_LESSON, progress, update_copy
from tests.faults import mounted
from tools.notebooks import LESSONS, ROOT, SOLUTIONS, code_cells, read

# Where the two lessons of the small curriculum are in the copy.
L0, L1 = f"lessons/{FIRST_LESSON}", "lessons/01_next.ipynb"


def write_lesson(path, text="Read [this](../benchmarks/README.md#start) and [01](01_next.ipynb).", code="1 + 1"):
    cell = nbformat.v4.new_code_cell(code, execution_count=1)
    cell.outputs = [nbformat.v4.new_output("execute_result", {"text/plain": "2"}, execution_count=1)]
    path.parent.mkdir(parents=True, exist_ok=True)
    cells = [nbformat.v4.new_markdown_cell(text), cell]
    for number, cell in enumerate(cells):
        cell.id = f"cell-{number}"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)


@pytest.fixture
def project(tmp_path):
    """A small curriculum: two lessons, a solution, and the pages that they link to."""
    project = tmp_path / "project"
    write_lesson(project / "notebooks" / FIRST_LESSON)
    write_lesson(
        project / "notebooks" / "01_next.ipynb", f"[solution](solutions/{FIRST_LESSON}), [web](https://a.b/c.md)"
    )
    write_lesson(project / "notebooks" / "solutions" / FIRST_LESSON, f"[lesson](../{FIRST_LESSON})")
    (project / "benchmarks").mkdir()
    (project / "benchmarks" / "README.md").write_text(f"[00](../notebooks/{FIRST_LESSON}) ![curve](curve.png)")
    (project / "benchmarks" / "curve.png").write_bytes(b"image")
    return project


@pytest.fixture
def copy(project, tmp_path):
    """The student's copy of the small curriculum, as the first run of `dlkit lab` writes it."""
    folder = tmp_path / "my-notebooks"
    update_copy(project, folder)
    return folder


def markdown(path):
    return read(path).cells[0].source


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_lessons_are_copied_without_outputs_solutions_with_them(copy):
    assert code_cells(read(copy / L0))[0].outputs == []
    assert code_cells(read(copy / L0))[0].execution_count is None
    assert len(code_cells(read(copy / "solutions" / FIRST_LESSON))[0].outputs) == 1
    nbformat.validate(read(copy / L0))


def test_links_work_in_the_copy(copy):
    assert markdown(copy / L0) == "Read [this](../pages/benchmarks/README.md#start) and [01](01_next.ipynb)."
    assert markdown(copy / L1) == f"[solution](../solutions/{FIRST_LESSON}), [web](https://a.b/c.md)"
    assert markdown(copy / "solutions" / FIRST_LESSON) == f"[lesson](../{L0})"
    assert (copy / "pages/benchmarks/README.md").read_text() == f"[00](../../{L0}) ![curve](curve.png)"
    assert (copy / "pages/benchmarks/curve.png").read_bytes() == b"image"


def test_links_of_the_real_lessons_work_in_the_copy(tmp_path):
    update_copy(ROOT, tmp_path / "mine")
    links = []
    for path in (tmp_path / "mine").rglob("*.*"):
        if path.suffix in (".ipynb", ".md"):
            text = path.read_text() if path.suffix == ".md" else json.dumps([c.source for c in read(path).cells])
            found = re.findall(r"""(?:\]\(|src=\\?["'])([^)"'#\s\\]+\.(?:md|ipynb|png))[)#"'\\]""", text)
            links += [(path, target) for target in found if "://" not in target]
    assert [(path.name, target) for path, target in links if not (path.parent / target).exists()] == []
    assert len(links) > 60, "lessons and their solutions link to each other, and to pages"
    assert len(list((tmp_path / "mine" / "lessons").glob("*.ipynb"))) == len(LESSONS)
    assert len(list((tmp_path / "mine" / "solutions").glob("*.ipynb"))) == len(SOLUTIONS)


def test_update_copy_twice_changes_nothing(project, copy):
    before = contents(copy)
    lines = update_copy(project, copy)
    assert contents(copy) == before
    assert len(lines) == 1
    assert lines[0].endswith("your copy of 2 lessons and 1 solutions.")


def test_only_unchanged_lessons_are_updated(project, copy):
    write_lesson(copy / L0, "My own notes")
    mine = (copy / L0).read_bytes()
    assert len(update_copy(project, copy)) == 1, "the lesson did not change, so there is nothing to report"
    for name in (FIRST_LESSON, "01_next.ipynb"):
        write_lesson(project / "notebooks" / name, "A better text")
    lines = update_copy(project, copy)
    assert (copy / L0).read_bytes() == mine
    assert markdown(copy / L1) == "A better text"
    assert f"  Updated: {L1}." in lines
    assert any(line.startswith(f"– {L0} has changed in the curriculum") for line in lines)
    (copy / L0).rename(copy / "lessons/my 00.ipynb")  # as the line advises
    update_copy(project, copy)
    assert markdown(copy / L0) == "A better text"
    assert (copy / "lessons/my 00.ipynb").read_bytes() == mine


def test_new_outputs_do_not_count_as_a_changed_lesson(project, copy):
    write_lesson(copy / L0, "My own notes")
    path = project / "notebooks" / FIRST_LESSON
    notebook = read(path)
    notebook.cells[1].outputs, notebook.cells[1].execution_count = [], 7
    nbformat.write(notebook, path)
    assert len(update_copy(project, copy)) == 1


def test_renamed_lesson_is_removed_unless_the_student_changed_it(project, copy):
    for name in (FIRST_LESSON, "01_next.ipynb"):
        write_lesson(project / "notebooks" / f"new/{name}")
    (project / "notebooks/01_next.ipynb").rename(project / "notebooks/01_other.ipynb")
    (project / "notebooks/solutions" / FIRST_LESSON).rename(project / "notebooks/solutions/00_other.ipynb")
    write_lesson(copy / "solutions" / FIRST_LESSON, "My own notes")
    lines = update_copy(project, copy)
    assert not (copy / L1).exists()
    assert (copy / "lessons/01_other.ipynb").exists()
    assert markdown(copy / "solutions" / FIRST_LESSON) == "My own notes"
    assert any(line.startswith(f"– solutions/{FIRST_LESSON} is no longer in the curriculum") for line in lines)


def test_broken_notebook_is_reported_and_left_as_it_is(project, copy):
    (copy / L0).write_text('{"cells": [half a')
    lines = update_copy(project, copy)
    assert (copy / L0).read_text() == '{"cells": [half a'
    assert any(line.startswith(f"✗ {L0} in your copy is not a readable notebook") for line in lines)


def test_truncated_lesson_is_left_and_missing_one_is_restored(project, copy):
    complete = (copy / L1).read_bytes()
    (copy / L1).write_bytes(complete[:100])
    (copy / L0).unlink()
    lines = update_copy(project, copy)
    assert (copy / L1).read_bytes() == complete[:100]
    assert any(line.startswith(f"✗ {L1} in your copy is not a readable notebook") for line in lines)
    assert f"  New: {L0}." in lines


@pytest.mark.parametrize("record", [None, "{broken"])
def test_damaged_record_overwrites_nothing(record, project, copy):
    write_lesson(copy / L0, "My own notes")
    path = copy / ".lab" / "copied.json"
    path.unlink() if record is None else path.write_text(record)
    lines = update_copy(project, copy)
    assert markdown(copy / L0) == "My own notes"
    assert any(line.startswith(f"– {L0} has changed") for line in lines)
    write_lesson(project / "notebooks" / "01_next.ipynb", "A better text")
    update_copy(project, copy)
    assert markdown(copy / L1) == "A better text", "a lesson with the same bytes is recognized as unchanged"


@pytest.mark.parametrize("writes", range(1, 7))
def test_stop_in_the_middle_of_writing_leaves_complete_notebooks_only(writes, project, tmp_path, monkeypatch):
    folder, done, write_bytes = tmp_path / "stopped", [], Path.write_bytes

    def stop_in_the_middle(path, content):
        done.append(path)
        write_bytes(path, content[: len(content) // 2] if len(done) == writes else content)
        if len(done) == writes:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", stop_in_the_middle)
        with pytest.raises(KeyboardInterrupt):
            update_copy(project, folder)
    for path in folder.rglob("*.ipynb"):
        nbformat.validate(read(path))
    assert not any(line.startswith(("–", "✗")) for line in update_copy(project, folder))
    assert len(list(folder.rglob("*.ipynb"))) == 3
    assert len(update_copy(project, folder)) == 1


@pytest.mark.slow
def test_kill_during_the_copy_leaves_complete_notebooks_only(project, tmp_path):
    big = "x = 1\n" * 200_000
    for number in range(2, 12):
        write_lesson(project / "notebooks" / f"{number:02}_big.ipynb", code=big)
    code = "import sys; from pathlib import Path; from dlkit import lab; lab.update_copy(*map(Path, sys.argv[1:]))"
    folder = tmp_path / "killed"
    process = subprocess.Popen([sys.executable, "-c", code, str(project), str(folder)], cwd=ROOT)
    # The process is killed as soon as the first large lesson is there, in the middle of its work.
    while not list(folder.glob("lessons/0[2-9]_big.ipynb")) and process.poll() is None:
        time.sleep(0.001)
    process.kill()
    process.wait()
    for path in folder.glob("lessons/*.ipynb"):
        nbformat.validate(read(path))
    assert len(update_copy(project, folder)) <= 2
    assert len(list(folder.glob("lessons/*.ipynb"))) == 12
    assert len(update_copy(project, folder)) == 1


def test_folder_that_is_a_file_is_reported(tmp_path, capsys):
    (tmp_path / "mine").write_text("not a folder")
    assert main(["lab", "--folder", str(tmp_path / "mine")]) == 1
    assert re.search(r"✗ .*mine", capsys.readouterr().err)
    assert (tmp_path / "mine").read_text() == "not a folder"


@pytest.mark.parametrize("folder", ["notebooks", "notebooks/solutions", "."])
def test_originals_are_not_accepted_as_the_copy(folder, capsys):
    before = contents(ROOT / "notebooks")
    assert main(["lab", "--folder", str(ROOT / folder)]) == 1
    assert "holds the original lessons" in capsys.readouterr().err
    assert contents(ROOT / "notebooks") == before


def test_folder_on_a_read_only_disk_is_reported(tmp_path):
    command = [sys.executable, "-m", "dlkit", "lab", "--folder", str(tmp_path / "ro" / "mine")]
    done = subprocess.run(
        [*mounted(tmp_path / "ro", "ro"), *command], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 1
    assert re.search(r"✗ .*mine: Read-only file system", done.stderr)


def test_lab_outside_the_curriculum_says_where_to_run_it(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("dlkit.lab.project_folder", lambda: None)  # as where dlkit was installed from a wheel
    monkeypatch.chdir(tmp_path)
    assert main(["lab"]) == 1
    assert "Run `dlkit lab` in the folder of the curriculum." in capsys.readouterr().err


# --- progress


def solve(path, verdicts):
    """Writes a lesson with exercises and the verdicts that it was saved with, such as {"00.sum": "✓ right"}."""
    cells = []
    for name, verdict in verdicts.items():
        cell = nbformat.v4.new_code_cell(f'check("{name}", answer)', metadata={"tags": ["exercise"]})
        if verdict:
            plain = {"text/plain": f"{name}: {verdict}", "text/html": "<div>…</div>"}
            cell.outputs = [nbformat.v4.new_output("display_data", plain)]
        cells.append(cell)
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)


def test_progress_lists_solved_exercises(tmp_path):
    solve(tmp_path / L0, {"00.sum": "✓ right", "00.mean": "✗ the mean of what?", "00.other": ""})
    solve(tmp_path / L1, {"01.relu": "not attempted yet"})
    assert progress(tmp_path) == [
        f"{tmp_path.name}: 1 of 4 exercises are solved, as you last saved them.",
        "  00 ✓––  still to do: 00.mean, 00.other",
        "  01 –",
    ]


def test_progress_counts_a_renamed_lesson_once(tmp_path):
    solve(tmp_path / L0, {"00.sum": "not attempted yet"})
    solve(tmp_path / "lessons/my 00.ipynb", {"00.sum": "✓ right"})
    assert progress(tmp_path)[1:] == ["  00 ✓"]


def test_progress_names_broken_notebooks(tmp_path):
    solve(tmp_path / L0, {"00.sum": "✓ right"})
    (tmp_path / L1).write_text('{"cells": [half a')
    assert progress(tmp_path)[1:] == ["  00 ✓", f"✗ {L1} in your copy is not a readable notebook."]


def test_progress_of_the_real_lessons_starts_at_zero(tmp_path):
    update_copy(ROOT, tmp_path / "mine")
    first, *lessons = progress(tmp_path / "mine")
    assert first == f"mine: 0 of {3 * len(LESSONS)} exercises are solved, as you last saved them."
    assert lessons == [f"  {path.name[:2]} –––" for path in LESSONS]


def test_progress_without_a_copy_says_what_to_do(tmp_path, capsys):
    assert main(["lab", "--progress", "--folder", str(tmp_path)]) == 1
    assert "Run `dlkit lab` once" in capsys.readouterr().err


def test_lab_progress_opens_nothing(tmp_path, capsys):
    solve(tmp_path / L0, {"00.sum": "✓ right"})
    assert main(["lab", "--progress", "--folder", str(tmp_path)]) == 0
    assert "1 of 1 exercises are solved" in capsys.readouterr().out
    assert not (tmp_path / ".lab").exists()
