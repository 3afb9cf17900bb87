"""What the pages of the site are filled with: made from the lessons, the glossary, the data sheets and docstrings.

A function `fill_NAME(root, lessons)` returns the Markdown for `<!-- fill: NAME -->`.
"""

from __future__ import annotations

import ast
import csv
import re

import yaml
from course import exercises, launch_links, repository

from tools.lessons_table import PARTS

NOT_IN_API = ("boxes", "cli", "doctor", "lab", "validation")  # commands, and what dlkit uses inside


def _duration(minutes):
    hours, rest = divmod(minutes, 60)
    return " ".join(text for text, count in ((f"{hours} h", hours), (f"{rest} min", rest)) if count)


def _parts(lessons):
    """[(title, lessons)] of the parts that have lessons."""
    parts = [(title, [lesson for lesson in lessons if lesson.number in numbers]) for title, numbers in PARTS]
    return [(title, members) for title, members in parts if members]


def split_readme(root):
    """README in two parts: what the landing page begins with, and the rest, a page of its own."""
    intro, heading, rest = (root / "README.md").read_text("utf-8").partition("## Installation\n")
    if not heading:
        raise ValueError(
            "Expected the heading '## Installation' in README.md. What comes before it is the landing page."
        )
    return intro.strip(), f"# Install and use\n\n{heading}{rest}"


def fill_intro(root, lessons):
    """The beginning of README: its title, what the course is, and the picture."""
    return split_readme(root)[0]


def fill_parts(root, lessons):
    """The lessons, part by part: topic with a link, question, time, and a place for the reader's progress."""
    blocks = []
    for title, members in _parts(lessons):
        lines = [f"### {title}", "", "| | Lesson | Time |", "|---|---|---|"]
        for lesson in members:
            names = ",".join(exercises(root / "notebooks" / lesson.file))
            progress = f'<span class="course-progress" data-exercises="{names}"></span>'
            cell = f"[{lesson.topic}](notebooks/{lesson.file}) {progress}<br>{lesson.question}".replace("|", "\\|")
            lines.append(f"| {lesson.number:02d} | {cell} | {lesson.minutes}\N{NO-BREAK SPACE}min |")
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


def fill_paths(root, lessons):
    """README's paths through the lessons, each as a box with its time and the topics of its lessons."""
    topics = {f"{lesson.number:02d}": lesson.topic for lesson in lessons}
    listed = (root / "README.md").read_text("utf-8").partition("<!-- /lessons -->")[0]
    boxes = []
    for name, time, text in re.findall(r"^- \*\*(.+?)\*\* \((.+?)\): (.+)$", listed, re.MULTILINE):
        links = re.findall(r"\[(\d\d)\](\([^)]+\))", text)
        members = "\n".join(f"- [{topics[number]}]{target}" for number, target in links)
        boxes.append(f":::{{container}} path\n**{name}** · {time}\n\n{members or text[:1].upper() + text[1:]}\n:::")
    return "::::{container} paths\n" + "\n".join(boxes) + "\n::::"


def fill_toctrees(root, lessons):
    """The contents of the sidebar: the lessons in their parts, then the other pages."""
    parts = [(title, [f"notebooks/{lesson.file}" for lesson in members]) for title, members in _parts(lessons)]
    groups = [
        ("Use it", ["try", "README", "faq", "updating", "notebooks/solutions/index"]),
        ("Look it up", ["glossary", "api/index", "data/README", "benchmarks/README", "benchmarks/RESULTS"]),
        ("The project", ["CONTRIBUTING", "CHANGELOG", "licenses", "cite"]),
    ]
    blocks = []
    for title, pages in parts + groups:
        lines = ["```{toctree}", ":hidden:", ":maxdepth: 1", f":caption: {title}", "", *pages, "```"]
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


def fill_solutions(root, lessons):
    """Links to the solutions, which a hidden table of contents lists too."""
    files = sorted(path.name for path in (root / "notebooks" / "solutions").glob("[0-9][0-9]_*.ipynb"))
    topics = {lesson.file: f"{lesson.number:02d} · {lesson.topic}" for lesson in lessons}
    links = "\n".join(f"- [{topics.get(name, name)}]({name})" for name in files)
    return links + "\n\n```{toctree}\n:hidden:\n\n" + "\n".join(files) + "\n```"


def fill_glossary(root, lessons):
    """The glossary: each term in English and Chinese, its definition, and the lesson that introduces it."""
    files = {f"{lesson.number:02d}": lesson.file for lesson in lessons}
    entries = []
    with (root / "dlkit/data/files/glossary.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            terms = dict.fromkeys((row["term"], row["chinese"]))
            number = row["notebook"]
            link = f" Lesson [{number}](notebooks/{files[number]})." if number in files else ""
            entries.append("\n".join([*terms, f"  {row['definition']}{link}"]))
    return "```{glossary}\n" + "\n\n".join(entries) + "\n```"


def fill_data_terms(root, lessons):
    """Name, source and terms of each data set, from the data sheets."""
    sheets = (root / "data/README.md").read_text("utf-8").partition("## Data sheets")[2]
    rows = [line.strip(" |").split(" | ") for line in sheets.split("\n\n")[1].splitlines()]
    wanted = [rows[0].index(title) for title in ("name", "source", "terms")]
    table = [[row[column] for column in wanted] for row in (rows[0], *rows[2:])]
    lines = [f"| {' | '.join(row)} |" for row in table]
    return "\n".join([lines[0], "|---|---|---|", *lines[1:]])


def fill_citation(root, lessons):
    """CITATION.cff as an entry for BibTeX."""
    cited = yaml.safe_load((root / "CITATION.cff").read_text("utf-8"))
    year = str(cited["date-released"])[:4]
    fields = {"title": cited["title"], "author": " and ".join(f"{{{author['name']}}}" for author in cited["authors"])}
    fields |= {"version": str(cited["version"]), "year": year, "note": f"License: {cited['license']}"}
    if address := repository(root):
        fields["url"] = address
    lines = [f"  {name} = {{{value}}}," for name, value in fields.items()]
    return "\n".join(["```bibtex", f"@software{{dlkit{year},", *lines, "}", "```"])


def fill_launch(root, lessons):
    """How to open a lesson in Colab and Binder, or why the buttons are missing."""
    if not (address := repository(root)):
        return (
            "The buttons for Colab and Binder are left out here, because these services fetch the course from its "
            "repository and this site was built without the repository's address. Whoever publishes the site sets it "
            'once: `repository = "https://github.com/OWNER/NAME"` below `[tool.site]` in `pyproject.toml`. The next '
            "`make site` then adds both buttons to every lesson."
        )
    links = " or ".join(f"[{title}]({link})" for title, link in launch_links(lessons[0].file, address).items())
    return (
        f"Each lesson has two buttons below its title; for the first lesson they are {links}. In Colab, run the first "
        "cell and then restart the session, as the cell says. Binder prepares a computer for you, which takes some "
        "minutes, and then shows your own copy of the lessons."
    )


def api_pages(root):
    """{page: Markdown} of the public names of dlkit, one page for each of its parts; the text comes from docstrings."""
    pages, parts = {}, []
    for path in sorted((root / "dlkit").glob("*")):
        file = path / "__init__.py" if path.is_dir() else path
        if path.name.startswith("_") or file.suffix != ".py" or not file.is_file() or path.stem in NOT_IN_API:
            continue
        name, tree = f"dlkit.{path.stem}", ast.parse(file.read_text("utf-8"))
        if functions := _public_names(tree):
            directives = "\n".join(f".. {kind}:: {name}.{function}" for function, kind in functions)
            pages[f"api/{name}.md"] = f"# {name}\n\n```{{eval-rst}}\n.. automodule:: {name}\n\n{directives}\n```\n"
            parts.append((name, ast.get_docstring(tree).partition("\n")[0]))
    table = "\n".join(f"| [{name}]({name}.md) | {about} |" for name, about in parts)
    tree = "```{toctree}\n:hidden:\n\n" + "\n".join(name for name, _ in parts) + "\n```"
    text = (root / "site" / "api.md").read_text("utf-8").replace("<!-- fill: api -->", f"{table}\n\n{tree}")
    return {"api/index.md": text, **pages}


def _public_names(tree):
    """[(name, directive)] of the functions and classes that a module offers, in alphabetical order."""
    imported = [node for node in tree.body if isinstance(node, ast.ImportFrom) and node.module.startswith("dlkit.")]
    names = {alias.name for node in imported for alias in node.names}
    lists = [n.value for n in tree.body if isinstance(n, ast.Assign) and ast.unparse(n.targets[0]) == "__all__"]
    defined = {node.name for node in tree.body if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
    if lists:
        names = set(ast.literal_eval(lists[0]))
    elif defined:
        names = defined
    public = sorted(name for name in names if not name.startswith("_") and not name.isupper())
    return [(name, "autoclass" if name[0].isupper() else "autofunction") for name in public]


FILLS = {name.removeprefix("fill_"): value for name, value in list(globals().items()) if name.startswith("fill_")}
