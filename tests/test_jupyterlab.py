"""Every notebook through JupyterLab as a reader does it: in a browser, "Run All Cells", saved. `make test-long`.

Needs Chromium, and Playwright to drive it: `.venv/bin/python -m pip install playwright`.
"""

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request

import nbformat
import pytest

from tests.notebook_tools import LESSONS, ROOT, SOLUTIONS, code_cells

TOKEN = "only-for-this-test"
MINUTES = 10
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """JupyterLab over a copy of the notebooks; gives its address and the folder."""
    folder = tmp_path_factory.mktemp("lab") / "notebooks"
    shutil.copytree(ROOT / "notebooks", folder, ignore=shutil.ignore_patterns(".*"))
    command = [sys.executable, "-m", "jupyter", "lab", "--no-browser", "--port=0", f"--notebook-dir={folder}"]
    command += [f"--IdentityProvider.token={TOKEN}", "--allow-root"]
    settings = {"JUPYTERLAB_SETTINGS_DIR": str(folder.parent / "settings"), "PYTHONPATH": str(ROOT)}
    with open(folder.parent / "log", "w") as log:
        process = subprocess.Popen(command, env=os.environ | settings, stdout=log, stderr=log)
    try:
        yield found_address(process, folder.parent / "log"), folder
    finally:
        process.terminate()
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
        failed = [output for cell in cells for output in cell.outputs if output.output_type == "error"]
        assert not failed, failed[0]
        if all(cell.execution_count for cell in cells):
            return cells
    raise TimeoutError(f"{file.name} did not end in {MINUTES} minutes")


@pytest.mark.slow
@pytest.mark.parametrize("path", [*LESSONS, *SOLUTIONS], ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_notebook_runs_in_jupyterlab(path, lab, browser, tmp_path):
    address, folder = lab
    file = folder / path.relative_to(ROOT / "notebooks")
    notebook = nbformat.read(file, as_version=4)
    for cell in code_cells(notebook):
        cell.outputs, cell.execution_count = [], None
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
    assert [has_picture(cell) for cell in cells] == [has_picture(cell) for cell in before], "the pictures are there"


def has_picture(cell):
    return any("image/png" in output.get("data", {}) for output in cell.outputs)
