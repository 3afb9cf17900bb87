"""The lab as a student meets it, in a browser: lesson 00 in `make test`, every notebook with `make test-all`.

Needs Chromium (Debian: `apt install chromium`) and Playwright, the extra "browser" of this package.
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
    """`dlkit lab` with a copy in a folder of its own and nothing of this machine's settings; its address and folder."""
    folder = tmp_path_factory.mktemp("lab") / "my-notebooks"
    command = [sys.executable, "-m", "dlkit", "lab", "--folder", str(folder), "--", "--no-browser", "--port=0"]
    command += [f"--IdentityProvider.token={TOKEN}", "--allow-root"]
    settings = {"JUPYTERLAB_SETTINGS_DIR": str(folder.parent / "settings"), "PYTHONPATH": str(ROOT), "DLKIT_STRICT": ""}
    path = os.pathsep.join(p for p in os.environ["PATH"].split(os.pathsep) if ".venv" not in p)
    with open(folder.parent / "log", "w") as log:
        process = subprocess.Popen(command, env=os.environ | settings | {"PATH": path}, stdout=log, stderr=log)
    try:
        yield found_address(process, folder.parent / "log"), folder
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def found_address(process, log):
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        if found := re.search(r"http://127\.0\.0\.1:\d+", log.read_text()):
            return found[0]
        time.sleep(0.2)
    pytest.fail(f"JupyterLab did not start:\n{log.read_text()}")


@pytest.fixture(scope="module")
def browser():
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
    return scrolled_to(page, page.locator(".jp-CodeCell", has=page.locator(".cm-content", has_text=text)).first)


def scrolled_to(page, found):
    """A part of the notebook, scrolled to from the top: JupyterLab draws cells only when they come near."""
    page.locator(".jp-NotebookPanel:visible .jp-WindowedPanel-outer").evaluate("e => e.scrollTo(0, 0)")
    for _ in range(60):
        if found.count():
            found.scroll_into_view_if_needed()
            return found
        page.locator(".jp-NotebookPanel:visible .jp-WindowedPanel-outer").evaluate("e => e.scrollBy(0, 400)")
        page.wait_for_timeout(100)
    raise AssertionError(f"the notebook has no {found}")


def run_cell(page, text, seconds=60):
    """Runs one cell with Ctrl+Enter and gives its output's text."""
    here = cell(page, text)
    prompt = here.locator(".jp-InputArea-prompt")
    before = prompt.inner_text()
    here.locator(".cm-content").click()
    page.keyboard.press("Control+Enter")
    deadline = time.monotonic() + seconds
    while (now := prompt.inner_text()) == before or not re.fullmatch(r"\[\d+\]:", now.strip()):
        assert time.monotonic() < deadline, f"{text!r} still runs after {seconds} s"
        page.wait_for_timeout(100)
    return here.locator(".jp-OutputArea").inner_text() if here.locator(".jp-OutputArea-output").count() else ""


def replace_source(page, text, new):
    """Types a new source into a cell as a student would."""
    cell(page, text).locator(".cm-content").click()
    page.keyboard.press("Control+a")
    page.keyboard.insert_text(new)


@pytest.fixture
def student(lab, browser):
    """A page of a student who starts the lab for the first time."""
    page = browser.new_page(viewport={"width": 1366, "height": 768})
    page.goto(f"{lab[0]}/?token={TOKEN}")
    page.locator(".jp-Notebook").wait_for(timeout=60_000)
    page.get_by_text("(ipykernel) | Idle").wait_for(timeout=60_000)
    yield page
    page.close()


def test_a_students_first_hour(lab, student, tmp_path):
    _, folder = lab
    page = student
    assert page.get_by_role("tab", name="00_start_here.ipynb").count() == 1
    page.get_by_role("heading", name="Start here").wait_for()
    assert page.get_by_text("official Jupyter news").count() == 0
    page.wait_for_timeout(8000)  # an untouched notebook became "unsaved" after seven seconds
    assert page.locator(".lm-DockPanel-tabBar .jp-mod-dirty").count() == 0

    # The file list: the lessons, with names that can be read; the folder above has the solutions last.
    assert page.locator(".jp-DirListing-itemText").all_inner_texts() == [path.name for path in LESSONS]
    cut = page.locator(".jp-DirListing-itemText").evaluate_all(
        "items => items.filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.innerText)"
    )
    assert cut == [], "names that do not fit the list"
    assert sorted(path.name for path in folder.iterdir() if not path.name.startswith(".")) == [
        "lessons",
        "pages",
        "solutions",
    ]
    page.screenshot(path=tmp_path / "opened.png")

    # The guess is there, and its answer, "missed: 14 of 450" in the original, does not exist yet.
    scrolled_to(page, page.locator("blockquote", has_text="Guess"))
    page.screenshot(path=tmp_path / "guess.png")
    saved = nbformat.read(folder / "lessons" / "00_start_here.ipynb", as_version=4)
    assert not any(cell.outputs for cell in code_cells(saved))
    assert page.locator(".jp-OutputArea-output").count() == 0

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
    page.screenshot(path=tmp_path / "right.png")

    # Saved, it closes without a question.
    assert page.locator(".lm-DockPanel-tabBar .jp-mod-dirty").count() == 1
    page.keyboard.press("Control+s")
    page.locator(".lm-DockPanel-tabBar .jp-mod-dirty").wait_for(state="detached", timeout=10_000)
    page.locator(".lm-DockPanel-tabBar .lm-mod-current .lm-TabBar-tabCloseIcon").click()
    page.get_by_role("tab", name="00_start_here.ipynb").wait_for(state="detached", timeout=10_000)
    assert page.locator(".jp-Dialog").count() == 0
    assert "2410" in (folder / "lessons" / "00_start_here.ipynb").read_text()


def test_links_out_of_a_lesson_open_pages(lab, browser):
    address, _ = lab
    page = browser.new_page(viewport={"width": 1366, "height": 768})
    page.goto(f"{address}/lab/workspaces/links/tree/lessons/14_resnet50_on_cifar10.ipynb?token={TOKEN}")
    page.locator(".jp-Notebook").wait_for(timeout=60_000)
    scrolled_to(page, page.locator("a[href*='README.md']").first).click()
    page.locator(".jp-MarkdownViewer").get_by_role("heading", level=1).wait_for(timeout=20_000)
    page.close()


def test_the_terminal_finds_dlkit(lab, browser, tmp_path):
    address, _ = lab
    page = browser.new_page(viewport={"width": 1366, "height": 768})
    page.goto(f"{address}/lab/workspaces/terminal?token={TOKEN}")
    page.locator(".jp-LauncherCard", has_text="Terminal").click(timeout=60_000)
    page.locator(".jp-Terminal-body").wait_for(timeout=20_000)
    page.wait_for_timeout(2000)
    page.locator(".jp-Terminal-body").click()
    found = tmp_path / "found"
    page.keyboard.type(f"command -v dlkit > {found}\n")
    deadline = time.monotonic() + 20
    while not (found.exists() and found.read_text()) and time.monotonic() < deadline:
        page.wait_for_timeout(200)
    page.close()
    assert found.read_text().strip() == os.path.join(os.path.dirname(sys.executable), "dlkit")


def kernels(address):
    with urllib.request.urlopen(f"{address}/api/kernels?token={TOKEN}") as answer:
        return json.load(answer)


def run_all(page, address, file):
    """Runs all cells, and saves until the file on disk has what every cell gave."""
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
    raise TimeoutError(f"{file.name} did not end in {MINUTES} minutes")


@pytest.mark.slow
@pytest.mark.parametrize("path", [*LESSONS, *SOLUTIONS], ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_notebook_runs_in_jupyterlab(path, lab, browser, tmp_path):
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
        page.get_by_text("(ipykernel) | Idle").wait_for(timeout=60_000)  # before that, what one runs can get lost
        cells = run_all(page, address, file)
    finally:
        page.screenshot(path=tmp_path / "screenshot.png")
        page.close()
        for kernel in kernels(address):
            asked = urllib.request.Request(f"{address}/api/kernels/{kernel['id']}?token={TOKEN}", method="DELETE")
            with contextlib.suppress(OSError), urllib.request.urlopen(asked):
                pass
    before = code_cells(nbformat.read(path, as_version=4))
    assert [has_picture(code) for code in cells] == [has_picture(code) for code in before], "the pictures are there"


def has_picture(code):
    return any("image/png" in output.get("data", {}) for output in code.outputs)
