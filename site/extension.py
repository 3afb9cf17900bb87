"""Sphinx extension for the lessons: results folded under their guess, exercises to tick off, alternative texts.

It changes the parsed pages of the notebooks, never the notebooks themselves.
"""

from __future__ import annotations

import re
import zlib
from pathlib import Path

from course import CHECK, launch_links
from docutils import nodes
from sphinx.transforms import SphinxTransform

from tools.lessons_table import PARTS

RESULTS = "Show what happens, once you have a guess"
SOLUTION = "Show the solution"
ALT_LENGTH = 240  # characters of an alternative text that is taken from the lesson


class folded(nodes.General, nodes.Element):  # noqa: N801  (docutils finds the visitor by this name)
    """Part of a page that a reader opens: `<details>` in HTML. Its attribute `summary` is the text of the switch."""


def visit_folded(writer, node):
    """Opens `<details>`."""
    writer.body.append(f'<details class="folded {node["kind"]}"><summary>{node["summary"]}</summary>\n')


def depart_folded(writer, node):
    """Closes `<details>`."""
    writer.body.append("</details>\n")


def begins_with_strong(node, pattern):
    """Whether a paragraph, or the first paragraph of a quotation, begins with bold text of this pattern."""
    if isinstance(node, nodes.block_quote) and node.children:
        node = node[0]
    parts = node.children if isinstance(node, nodes.paragraph) else []
    bold = next((part for part in parts if part.astext()), None)  # the first text may be empty
    return isinstance(bold, nodes.strong) and re.match(pattern, bold.astext()) is not None


def is_guess(node):
    """Whether a node is a quotation that asks for a guess."""
    return isinstance(node, nodes.block_quote) and begins_with_strong(node, r"Guess\b")


def is_statement(node):
    """Whether a node is the first paragraph of an exercise, such as "**1 · On paper.** ..."."""
    return isinstance(node, nodes.paragraph) and begins_with_strong(node, r"\d · ")


def is_code_cell(node):
    """Whether a node is a code cell of a notebook, with its outputs."""
    return isinstance(node, nodes.container) and node.get("nb_element") == "cell_code"


def fold(parent, begin, end, summary, kind):
    """Moves the children of `parent` from position `begin` up to `end` into a node that a reader opens."""
    children = parent.children[begin:end]
    if children:
        parent[begin:end] = [folded("", *children, summary=summary, kind=kind)]


def fold_results(document):
    """Folds what follows a guess, up to the next guess or heading."""
    for parent in {id(node.parent): node.parent for node in document.findall(is_guess)}.values():
        end = len(parent)
        for position in reversed(range(len(parent))):
            if isinstance(parent[position], nodes.section):
                end = position
            elif is_guess(parent[position]):
                parent[position]["classes"].append("guess")
                fold(parent, position + 1, end, RESULTS, "results")
                end = position


def fold_solutions(document):
    """Folds what follows the statement of an exercise, from the first code cell on, up to the next statement."""
    for parent in {id(node.parent): node.parent for node in document.findall(is_statement)}.values():
        end = len(parent)
        for position in reversed(range(len(parent))):
            if is_statement(parent[position]):
                code = next((k for k in range(position, end) if is_code_cell(parent[k])), end)
                fold(parent, code, end, SOLUTION, "solution")
                end = position


def exercise_names(cell):
    """The names of the exercises that a code cell checks, such as "07.l2_step"."""
    tags = cell.get("cell_metadata", {}).get("tags", [])
    return CHECK.findall(cell[0].astext()) if "exercise" in tags else []


def anchor(name):
    """The anchor of an exercise: "exercise-07-l2-step" for "07.l2_step"."""
    return "exercise-" + re.sub(r"[._]", "-", name)


def number_exercises(document, docname):
    """Gives exercises their anchors and, in lessons, a box to tick and a link to the solution."""
    for cell in list(document.findall(is_code_cell)):
        section = cell.parent
        for name in exercise_names(cell):
            before = section.children[: section.index(cell)]
            place = next(filter(is_statement, reversed(before)), cell)
            target = nodes.target("", "", ids=[anchor(name)])
            document.note_explicit_target(target)
            section.insert(section.index(place), target)
            if "/solutions/" not in docname:
                page = f"solutions/{docname.rpartition('/')[2]}.html#{anchor(name)}"
                html = (
                    f'<p class="tick"><label><input type="checkbox" data-exercise="{name}"> I have solved '
                    f'<code>{name}</code></label> <a href="{page}">Solution</a></p>'
                )
                section.insert(section.index(cell) + 1, nodes.raw("", html, format="html"))


def describe(cell):
    """What the lesson says before a figure: its section and the last paragraph above it, as an alternative text."""
    section, above = cell.parent, ""
    while not isinstance(section, nodes.section) and section.parent is not None:
        section = section.parent
    title = section[0].astext() if section.children else ""
    for node in section.findall(lambda n: n is cell or isinstance(n, nodes.paragraph)):
        if node is cell:
            break
        above = node.astext()
    text = f"Figure of the section “{title}”. {above}".strip()
    return text if len(text) <= ALT_LENGTH else text[:ALT_LENGTH].rpartition(" ")[0] + " …"


def describe_figures(document):
    """Gives figures the alternative text of their cell, or the words of the lesson before them."""
    for cell in document.findall(is_code_cell):
        for image in cell.findall(nodes.image):
            image["alt"] = cell.get("cell_metadata", {}).get("alt") or describe(cell)


def add_bar(document, docname, repository):
    """Adds a line below the title: the part, downloads, buttons for the results and for printing, launch buttons."""
    name = docname.rpartition("/")[2]
    number = int(name[:2])
    part = next((title for title, numbers in PARTS if number in numbers), "")
    links = {"Download": f"../_sources/{docname}.ipynb", **launch_links(f"{name}.ipynb", repository)}
    items = [f'<a href="{href}"{" download" * (title == "Download")}>{title}</a>' for title, href in links.items()]
    items.append('<button type="button" data-do="print">Print or PDF</button>')
    if document.next_node(folded):
        items.append('<button type="button" data-do="open">Show all results</button>')
    html = f'<div class="lesson-bar"><span>{part}</span> {" ".join(items)}</div>'
    title = document.next_node(nodes.title)
    title.parent.insert(title.parent.index(title) + 1, nodes.raw("", html, format="html"))


def name_terms(document):
    """Gives terms of the glossary that have no Latin letters an anchor that holds them, in place of a number."""
    for term in document.findall(nodes.term):
        if re.fullmatch(r"term-\d+", term["ids"][0]):
            term["ids"].insert(0, "term-" + term.astext().replace(" ", "-"))


class CourseTransform(SphinxTransform):
    """Changes a lesson, a solution or the glossary after it was parsed."""

    default_priority = 900

    def apply(self):
        """Changes the page."""
        docname = self.env.docname
        if docname == "glossary":
            name_terms(self.document)
        if not re.fullmatch(r"notebooks/(solutions/)?\d\d_\w+", docname):
            return
        describe_figures(self.document)
        number_exercises(self.document, docname)
        if "/solutions/" in docname:
            fold_solutions(self.document)
        else:
            fold_results(self.document)
            add_bar(self.document, docname, self.config.course_repository)


def adapt_docstring(app, what, name, obj, options, lines):
    """Writes what docstrings have in common with Markdown as reStructuredText: code spans, and `*` before a name."""
    for number, line in enumerate(lines):
        line = re.sub(r"(?<![`:])`([^`\n]+)`(?!`)", r"``\1``", line)
        lines[number] = re.sub(r"(?<![\\*`\w])\*(?=\w)(?![^*]*\*)", r"\\*", line)


def add_folders(app, config):
    """Publishes what sources.py wrote beside the pages: MathJax, and the notebooks for Colab."""
    source = Path(app.srcdir)
    config.html_static_path += [str(source / "_static")] if (source / "_static").is_dir() else []
    config.html_extra_path += [str(source / "_extra")] if (source / "_extra").is_dir() else []


def setup(app):
    """Registers the extension with Sphinx."""
    app.setup_extension("sphinx.ext.autodoc")
    ignored = (lambda writer, node: None, lambda writer, node: None)
    app.add_config_value("course_repository", "", "env", str)  # a new address changes all lessons
    app.add_node(folded, html=(visit_folded, depart_folded), text=ignored, latex=ignored)
    app.add_transform(CourseTransform)
    app.connect("config-inited", add_folders)
    app.connect("autodoc-process-docstring", adapt_docstring)
    version = zlib.crc32(Path(__file__).read_bytes())  # Sphinx reads all pages again when this file has changed
    return {"env_version": version, "parallel_read_safe": True, "parallel_write_safe": True}
