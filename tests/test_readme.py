"""What the documents tell people to type exists, what they link to is there, and what is generated is up to date."""

import os
import re
import shutil
import subprocess
import sys

import pytest

from dlkit.data.sources import DOWNLOADS
from tools import figure_strip, lessons_table
from tools.notebooks import LESSONS, ROOT, SOLUTIONS, read

DOCUMENTS = [
    ROOT / name
    for name in (
        "README.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "data/README.md",
        "benchmarks/README.md",
        "benchmarks/RESULTS.md",
    )
]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def code_blocks(text, *languages):
    """Contents of the fenced blocks in one of these languages."""
    return re.findall(rf"^```(?:{'|'.join(languages)})\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def code(text):
    """All that a document shows as code, in blocks and in sentences."""
    spans = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE))
    return "\n".join([*code_blocks(text, "sh", "bash"), *spans])


def in_all(pattern, documents=DOCUMENTS):
    """Everything that a pattern finds in the code of these documents, sorted."""
    return sorted({found for path in documents for found in re.findall(pattern, code(path.read_text("utf-8")), re.M)})


def run(command, cwd, tmp_path):
    """Runs a command without network, data or cache."""
    environment = {**os.environ, "DLKIT_OFFLINE": "1", "KERAS_HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)


def anchors(text):
    """Names that links to the headings of a Markdown text use, as GitHub makes them."""
    text = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("source", code_blocks(README, "python"))
def test_python_blocks_run(source, tmp_path):
    done = run([sys.executable, "-c", source], tmp_path, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("target", in_all(r"\bmake ([a-z][a-z-]*)"))
def test_make_has_the_targets_that_documents_name(target, tmp_path):
    if not shutil.which("make"):
        pytest.skip("needs make")
    done = run(["make", target, "--dry-run"], ROOT, tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", in_all(r"(?:dlkit|Scripts\\dlkit) ([a-z]+)(?![.\w])"))
def test_dlkit_has_the_commands_that_documents_name(command, tmp_path):
    done = run([sys.executable, "-m", "dlkit", command, "--help"], tmp_path, tmp_path)
    assert done.returncode == 0, done.stderr
    lines = in_all(rf"dlkit {command}\b(.*)$")
    for option in sorted({option for line in lines for option in re.findall(r"--[a-z-]+", line)}):
        assert f"{option} " in done.stdout, option


@pytest.mark.parametrize("path", [*DOCUMENTS, *LESSONS, *SOLUTIONS], ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_to_files_and_headings(path):
    markdown = path.suffix == ".md"
    text = (
        path.read_text("utf-8") if markdown else "\n".join(c.source for c in read(path).cells if c.cell_type != "code")
    )
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        file, _, anchor = target.partition("#")
        if file.startswith("http"):
            continue
        place = path.parent / file if file else path
        assert place.exists(), target
        if anchor and place.suffix == ".md":
            assert anchor in anchors(place.read_text("utf-8")), target


def test_the_table_of_lessons_is_up_to_date(capsys):
    assert lessons_table.main(["--check"]) == 0, capsys.readouterr().err


def test_the_picture_has_alt_text_and_its_figures_are_in_the_notebooks():
    picture = figure_strip.PICTURE.relative_to(ROOT).as_posix()
    assert re.search(rf"!\[[^\]]+\]\({picture}\)", README)
    for panel in figure_strip.PANELS:
        (path,) = [path for path in LESSONS if path.stem.startswith(panel.lesson)]
        figure_strip.find_figure(path, panel.code)  # raises where there is none


def test_every_dependency_has_a_reason_and_constraints_pin_it():
    pinned = {line.split("==")[0] for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line}
    for line in (ROOT / "requirements.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            requirement, _, reason = line.partition("  # ")
            assert reason, line
            assert re.split("[<>=]", requirement)[0] in pinned


def test_the_tests_that_a_document_names_are_there():
    tests = "\n".join(path.read_text("utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    named = {name for document in DOCUMENTS for name in re.findall(r"`(test_\w+)`", document.read_text("utf-8"))}
    assert [name for name in named if f"def {name}(" not in tests] == []


def test_checksums_in_the_cards_are_those_in_the_code():
    cards = (ROOT / "data/README.md").read_text("utf-8")
    for download in DOWNLOADS.values():
        shown = re.search(rf"`{download.sha256[:8]}…(\w+)`", cards)
        assert shown, download
        assert download.sha256.endswith(shown[1])
