"""The complete site in Chromium, from the file system: every page, search, dark mode, phones, printing, accessibility.

The tests build the site, which needs the extra "site", or read it from the folder that SITE_FOLDER names. They need the
extra "browser" and Chromium too.
"""

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest

from dlkit import data
from tests.pages import AXE, FAULTS
from tools.notebooks import LESSONS, ROOT, SOLUTIONS

pytestmark = pytest.mark.slow
LESSON = "notebooks/07_overfitting_and_regularization.html"
DESKTOP, PHONE = {"width": 1366, "height": 768}, {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of the built site. Every warning of Sphinx is an error."""
    if folder := os.environ.get("SITE_FOLDER"):
        return Path(folder).resolve()
    pytest.importorskip("myst_nb", reason="needs the extra site: pip install -c constraints.txt -e '.[site]'")
    folder = tmp_path_factory.mktemp("site")
    commands = (
        ["site/sources.py", folder / "source"],
        ["-m", "sphinx", "-W", "--keep-going", "-q", "-c", "site", folder / "source", folder / "html"],
    )
    for command in commands:
        done = subprocess.run([sys.executable, *command], cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    return folder / "html"


@pytest.fixture
def open_page(site, browser):
    """A function (path, viewport, dark) that opens a page of the site for a new reader."""
    contexts = []

    def open_one(path, viewport=DESKTOP, dark=False):
        context = browser.new_context(viewport=viewport, color_scheme="dark" if dark else "light")
        contexts.append(context)
        page = context.new_page()
        page.goto(f"{site.as_uri()}/{path}")
        return page

    yield open_one
    for context in contexts:
        context.close()


class Links(HTMLParser):
    """Collects the addresses that a page links to, and the names that links can lead to."""

    def __init__(self, text):
        super().__init__()
        self.targets, self.names = [], {""}
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.names |= {attributes[key] for key in ("id", "name") if attributes.get(key)}
        self.targets += [attributes[key] for key in ("href", "src") if attributes.get(key)]


def html_pages(site):
    return sorted(path for path in site.rglob("*.html") if "_static" not in path.parts)


def test_site_has_every_notebook(site):
    for path in [*LESSONS, *SOLUTIONS]:
        assert (site / path.relative_to(ROOT).with_suffix(".html")).is_file(), path


def test_internal_links_are_alive(site):
    pages = {path: Links(path.read_text("utf-8")) for path in html_pages(site)}
    dead = []
    for path, page in pages.items():
        for target in page.targets:
            if re.match(r"\w+:|//", target):
                continue
            file, _, name = unquote(target).partition("#")
            found = (path.parent / file.partition("?")[0]).resolve() if file else path
            known = pages.get(found)
            if not found.exists() or (known and name not in known.names):
                dead.append(f"{path.relative_to(site)} -> {target}")
    assert dead == []


def test_pages_load_nothing_from_the_network(site):
    for path in html_pages(site):
        loaded = re.findall(
            r"""<(?:script|img|link)\b[^>]*(?:src|href)=["'](?:https?:)?//.*?>""", path.read_text("utf-8")
        )
        assert [tag for tag in loaded if 'rel="canonical"' not in tag] == [], path


@pytest.mark.parametrize(("viewport", "dark"), [(DESKTOP, False), (PHONE, True)], ids=["desktop", "dark phone"])
def test_every_page_is_sound(site, browser, axe, viewport, dark):
    context = browser.new_context(viewport=viewport, color_scheme="dark" if dark else "light")
    page, faults, messages = context.new_page(), [], []
    page.on("console", lambda message: messages.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: messages.append(str(error)))
    page.on("request", lambda request: messages.append(request.url) if request.url.startswith("http") else None)
    for path in html_pages(site):
        name = path.relative_to(site).as_posix()
        page.goto(path.as_uri())
        if page.locator("span.math, div.math").count():
            page.wait_for_function("() => window.MathJax?.startup?.promise")
            page.evaluate("() => MathJax.startup.promise")
        assert page.locator("html").get_attribute("data-theme") == ("dark" if dark else "light")
        faults += [f"{name}: {fault}" for fault in page.evaluate(FAULTS)]
        faults += [f"{name}: {message}" for message in messages]
        page.add_script_tag(path=axe)
        faults += [f"{name}: {fault}" for fault in page.evaluate(AXE, name == LESSON)]
        messages.clear()
    context.close()
    assert faults == []


@pytest.mark.parametrize(
    ("word", "target"),
    [
        ("dropout", "07_overfitting_and_regularization.html"),
        ("attention", "19_attention_and_transformers.html"),
        ("混淆矩阵", "glossary.html"),
        ("激活函数", "glossary.html"),
    ],
)
def test_search_finds(open_page, word, target):
    if target == "glossary.html" and not data.glossary(word):
        pytest.skip(f"the glossary has no {word}")
    page = open_page("index.html")
    page.keyboard.press("Control+k")
    page.keyboard.insert_text(word)
    page.keyboard.press("Enter")
    page.locator(f"#search-results a[href*='{target}']").first.wait_for(timeout=20_000)
    assert "search.html" in page.url


def test_results_are_folded_until_the_reader_opens_them(open_page):
    page = open_page(LESSON)
    results = page.locator("details.results")
    assert results.count() >= 2
    assert results.evaluate_all("parts => parts.filter((part) => part.open).length") == 0
    page.locator("details.results > summary").first.click()
    assert results.first.locator("img, .output").first.is_visible()
    page.get_by_role("button", name="Show all results").click()
    page.reload()
    assert results.evaluate_all("parts => parts.every((part) => part.open)"), "the choice is remembered"


def test_ticked_exercises_are_remembered_and_counted(open_page):
    page = open_page(LESSON)
    page.get_by_label("I have solved 07.l2_step").check()
    page.reload()
    assert page.get_by_label("I have solved 07.l2_step").is_checked()
    assert not page.get_by_label("I have solved 07.early_stopping").is_checked()
    page.goto(page.url.replace(LESSON, "index.html"))
    assert re.fullmatch(r"You have ticked off 1 of \d+ exercises\.", page.locator(".course-total").inner_text())
    assert page.locator(".course-progress", has_text="1 of 3 exercises").count() == 1


def test_link_to_a_solution_leads_to_its_statement(open_page):
    page = open_page(LESSON)
    page.locator("p.tick a").first.click()
    page.wait_for_url(re.compile("solutions/07"))
    assert page.locator("#exercise-07-l2-step").bounding_box()["y"] < DESKTOP["height"]
    assert page.locator("details.solution").count() == 3
    assert page.locator("details.solution[open]").count() == 0, "it stays folded until the reader opens it"


def test_dark_mode_keeps_figures_on_white(open_page):
    page = open_page(LESSON, dark=True)
    color = "e => getComputedStyle(e).backgroundColor"
    assert page.locator("div.cell_output img").first.evaluate(color) == "rgb(255, 255, 255)"
    assert page.locator("body").evaluate(color) != "rgb(255, 255, 255)"
    page.get_by_role("button", name="Color mode").click()
    page.get_by_role("button", name="Light", exact=True).click()
    assert page.locator("html").get_attribute("data-theme") == "light"


def test_print_view_opens_everything(open_page, tmp_path):
    page = open_page(LESSON)
    page.emulate_media(media="print")
    assert not page.locator(".lesson-bar").is_visible()
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details:not([open])").count() == 0
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("details[open]").count() == 0
    page.pdf(path=tmp_path / "lesson.pdf", format="A4")
    assert len(re.findall(rb"/Type\s*/Page\b", (tmp_path / "lesson.pdf").read_bytes())) >= 5
