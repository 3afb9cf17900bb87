"""JupyterLab as a student uses it, in a browser: lesson 00 in `make test`, every notebook in `make test-all`.

These tests need Chromium (Debian: `apt install chromium`) and Playwright, the extra "browser" of this package.
"""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request

import nbformat
import pytest

from tools.notebooks import LESSONS, ROOT, SOLUTIONS, code_cells

TOKEN = "only-for-this-test"
MINUTES = 10
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """Address and folder of a running `dlkit lab`, with a temporary copy and without the settings of this machine."""
    folder = tmp_path_factory.mktemp("lab") / "my-notebooks"
    command = [sys.executable, "-m", "dlkit", "lab", "--folder", str(folder), "--", "--no-browser", "--port=0"]
    command += [f"--IdentityProvider.token={TOKEN}", "--allow-root"]
    # Where its output is no terminal, Jupyter would start a login shell, which resets the PATH.
    command += ["--ServerApp.terminado_settings={'shell_command': ['/bin/sh']}"]
    settings = {"JUPYTERLAB_SETTINGS_DIR": str(folder.parent / "settings"), "PYTHONPATH": str(ROOT), "DLKIT_STRICT": ""}
    path = os.pathsep.join(p for p in os.environ["PATH"].split(os.pathsep) if ".venv" not in p)
    with open(folder.parent / "log", "w") as log:
        process = subprocess.Popen(command, env=os.environ | settings | {"PATH": path}, stdout=log, stderr=log)
    try:
        yield wait_for_address(process, folder.parent / "log"), folder
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def wait_for_address(process, log):
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        if found := re.search(r"http://127\.0\.0\.1:\d+", log.read_text()):
            return found[0]
        time.sleep(0.2)
    pytest.fail(f"JupyterLab did not start:\n{log.read_text()}")


@pytest.fixture(scope="module")
def browser():
    """Chromium, controlled by Playwright. The tests are skipped where one of the two is missing."""
    driver = pytest.importorskip("playwright.sync_api", reason="needs `pip install playwright`")
    if not CHROMIUM:
        pytest.skip("needs Chromium (Debian: apt install chromium)")
    with driver.sync_playwright() as playwright:
        options = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        yield browser
        browser.close()


def cell(page, text):
    """The code cell whose source contains a text."""
    return scroll_to(page, page.locator(".jp-CodeCell", has=page.locator(".cm-content", has_text=text)).first)


def scroll_to(page, found):
    """Scrolls from the top to a locator and returns it: JupyterLab renders cells only when they are nearly visible."""
    page.locator(".jp-NotebookPanel:visible .jp-WindowedPanel-outer").evaluate("e => e.scrollTo(0, 0)")
    for _ in range(60):
        if found.count():
            found.scroll_into_view_if_needed()
            return found
        page.locator(".jp-NotebookPanel:visible .jp-WindowedPanel-outer").evaluate("e => e.scrollBy(0, 400)")
        page.wait_for_timeout(100)
    raise AssertionError(f"the notebook has no {found}")


def run_cell(page, text, seconds=60):
    """Runs one cell with Ctrl+Enter and returns the text of its output."""
    target = cell(page, text)
    prompt = target.locator(".jp-InputArea-prompt")
    before = prompt.inner_text()
    target.locator(".cm-content").click()
    page.keyboard.press("Control+Enter")
    deadline = time.monotonic() + seconds
    while (now := prompt.inner_text()) == before or not re.fullmatch(r"\[\d+\]:", now.strip()):
        assert time.monotonic() < deadline, f"{text!r} is still running after {seconds} s"
        page.wait_for_timeout(100)
    return target.locator(".jp-OutputArea").inner_text() if target.locator(".jp-OutputArea-output").count() else ""


def replace_source(page, text, new):
    """Replaces the source of a cell through the keyboard, as a student would."""
    cell(page, text).locator(".cm-content").click()
    page.keyboard.press("Control+a")
    page.keyboard.insert_text(new)


@pytest.fixture
def student(lab, browser):
    """The browser page of a student who opens the lab for the first time."""
    page = browser.new_page(viewport={"width": 1366, "height": 768})
    page.goto(f"{lab[0]}/?token={TOKEN}")
    page.locator(".jp-Notebook").wait_for(timeout=60_000)
    page.get_by_text("(ipykernel) | Idle").wait_for(timeout=60_000)
    yield page
    page.close()


def test_first_hour_of_a_student(lab, student, tmp_path):
    _, folder = lab
    page, opened = student, time.monotonic()
    assert page.get_by_role("tab", name="00_start_here.ipynb").count() == 1
    page.get_by_role("heading", name="Start here").wait_for()
    assert page.get_by_text("official Jupyter news").count() == 0

    # The file list shows the lessons with complete names; the folder above it lists the solutions last.
    assert page.locator(".jp-DirListing-itemText").all_inner_texts() == [path.name for path in LESSONS]
    truncated = page.locator(".jp-DirListing-itemText").evaluate_all(
        "items => items.filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.innerText)"
    )
    assert truncated == [], "names that do not fit the list"
    assert sorted(path.name for path in folder.iterdir() if not path.name.startswith(".")) == [
        "lessons",
        "pages",
        "solutions",
    ]
    page.screenshot(path=tmp_path / "opened.png")

    # The guess is shown, and its answer, "missed: 12 of 450" in the original, is not there yet.
    scroll_to(page, page.locator("blockquote", has_text="Guess. The network"))
    page.screenshot(path=tmp_path / "guess.png")
    saved = nbformat.read(folder / "lessons" / "00_start_here.ipynb", as_version=4)
    assert not any(cell.outputs for cell in code_cells(saved))
    assert page.locator(".jp-OutputArea-output").count() == 0
    page.wait_for_timeout(max(0, 8 - (time.monotonic() - opened)) * 1000)
    assert page.locator(".lm-DockPanel-tabBar .jp-mod-dirty").count() == 0, "it became unsaved after seven seconds"

    assert "lesson tier" in run_cell(page, "rt = runtime.setup(seed=0)")
    run_cell(page, "from dlkit.exercises import check")
    assert "not attempted yet" in run_cell(page, "00.count_parameters")
    replace_source(page, "00.count_parameters", 'parameters = 2368\n\ncheck("00.count_parameters", parameters)')
    wrong = run_cell(page, "00.count_parameters")
    assert "✗" in wrong
    assert "bias" in wrong
    page.screenshot(path=tmp_path / "wrong.png")
    replace_source(page, "00.count_parameters", 'parameters = 2410\n\ncheck("00.count_parameters", parameters)')
    assert "✓ right" in run_cell(page, "00.count_parameters")
    colors = cell(page, "00.count_parameters").locator("[role=note]").evaluate("e => getComputedStyle(e).borderColor")
    assert colors == "rgb(0, 158, 115)"
    page.screenshot(path=tmp_path / "correct.png")

    # Once it is saved, it closes without a dialog.
    assert page.locator(".lm-DockPanel-tabBar .jp-mod-dirty").count() == 1
    page.keyboard.press("Control+s")
    page.locator(".lm-DockPanel-tabBar .jp-mod-dirty").wait_for(state="detached", timeout=10_000)
    page.locator(".lm-DockPanel-tabBar .lm-mod-current .lm-TabBar-tabCloseIcon").click()
    page.get_by_role("tab", name="00_start_here.ipynb").wait_for(state="detached", timeout=10_000)
    assert page.locator(".jp-Dialog").count() == 0
    assert "2410" in (folder / "lessons" / "00_start_here.ipynb").read_text()


@pytest.fixture(scope="module")
def later(lab, browser):
    """The browser page of a student who opens a later lesson, which has a link to a page."""
    lesson = next(path for path in LESSONS if "](../benchmarks/" in path.read_text("utf-8"))
    page = browser.new_page(viewport={"width": 1366, "height": 768})
    page.goto(f"{lab[0]}/lab/workspaces/links/tree/lessons/{lesson.name}?token={TOKEN}")
    page.locator(".jp-Notebook").wait_for(timeout=60_000)
    yield page
    page.close()


def test_link_to_a_page_opens_it(later):
    scroll_to(later, later.locator("a[href*='benchmarks/']").first).click()
    later.locator(".jp-MarkdownViewer").get_by_role("heading", level=1).wait_for(timeout=20_000)


def test_terminal_finds_dlkit(later, tmp_path):
    later.get_by_role("menuitem", name="File", exact=True).click()
    later.locator(".lm-Menu-itemLabel", has_text="New Launcher").click(timeout=10_000)
    later.locator(".jp-LauncherCard", has_text="Terminal").click(timeout=20_000)
    later.locator(".jp-Terminal-body").click(timeout=20_000)
    found, deadline = tmp_path / "found", time.monotonic() + 20
    while not (found.exists() and found.read_text()) and time.monotonic() < deadline:
        later.keyboard.type(f"command -v dlkit > {found}\n")  # is lost before the shell is ready
        later.wait_for_timeout(500)
    assert found.read_text().strip() == os.path.join(os.path.dirname(sys.executable), "dlkit")


def kernels(address):
    with urllib.request.urlopen(f"{address}/api/kernels?token={TOKEN}") as answer:
        return json.load(answer)


def run_all(page, address, file):
    """Runs all cells, and saves until the file on disk holds the output of every cell."""
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    deadline = time.monotonic() + 60 * MINUTES
    while time.monotonic() < deadline:
        page.wait_for_timeout(2000)
        if [kernel["execution_state"] for kernel in kernels(address)] != ["idle"]:
            continue
        page.keyboard.press("Control+s")
        page.wait_for_timeout(1000)
        cells = code_cells(nbformat.read(file, as_version=4))
        failed = [output for code in cells for output in code.outputs if output.output_type == "error"]
        assert not failed, failed[0]
        if all(code.execution_count for code in cells):
            return cells
    raise TimeoutError(f"{file.name} was not finished after {MINUTES} minutes")


@pytest.mark.slow
@pytest.mark.parametrize("path", [*LESSONS, *SOLUTIONS], ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_notebook_runs_in_jupyterlab(path, lab, browser, tmp_path):
    address, folder = lab
    file = folder / ("solutions" if path in SOLUTIONS else "lessons") / path.name
    notebook = nbformat.read(path, as_version=4)
    for code in code_cells(notebook):
        code.outputs, code.execution_count = [], None
    nbformat.write(notebook, file)
    page = browser.new_page(viewport={"width": 1400, "height": 1000})
    page.goto(f"{address}/lab/tree/{file.relative_to(folder)}?token={TOKEN}&reset")
    try:
        page.locator(".jp-Notebook").wait_for(timeout=60_000)
        page.get_by_text("(ipykernel) | Idle").wait_for(timeout=60_000)  # earlier commands can get lost
        cells = run_all(page, address, file)
    finally:
        page.screenshot(path=tmp_path / "screenshot.png")
        page.close()
        for kernel in kernels(address):
            request = urllib.request.Request(f"{address}/api/kernels/{kernel['id']}?token={TOKEN}", method="DELETE")
            with contextlib.suppress(OSError), urllib.request.urlopen(request):
                pass
    before = code_cells(nbformat.read(path, as_version=4))
    assert [has_figure(code) for code in cells] == [has_figure(code) for code in before], "figures are missing"


def has_figure(code):
    return any("image/png" in output.get("data", {}) for output in code.outputs)
