"""The copy of the lessons that a student works in.

The lessons in `notebooks/` hold the outputs of a run, so the answer to a question would stand directly below it, and
a student who works in them changes files that the next update needs to change too. Students therefore work in a copy
without outputs. The SHA-256 of every file that is written into the copy is recorded; a file with any other content is
a student's work and is never overwritten.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from pathlib import Path, PurePosixPath

from ipykernel.ipkernel import IPythonKernel
from ipykernel.kernelspec import get_kernel_dict

FIRST_LESSON = "00_start_here.ipynb"
STATE_FOLDER = ".lab"  # in the copy: what was copied, JupyterLab's settings and its layout
_LINK = re.compile(r'(\]\(|src=")([^)"#\s]+)')


def update_copy(project, folder):
    """Copies new lessons, updates those that the student has not changed, and leaves all others as they are.

    Returns lines that report what was done. Raises an OSError or ValueError, before anything is changed, where `folder`
    cannot hold the copy.
    """
    _check_folder(project, folder)
    files = _files_to_copy(project)
    record = _read_record(folder)
    new, updated, conflicting, removed = [], [], [], []
    for name, (content, stamp) in files.items():
        path, written = folder / name, record.get(name, {})
        found = _sha256(path.read_bytes()) if path.is_file() else None
        if found not in (None, _sha256(content), written.get("written")):
            if written.get("stamp") != stamp:
                conflicting.append(name)
            continue
        if found != _sha256(content):
            _write_atomically(folder, name, content)
            (updated if found else new).append(name)
        record[name] = {"written": _sha256(content), "stamp": stamp}
    for name in sorted(set(record) - set(files)):  # renamed or removed in the curriculum
        path = folder / name
        if path.is_file() and _sha256(path.read_bytes()) == record[name]["written"]:
            path.unlink()
        elif path.exists():
            removed.append(name)
        del record[name]
    _write_atomically(folder, f"{STATE_FOLDER}/copied.json", json.dumps(record, indent=1).encode())
    return _report(folder, files, new, updated, conflicting, removed)


def _check_folder(project, folder):
    originals = (project / "notebooks").resolve()
    if folder.resolve() == project.resolve() or folder.resolve().is_relative_to(originals):
        raise ValueError(f"{folder} holds the original lessons. Name another folder for your copy with --folder.")
    try:
        _write_atomically(folder, f"{STATE_FOLDER}/writable", b"")
    except OSError as error:
        raise OSError(
            f"{folder} cannot be written to ({error.strerror}). Make it writable, or name another folder with --folder."
        ) from error


def _files_to_copy(project):
    """The files of a copy: {path: (content, stamp)}, where the stamp changes when the source of the lesson changes.

    Pages that lessons link to, such as the README, are copied to `pages/`.
    """
    files, pages = {}, []
    lessons = sorted(project.glob("notebooks/[0-9][0-9]_*.ipynb"))
    for path in [*lessons, *sorted(project.glob("notebooks/solutions/[0-9][0-9]_*.ipynb"))]:
        source = path.relative_to(project)
        notebook = _student_version(path, clear=path.parent.name == "notebooks")
        for cell in notebook["cells"]:
            if cell["cell_type"] == "markdown":
                cell["source"] = _rewrite_links("".join(cell["source"]), source, project, pages)
        stamp = _sha256(json.dumps([[c["cell_type"], "".join(c["source"])] for c in notebook["cells"]]).encode())
        content = json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
        files[_path_in_copy(source).as_posix()] = (content.encode(), stamp)
    for source in pages:  # grows while pages are read
        content = (project / source).read_bytes()
        if source.suffix == ".md":
            content = _rewrite_links(content.decode(), source, project, pages).encode()
        files[_path_in_copy(source).as_posix()] = (content, _sha256(content))
    return files


def _student_version(path, *, clear):
    """A notebook as JupyterLab itself would save it, so that JupyterLab does not mark it as unsaved when it opens."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        if clear and cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None
    notebook["metadata"] = {
        "kernelspec": {"display_name": get_kernel_dict()["display_name"], "language": "python", "name": "python3"},
        "language_info": dict(sorted(IPythonKernel.language_info.items())),
    }
    return notebook


def _path_in_copy(source):
    """The path of a project file in the copy: in lessons/, solutions/ or pages/."""
    parts = source.parts
    if parts[:2] == ("notebooks", "solutions"):
        return PurePosixPath(*parts[1:])
    return PurePosixPath("lessons", *parts[1:]) if parts[0] == "notebooks" else PurePosixPath("pages", *parts)


def _rewrite_links(text, source, project, pages):
    """Markdown with relative links that work in the copy. Pages that it links to are appended to `pages`."""

    def relink(match):
        target = Path(os.path.normpath(source.parent / match[2]))
        if "://" in match[2] or target.parts[0] == ".." or not (project / target).exists():
            return match[0]
        if target.parts[0] != "notebooks" and (project / target).is_file() and target not in pages:
            pages.append(target)
        return match[1] + Path(os.path.relpath(_path_in_copy(target), _path_in_copy(source).parent)).as_posix()

    return _LINK.sub(relink, text)


def _read_record(folder):
    """The record of earlier runs. When it is lost or damaged, every changed file counts as a student's work."""
    try:
        return json.loads((folder / STATE_FOLDER / "copied.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _write_atomically(folder, name, content):
    """Writes a file under another name and renames it, so that it is complete or absent whatever happens meanwhile."""
    part = folder / STATE_FOLDER / f"part-{os.getpid()}"
    for path in (part, folder / name):
        path.parent.mkdir(parents=True, exist_ok=True)
    part.write_bytes(content)
    os.replace(part, folder / name)


def _sha256(content):
    return hashlib.sha256(content).hexdigest()


def _report(folder, files, new, updated, conflicting, removed):
    shown = folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder
    lessons = sum(name.startswith("lessons/") for name in files)
    solutions = sum(name.startswith("solutions/") for name in files)
    lines = [f"✓ {shown}: your copy of {lessons} lessons and {solutions} solutions."]
    if updated:
        lines.append(f"  Updated: {', '.join(updated)}.")
    if new and len(new) < len(files):
        lines.append(f"  New: {', '.join(new)}.")
    advice = "it is left as it is. To get the current version, rename yours and run `dlkit lab` again."
    lines += [f"– {name} has changed in the curriculum, and you have changed yours; {advice}" for name in conflicting]
    lines += [f"– {name} is no longer in the curriculum; yours is left as it is." for name in removed]
    damaged = [(name, _find_damage(folder / name)) for name in files if name.endswith(".ipynb")]
    lines += [f"✗ {name} in your copy is not a readable notebook ({why}); {advice}" for name, why in damaged if why]
    return lines


def _find_damage(path):
    """The reason why a file cannot be read as a notebook, or None."""
    try:
        json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        return error
