"""The repository's address, the exercises of a lesson, and what follows from them: links and notebooks for Colab."""

from __future__ import annotations

import json
import posixpath
import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # for `python site/sources.py`

from dlkit.lab import CHECK  # noqa: E402
from tools.notebooks import code_cells, read  # noqa: E402

BRANCH = "main"
SITE_BRANCH = "gh-pages"  # the workflow puts the site there, with the notebooks for Colab
COLAB_CELL = """\
# Run this cell first: it installs the course on Colab's computer, which takes some minutes.
# Then choose Runtime > Restart session, and continue with the next cell.
!git clone --quiet --depth 1 {address} curriculum
%pip install --quiet --editable "curriculum[lab]\""""


def repository(root=ROOT):
    """The address of the repository on GitHub, from `[tool.site]` in pyproject.toml; "" where it is not set."""
    address = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["tool"]["site"]["repository"].rstrip("/")
    if address and not re.fullmatch(r"https://github\.com/[\w.-]+/[\w.-]+", address):
        raise ValueError(
            f'Expected the repository in [tool.site] of pyproject.toml to be "" or like '
            f'"https://github.com/OWNER/NAME". Received: {address!r}.'
        )
    return address


def exercises(path):
    """The names of a notebook's exercises in order, such as "07.l2_step"."""
    sources = [cell.source for cell in code_cells(read(path)) if "exercise" in cell.metadata.get("tags", [])]
    return [name for source in sources for name in CHECK.findall(source)]


def launch_links(name, address):
    """{title: address} of the services that open a lesson, such as "07_overfitting.ipynb"; {} without a repository."""
    if not address:
        return {}
    place = address.removeprefix("https://github.com/")
    lab = f"urlpath=lab%2Ftree%2Fmy-notebooks%2Flessons%2F{name}"
    return {
        "Open in Colab": f"https://colab.research.google.com/github/{place}/blob/{SITE_BRANCH}/colab/{name}",
        "Open in Binder": f"https://mybinder.org/v2/gh/{place}/{BRANCH}?{lab}",
    }


def colab_notebook(path, address):
    """The text of a lesson for Colab: without results, its links complete, and with a first cell that installs it."""
    notebook = json.loads(path.read_text("utf-8"))

    def absolute(match):
        target = posixpath.normpath(f"notebooks/{match[1]}")
        return f"]({address}/blob/{BRANCH}/{target})"

    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None
        else:
            cell["source"] = re.sub(r"\]\((?!\w+:|#)([^)\s]+)\)", absolute, "".join(cell["source"]))
    badge = "[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]({})"
    first = [
        {"cell_type": "markdown", "id": "colab-badge", "metadata": {}},
        {"cell_type": "code", "id": "colab-setup", "metadata": {}, "outputs": [], "execution_count": None},
    ]
    first[0]["source"] = badge.format(launch_links(path.name, address)["Open in Colab"])
    first[1]["source"] = COLAB_CELL.format(address=address)
    notebook["cells"] = first + notebook["cells"]
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
