"""Tiny lessons for the tests of the tools."""

import nbformat

HEAD = """# {number:02d} · {topic}

*{question}*

**After this lesson you can**

- do something.

**Time:** about {time} to read and try; all cells together run for about 5 s on two processor cores."""


def write_lesson(folder, number, topic="Some topic", *, question="Is it so?", time="40 minutes", head=None, cells=()):
    """Writes a notebook whose first cell has this content and returns its path."""
    folder.mkdir(exist_ok=True)
    head = head or HEAD.format(number=number, topic=topic, question=question, time=time)
    path = folder / f"{number:02d}_lesson.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(head), *cells]), path)
    return path
