"""Generates the table of lessons in README.md from the first cell of each notebook.

python -m tools.lessons_table            writes it into README.md
python -m tools.lessons_table --check    exits with 1 when README.md differs
"""

from __future__ import annotations

import argparse
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from tools.notebooks import ROOT, read

BEGIN, END = "<!-- lessons -->", "<!-- /lessons -->"

# Title of each part, and the numbers of its lessons.
PARTS = (
    ("0 · Start here", range(0, 1)),
    ("I · Foundations", range(1, 9)),
    ("II · Vision", range(9, 13)),
    ("III · Transfer learning", range(13, 16)),
    ("IV · Sequences and language", range(16, 21)),
    ("V · Practice", range(21, 27)),
    ("VI · Beyond images and words", range(27, 39)),  # shown once one of them exists
)
# Shorter paths through the lessons, for readers with less time or one interest.
PATHS = (
    ("One day", (0, 1, 5, 9, 13)),
    ("Just for your own photographs", (0, 5, 6, 9, 10, 13, 14, 22, 28)),
)


@dataclass(frozen=True)
class Lesson:
    """What the first cell of a notebook says about its lesson."""

    file: str
    number: int
    topic: str
    question: str
    minutes: int


def read_lesson(path):
    """Reads topic, question and time from the first cell of a lesson.

    Args:
        path: Path of a notebook whose first cell begins with `# NN · Topic`, an empty line and `*Question?*`, and has a
            line `**Time:** about 20 minutes to read and try` ("about an hour" counts as 60 minutes).

    Returns:
        A `Lesson`.

    Raises:
        ValueError: If one of the three is missing. The message names the notebook.
    """
    path = Path(path)
    cells = read(path).cells
    lines = cells[0].source.splitlines() if cells else []
    title = re.fullmatch(r"# (\d\d) · (.+)", lines[0]) if lines else None
    question = re.fullmatch(r"\*([^*]+\?)\*", lines[2]) if len(lines) > 2 else None
    times = [re.match(r"\*\*Time:\*\* about (?:(\d+) minutes|an hour) to read and try", line) for line in lines]
    time = next(filter(None, times), None)
    expected = {
        "a first line like '# 05 · Topic'": title,
        "a third line like '*Question?*'": question,
        "a line like '**Time:** about 20 minutes to read and try' or '**Time:** about an hour to read and try'": time,
    }
    if missing := [text for text, found in expected.items() if not found]:
        begin = "\n".join(lines[:3])
        raise ValueError(f"{path.name}: expected {' and '.join(missing)} in the first cell. Received:\n{begin}")
    return Lesson(path.name, int(title[1]), title[2], question[1], int(time[1] or 60))


def make_table(lessons, folder="notebooks"):
    """Makes a table of the lessons, part by part, and a list of the time that all of them and some paths take.

    Args:
        lessons: List of `Lesson`.
        folder: String, the folder of the notebooks in the links, default "notebooks".

    Returns:
        String, Markdown without the markers.

    Raises:
        ValueError: If a lesson does not belong to any part.
    """
    parts = [(title, [lesson for lesson in lessons if lesson.number in numbers]) for title, numbers in PARTS]
    listed = {lesson for _, members in parts for lesson in members}
    if unlisted := [lesson.file for lesson in lessons if lesson not in listed]:
        raise ValueError(
            f"Expected lessons that belong to a part. Received: {', '.join(unlisted)}. Add them to PARTS in {__file__}."
        )
    rows = [row for title, members in parts if members for row in _rows(title, members, folder)]
    table = "\n".join(["| | Topic | Question | Time |", "|---|---|---|---|", *rows])
    paths = [_path(name, [lesson for lesson in lessons if lesson.number in numbers], folder) for name, numbers in PATHS]
    total = sum(lesson.minutes for lesson in lessons)
    term = f"- **A term** ({_duration(total)}): all {len(lessons)} lessons in this order, two a week."
    return table + "\n\n" + "\n".join([*filter(None, paths), term])


def _rows(title, lessons, folder):
    """The rows of one part: its title and total time, but for "Start here", and one row for each lesson."""
    rows = [f"| | **{title}** | | **{_duration(sum(lesson.minutes for lesson in lessons))}** |"]
    rows = [] if lessons[0].number == 0 else rows
    for lesson in lessons:
        topic, question = (text.replace("|", "\\|") for text in (lesson.topic, lesson.question))
        rows.append(f"| {_link(lesson, folder)} | {topic} | {question} | {lesson.minutes}\N{NO-BREAK SPACE}min |")
    return rows


def _path(name, lessons, folder):
    """A line with the lessons of a path; an empty string when none of them exists."""
    time = _duration(sum(lesson.minutes for lesson in lessons))
    return f"- **{name}** ({time}): {', '.join(_link(lesson, folder) for lesson in lessons)}." if lessons else ""


def _link(lesson, folder):
    return f"[{lesson.number:02d}]({folder}/{lesson.file})"


def _duration(minutes):
    """Minutes as text that does not wrap, such as "1 h 40 min"."""
    hours, rest = divmod(minutes, 60)
    text = " ".join(text for text, count in ((f"{hours} h", hours), (f"{rest} min", rest)) if count)
    return text.replace(" ", "\N{NO-BREAK SPACE}")


def insert(document, table):
    """Puts a table between the two markers of a document.

    Args:
        document: String, Markdown.
        table: String, what to put between the markers.

    Returns:
        String, the new document.

    Raises:
        ValueError: If the document does not have both markers, once each and in order.
    """
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end or document.count(BEGIN) != 1 or document.count(END) != 1:
        raise ValueError(f"Expected the markers {BEGIN} and {END}, once each and in this order. Insert them again.")
    return f"{before}{BEGIN}\n{table}\n{END}{after}"


def main(arguments=None, *, root=ROOT):
    """Writes the table into README.md, or checks it.

    Args:
        arguments: List of strings, default those of the command line.
        root: `Path` of the folder that holds README.md and notebooks/.

    Returns:
        Integer, the exit status: 0 when README.md is up to date, 1 when `--check` found that it is not.
    """
    parser = argparse.ArgumentParser(prog="python -m tools.lessons_table", description="the lessons in README.md")
    parser.add_argument("--check", action="store_true", help="change nothing; exit with 1 when README.md differs")
    options = parser.parse_args(arguments)
    readme = root / "README.md"
    old = readme.read_text(encoding="utf-8")
    lessons = [read_lesson(path) for path in sorted((root / "notebooks").glob("[0-9][0-9]_*.ipynb"))]
    new = insert(old, make_table(lessons))
    if new == old:
        print("README.md has the current table of lessons.")
        return 0
    if options.check:
        print("README.md differs from the notebooks. Update it: python -m tools.lessons_table", file=sys.stderr)
        return 1
    readme.write_text(new, encoding="utf-8")
    print("README.md: the table of lessons was updated.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
