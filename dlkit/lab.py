"""The student's own copy of the lessons, opened in JupyterLab: `dlkit lab`, and what is solved in it.

The lessons in `notebooks/` hold the outputs of a run, so the answer to a question would stand directly below it, and
a student who works in them changes files that the next update needs to change too. Students therefore work in a copy
without outputs. The SHA-256 of every file that is written into the copy is recorded; a file with any other content is
a student's work and is never overwritten.
"""

import hashlib
import json
import os
import re
import sys
from pathlib import Path

from ipykernel.ipkernel import IPythonKernel
from ipykernel.kernelspec import get_kernel_dict

from dlkit.runtime.shell import project_folder

CHECK = re.compile(r'check\(\s*"(\d\d\.\w+)"')  # the name of an exercise, in the cell that checks it
FIRST_LESSON = "00_start_here.ipynb"
_STATE = ".lab"  # folder in the copy: what was copied, and JupyterLab's settings and tabs
_PARTS = (  # files of the project, their folder in the copy, and how their links change there
    ("notebooks/[0-9][0-9]_*.ipynb", "lessons", {"](../": "](../pages/", "](solutions/": "](../solutions/"}),
    ("notebooks/solutions/[0-9][0-9]_*.ipynb", "solutions", {"](../": "](../lessons/"}),
    ("benchmarks/*.md", "pages/benchmarks", {"](../notebooks/": "](../../lessons/"}),
    ("benchmarks/*.png", "pages/benchmarks", {}),
)
_ADVICE = "it is left as it is. To get the current version, rename yours and run `dlkit lab` again."
_SETTINGS = {
    "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False},
    "@jupyterlab/docmanager-extension:plugin": {"defaultViewers": {"markdown": "Markdown Preview"}},
    "@jupyterlab/filebrowser-extension:browser": {"showLastModifiedColumn": False},  # names of lessons need its width
}
_LAYOUT = {  # the file list is wide enough for the names of the lessons; columns left, main, right
    "data": {
        "layout-restorer:data": {
            "left": {"collapsed": False, "visible": True, "current": "filebrowser", "widgets": ["filebrowser"]},
            "relativeSizes": [0.24, 0.76, 0],
        }
    },
    "metadata": {"id": "default"},
}


def prepare(folder=None):
    """Updates the copy and reports what was done. Returns the options with which JupyterLab serves the copy.

    Without a folder it is `my-notebooks` in the project. Raises an OSError or ValueError if the copy cannot be made.
    """
    project = project_folder() or Path.cwd()
    if not (project / "notebooks" / FIRST_LESSON).is_file():
        raise ValueError(
            f"Expected notebooks/{FIRST_LESSON} in {project}. Run `dlkit lab` in the folder of the curriculum."
        )
    folder = _copy_folder(folder)
    for line in update_copy(project, folder):
        print(line, flush=True)
    state = folder / _STATE
    _write_atomically(folder, f"{_STATE}/settings/overrides.json", json.dumps(_SETTINGS).encode())
    options = [
        f"--ServerApp.root_dir={folder}",
        "--ContentsManager.preferred_dir=lessons",
        f"--LabApp.app_settings_dir={state / 'settings'}",
        f"--LabApp.workspaces_dir={state / 'workspaces'}",
    ]
    if not (state / "workspaces").exists():  # later runs open the tabs that were open before
        name = "default-37a8.jupyterlab-workspace"  # JupyterLab's name for it
        _write_atomically(folder, f"{_STATE}/workspaces/{name}", json.dumps(_LAYOUT).encode())
        options.append(f"--LabApp.default_url=/lab/tree/lessons/{FIRST_LESSON}")
    # JupyterLab's terminal finds `dlkit` and `python` of this environment.
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    return options


def progress(folder=None):
    """Lists the exercises that are solved in the copy, lesson by lesson.

    An exercise is solved when its cell, as it was last saved, shows ✓. A lesson under another name counts too, so what
    a student has solved stays solved after a new version of the lesson.

    Returns lines. Raises a ValueError if there is no copy.
    """
    folder = _copy_folder(folder)
    if not (folder / "lessons").is_dir():
        raise ValueError(f"Expected your copy of the lessons in {folder}. Run `dlkit lab` once, which makes it.")
    solved, unreadable = {}, []
    for path in sorted((folder / "lessons").glob("*.ipynb")):
        try:
            for name, is_solved in _saved_exercises(json.loads(path.read_text(encoding="utf-8"))):
                solved[name] = solved.get(name, False) or is_solved
        except (ValueError, KeyError, TypeError):
            unreadable.append(f"✗ lessons/{path.name} in your copy is not a readable notebook.")
    lines = [f"{folder.name}: {sum(solved.values())} of {len(solved)} exercises are solved, as you last saved them."]
    for lesson in sorted({name[:2] for name in solved}):
        names = [name for name in solved if name.startswith(lesson)]
        signs = "".join("✓" if solved[name] else "–" for name in names)
        still = ", ".join(name for name in names if not solved[name])
        lines.append(f"  {lesson} {signs}{f'  still to do: {still}' if still and '✓' in signs else ''}")
    return lines + unreadable


def _saved_exercises(notebook):
    """Pairs (name, whether it is solved) of the exercises in a notebook, from the outputs that it was saved with."""
    for cell in notebook["cells"]:
        if "exercise" in cell["metadata"].get("tags", []):
            shown = json.dumps(cell["outputs"], ensure_ascii=False)
            for name in CHECK.findall("".join(cell["source"])):
                yield name, f"{name}: ✓" in shown


def update_copy(project, folder):
    """Copies new lessons, updates those that the student has not changed, and leaves all others as they are.

    Returns lines that report what was done. Raises a ValueError if `folder` holds the original lessons.
    """
    originals = (project / "notebooks").resolve()
    if folder.resolve() == project.resolve() or folder.resolve().is_relative_to(originals):
        raise ValueError(f"{folder} holds the original lessons. Name another folder for your copy with --folder.")
    files, record = _files_to_copy(project), _read_record(folder)
    new, updated, kept = [], [], []
    for name, (content, stamp) in files.items():
        path, written = folder / name, record.get(name, {})
        found = _sha256(path.read_bytes()) if path.is_file() else None
        if found not in (None, _sha256(content), written.get("written")):  # a student's work
            if name.endswith(".ipynb") and not _is_json(path):
                kept.append(f"✗ {name} in your copy is not a readable notebook; {_ADVICE}")
            elif written.get("stamp") != stamp:
                kept.append(f"– {name} has changed in the curriculum, and you have changed yours; {_ADVICE}")
            continue
        if found != _sha256(content):
            _write_atomically(folder, name, content)
            (updated if found else new).append(name)
        record[name] = {"written": _sha256(content), "stamp": stamp}
    for name in sorted(set(record) - set(files)):  # renamed or removed in the curriculum
        path, written = folder / name, record.pop(name)["written"]
        if path.is_file() and _sha256(path.read_bytes()) == written:
            path.unlink()
        elif path.exists():
            kept.append(f"– {name} is no longer in the curriculum; yours is left as it is.")
    _write_atomically(folder, f"{_STATE}/copied.json", json.dumps(record, indent=1).encode())
    lessons, solutions = (sum(name.startswith(part) for name in files) for part in ("lessons/", "solutions/"))
    lines = [f"✓ {folder.name}: your copy of {lessons} lessons and {solutions} solutions."]
    if updated:
        lines.append(f"  Updated: {', '.join(updated)}.")
    if new and len(new) < len(files):
        lines.append(f"  New: {', '.join(new)}.")
    return lines + kept


def _copy_folder(folder):
    return Path(folder or (project_folder() or Path.cwd()) / "my-notebooks").expanduser().resolve()


def _files_to_copy(project):
    """The files of a copy: {path: (content, stamp)}, where the stamp changes when the source of the lesson changes."""
    files = {}
    for pattern, folder, links in _PARTS:
        for path in sorted(project.glob(pattern)):
            content = stamp = path.read_bytes()
            if path.suffix == ".md":
                content = stamp = _change_links(content.decode(), links).encode()
            elif path.suffix == ".ipynb":
                notebook = _student_version(json.loads(content), links, clear=folder == "lessons")
                content = (json.dumps(notebook, indent=1, ensure_ascii=False) + "\n").encode()
                sources = [[cell["cell_type"], "".join(cell["source"])] for cell in notebook["cells"]]
                stamp = json.dumps(sources).encode()
            files[f"{folder}/{path.name}"] = (content, _sha256(stamp))
    return files


def _student_version(notebook, links, *, clear):
    """A notebook as JupyterLab itself would save it, so that JupyterLab does not mark it as unsaved when it opens."""
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            cell["source"] = _change_links("".join(cell["source"]), links)
        elif clear and cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None
    notebook["metadata"] = {
        "kernelspec": {"display_name": get_kernel_dict()["display_name"], "language": "python", "name": "python3"},
        "language_info": dict(sorted(IPythonKernel.language_info.items())),
    }
    return notebook


def _change_links(text, links):
    for old, new in links.items():
        text = text.replace(old, new)
    return text


def _read_record(folder):
    """The record of earlier runs. When it is lost or damaged, every changed file counts as a student's work."""
    try:
        return json.loads((folder / _STATE / "copied.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _is_json(path):
    try:
        return bool(json.loads(path.read_text(encoding="utf-8")))
    except ValueError:
        return False


def _write_atomically(folder, name, content):
    """Writes a file under another name and renames it, so that it is complete or absent whatever happens meanwhile."""
    part = folder / _STATE / f"part-{os.getpid()}"
    for path in (part, folder / name):
        path.parent.mkdir(parents=True, exist_ok=True)
    part.write_bytes(content)
    os.replace(part, folder / name)


def _sha256(content):
    return hashlib.sha256(content).hexdigest()
