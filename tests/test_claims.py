"""`claim`: its verdict, where it is enforced, and how Jupyter shows it."""

import html
import math
import re
import shutil
import subprocess
import sys

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from dlkit.claims import Claim, claim
from tools.notebooks import ROOT


@pytest.fixture
def lab(monkeypatch):
    """The environment of a student's JupyterLab: claims are shown and not enforced."""
    monkeypatch.delenv("DLKIT_STRICT", raising=False)


def run(source, **metadata):
    """Runs a cell in a new kernel and returns its outputs."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)], metadata=metadata)
    NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
    return notebook.cells[0].outputs


def test_claim_prints_sentence_value_and_bound(capsys):
    claim("At least", 0.9612345, at_least=0.95)
    claim("At most", 3, at_most=3)
    claim("Between", 0.5, between=(0, 1))
    claim("Exactly", True, between=(1, 1))
    assert capsys.readouterr().out == (
        "✓ At least\n    measured 0.9612 (at least 0.95)\n"
        "✓ At most\n    measured 3 (at most 3)\n"
        "✓ Between\n    measured 0.5 (between 0 and 1)\n"
        "✓ Exactly\n    measured 1 (exactly 1)\n"
    )


FALSE = [
    (0.949, {"at_least": 0.95}),
    (1.01, {"at_most": 1}),
    (-0.1, {"between": (0, 1)}),
    (1.1, {"between": (0, 1)}),
    (math.nan, {"at_least": 0}),
    (math.nan, {"at_most": 0}),
    (False, {"at_least": 1}),
]


@pytest.mark.parametrize(("value", "bound"), FALSE)
def test_false_claim_raises_an_error_where_enforced(value, bound, monkeypatch, capsys):
    monkeypatch.setenv("DLKIT_STRICT", "1")
    with pytest.raises(AssertionError, match="✗ Sentence\n    measured") as failure:
        claim("Sentence", value, **bound)
    assert f"{float(value):.4g}" in str(failure.value)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(("value", "bound"), FALSE)
def test_false_claim_is_only_shown_where_not_enforced(value, bound, lab, capsys):
    assert claim("Sentence", value, **bound) is None
    printed = capsys.readouterr().out
    assert printed.startswith(f"✗ Sentence\n    measured {float(value):.4g} (")
    assert "If you changed them" in printed
    assert not Claim("Sentence", value, **bound).holds


@pytest.mark.parametrize("strict", ["", "0"])
def test_claims_are_not_enforced_when_dlkit_strict_is_0(strict, monkeypatch, capsys):
    monkeypatch.setenv("DLKIT_STRICT", strict)
    claim("Sentence", 0, at_least=1)
    assert "✗ Sentence" in capsys.readouterr().out


def test_claims_are_enforced_in_tests():
    with pytest.raises(AssertionError, match="✗ Sentence"):
        claim("Sentence", 0, at_least=1)


def test_timing_claim_is_only_shown_in_parallel_runs(monkeypatch, capsys):
    monkeypatch.setenv("DLKIT_TIMING", "report")
    claim("It is faster", 1, at_least=2, timing=True)
    assert "This claim compares times" in capsys.readouterr().out
    with pytest.raises(AssertionError, match="It is correct"):
        claim("It is correct", 1, at_least=2)


def test_timing_claim_is_enforced_in_single_runs(monkeypatch):
    monkeypatch.delenv("DLKIT_TIMING", raising=False)
    with pytest.raises(AssertionError, match="It is faster"):
        claim("It is faster", 1, at_least=2, timing=True)


@pytest.mark.parametrize("bounds", [{}, {"at_least": 0, "at_most": 1}])
@pytest.mark.parametrize("strict", ["0", "1"])
def test_claim_needs_exactly_one_bound(bounds, strict, monkeypatch):
    monkeypatch.setenv("DLKIT_STRICT", strict)
    with pytest.raises(ValueError, match="Expected one of at_least, at_most or between"):
        claim("Sentence", 1, **bounds)


SHOWN = """
from dlkit.claims import Claim, claim
from dlkit.exercises import check
claim("It is <b>more</b> & more", 0.5, at_least=0.4)
claim("It is less", 0.5, at_most=0.4)
check("00.count_parameters", None)
check("00.count_parameters", "lots")
Claim("Shown only", 1, at_least=2)
"""


@pytest.fixture(scope="module")
def shown():
    """The outputs of the cell SHOWN in a student's JupyterLab."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("DLKIT_STRICT", raising=False)
        return run(SHOWN)


def test_boxes_in_jupyter_are_legible_without_color(shown):
    assert [output.output_type for output in shown] == ["display_data"] * 4 + ["execute_result"]
    words = [re.sub("<[^>]*>", " ", output.data["text/html"]) for output in shown]
    assert "✓ Holds:" in words[0]
    assert "It is &lt;b&gt;more&lt;/b&gt; &amp; more" in words[0], "a sentence is text, not markup"
    assert "measured 0.5 (at least 0.4)" in words[0]
    assert "✗ Does not hold:" in words[1]
    assert "If you changed them, this is what changed" in html.unescape(words[1])
    assert "00.count_parameters:" in words[2]
    assert "not attempted yet" in words[2]
    assert "✗ give one number" in words[3]
    assert "✗ Does not hold:" in words[4]
    assert len({re.search("border: 1px solid (#\\w+)", output.data["text/html"])[1] for output in shown}) == 3
    assert all('role="note"' in output.data["text/html"] for output in shown)


def test_boxes_in_jupyter_have_plain_text_too(shown):
    assert shown[0].data["text/plain"] == "✓ It is <b>more</b> & more\n    measured 0.5 (at least 0.4)"
    assert shown[2].data["text/plain"] == "00.count_parameters: not attempted yet"


def test_false_claim_stops_a_notebook_where_enforced(monkeypatch):
    monkeypatch.setenv("DLKIT_STRICT", "1")
    with pytest.raises(CellExecutionError, match="✗ It is less"):
        run(SHOWN)


def test_make_notebook_test_enforces_claims(lab, tmp_path):
    if not (ROOT / ".venv" / "ready").exists() or not shutil.which("make"):
        pytest.skip("needs make and the project's .venv")
    sources = ("from dlkit.claims import claim", "claim('True', 1, at_least=1)", "claim('False', 0, at_least=1)")
    path = tmp_path / "claim.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=list(map(nbformat.v4.new_code_cell, sources))), path)
    command = ["make", "notebook-test", f"NB={path}", "--assume-old=.venv/ready"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert "1 failed, 2 passed" in done.stdout, done.stdout + done.stderr


def test_claim_outside_jupyter_does_not_import_ipython(lab):
    code = "import sys; from dlkit.claims import claim; claim('A', 0, at_least=1); assert 'IPython' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("✗ A\n")
