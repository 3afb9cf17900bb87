"""The documents: commands run, links resolve, and what is written down twice agrees."""

import os
import re
import shutil
import subprocess
import sys
import tomllib

import pytest
import yaml  # comes with JupyterLab

import dlkit
from dlkit import cli
from dlkit.data.download import Download
from dlkit.data.registry import REGISTRY
from tools import figure_strip, lessons_table
from tools.notebooks import LESSONS, ROOT, SOLUTIONS, read

ISSUE_TEMPLATES = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))
DOCUMENTS = [
    *(
        ROOT / name
        for name in (
            "README.md",
            "CONTRIBUTING.md",
            "CHANGELOG.md",
            "data/README.md",
            "benchmarks/README.md",
            "benchmarks/RESULTS.md",
            ".github/pull_request_template.md",
        )
    ),
    *ISSUE_TEMPLATES,
]
README = (ROOT / "README.md").read_text(encoding="utf-8")
NEEDS_MAKE = pytest.mark.skipif(not shutil.which("make"), reason="needs make")


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
    """Runs a command without network, data or cache, and, if it is make, as if this were not run by make."""
    environment = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL")}
    environment |= {"DLKIT_OFFLINE": "1", "KERAS_HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)


def anchors(text):
    """Names that links to the headings of a Markdown text use, as GitHub makes them."""
    text = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


# --- commands


@pytest.mark.parametrize("source", code_blocks(README, "python"))
def test_python_block_runs(source, tmp_path):
    done = run([sys.executable, "-c", source], tmp_path, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr


@NEEDS_MAKE
@pytest.mark.parametrize("target", in_all(r"\bmake ([a-z][a-z-]*)"))
def test_make_target_exists(target, tmp_path):
    done = run(["make", target, "--dry-run"], ROOT, tmp_path)
    assert done.returncode == 0, done.stderr


@NEEDS_MAKE
def test_make_help_lists_every_target_in_a_group(tmp_path):
    (phony,) = re.findall(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    done = run(["make", "help"], ROOT, tmp_path)
    first, *groups = re.findall(r"^\S.*\n(?:  make .+\n)+", done.stdout, re.MULTILINE)
    assert first.splitlines()[1].startswith("  make lab ")
    assert sorted(re.findall(r"^  make (\S+) +\S", "".join([first, *groups]), re.MULTILINE)) == sorted(phony.split())


@NEEDS_MAKE
def test_make_alone_opens_the_lab(tmp_path):
    assert run(["make", "--dry-run"], ROOT, tmp_path).stdout.strip().endswith("dlkit lab")


@pytest.mark.parametrize("command", in_all(r"(?:dlkit|Scripts\\dlkit) ([a-z]+)(?![.\w])"))
def test_dlkit_command_and_its_options_exist(command, capsys):
    with pytest.raises(SystemExit) as done:
        cli.main([command, "--help"])
    assert done.value.code == 0
    shown = capsys.readouterr().out
    lines = in_all(rf"dlkit {command}\b(.*)$")
    for option in sorted({option for line in lines for option in re.findall(r"--[a-z-]+", line)}):
        assert f"{option} " in shown, option


@NEEDS_MAKE
def test_pre_commit_runs_what_make_check_runs(tmp_path):
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text("utf-8"))
    (repository,) = config["repos"]
    assert repository["repo"] == "local"
    assert {hook["language"] for hook in repository["hooks"]} == {"system"}  # downloads nothing
    commands = " && ".join(hook["entry"] for hook in repository["hooks"])
    made = run(["make", "check", "--dry-run"], ROOT, tmp_path).stdout.replace(".venv/Scripts", ".venv/bin")
    assert commands in made.splitlines()


# --- links and names


@pytest.mark.parametrize("path", [*DOCUMENTS, *LESSONS, *SOLUTIONS], ids=lambda path: str(path.relative_to(ROOT)))
def test_links_resolve(path):
    notebook = path.suffix == ".ipynb"
    text = (
        "\n".join(c.source for c in read(path).cells if c.cell_type != "code") if notebook else path.read_text("utf-8")
    )
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        file, _, anchor = target.partition("#")
        if file.startswith("http"):
            continue
        linked = path.parent / file if file else path
        assert linked.exists(), target
        if anchor and linked.suffix == ".md":
            assert anchor in anchors(linked.read_text("utf-8")), target


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_named_files_and_modules_exist(path):
    shown = code(path.read_text("utf-8"))
    files = re.findall(r"(?<![\w./-])(?:\.ci|\.github|benchmarks|dlkit|notebooks|tests|tools)/[\w./-]*\w", shown)
    modules = re.findall(r"-m ((?:tools|benchmarks)[\w.]*)", shown)
    files += [module.replace(".", "/") + ("" if "." not in module else ".py") for module in modules]
    assert [file for file in files if "NN" not in file and not (ROOT / file).exists()] == []


def test_named_tests_exist():
    tests = "\n".join(path.read_text("utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    named = {name for document in DOCUMENTS for name in re.findall(r"`(test_\w+)`", document.read_text("utf-8"))}
    assert [name for name in named if f"def {name}(" not in tests] == []


# --- what is generated, or written down twice


def test_lessons_table_is_up_to_date(capsys):
    assert lessons_table.main(["--check"]) == 0, capsys.readouterr().err


def test_figure_strip_has_alt_text_and_its_figures():
    strip = figure_strip.STRIP_PATH.relative_to(ROOT).as_posix()
    assert re.search(rf"!\[[^\]]+\]\({strip}\)", README)
    for panel in figure_strip.PANELS:
        (path,) = [path for path in LESSONS if path.stem.startswith(panel.lesson)]
        figure_strip.find_figure(path, panel.code)  # raises an error where there is none


def test_requirements_have_reasons_and_constraints():
    pinned = {line.split("==")[0] for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line}
    for line in (ROOT / "requirements.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            requirement, _, reason = line.partition("  # ")
            assert reason, line
            assert re.split("[<>=]", requirement)[0] in pinned


def test_data_sheets_show_the_checksums_of_the_registry():
    sheets = (ROOT / "data/README.md").read_text("utf-8")
    downloads = [source.download for source in REGISTRY.values() if isinstance(source.download, Download)]
    assert downloads
    for download in downloads:
        shown = re.search(rf"`{download.sha256[:8]}…(\w+)`", sheets)
        assert shown, download
        assert download.sha256.endswith(shown[1])


def test_citation_agrees_with_the_package():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert {"cff-version", "message", "title", "authors", "date-released"} <= set(citation)
    assert citation["version"] == dlkit.__version__
    assert citation["license"] == project["license"]
    assert f"\n## {dlkit.__version__} (" in (ROOT / "CHANGELOG.md").read_text("utf-8")


@pytest.mark.parametrize("path", ISSUE_TEMPLATES, ids=lambda path: path.stem)
def test_issue_template_is_a_form_of_github(path):
    form = yaml.safe_load(path.read_text("utf-8"))
    assert form["name"]
    assert form["description"]
    assert {field["type"] for field in form["body"]} <= {"input", "textarea"}
    assert all(field["attributes"]["label"] for field in form["body"])
    ids = [field["id"] for field in form["body"]]
    assert len(ids) == len(set(ids))
    assert any(field.get("validations", {}).get("required") for field in form["body"])
