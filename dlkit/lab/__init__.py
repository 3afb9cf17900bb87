"""The student's own copy of the lessons, opened in JupyterLab: `dlkit lab`."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from dlkit.lab.copy import FIRST, STATE, update_copy

FOLDER = "my-notebooks"
_SETTINGS = {
    "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False},
    "@jupyterlab/docmanager-extension:plugin": {"defaultViewers": {"markdown": "Markdown Preview"}},
    "@jupyterlab/filebrowser-extension:browser": {"showLastModifiedColumn": False},  # long names need its width
}
_LAYOUT = {  # a file list in which the names of the lessons can be read; columns left, main, right
    "data": {
        "layout-restorer:data": {
            "left": {"collapsed": False, "visible": True, "current": "filebrowser", "widgets": ["filebrowser"]},
            "relativeSizes": [0.24, 0.76, 0],
        }
    },
    "metadata": {"id": "default"},
}


def run(folder=None, options=(), *, copy_only=False):
    """Brings the copy up to date, says what was done, and serves it in JupyterLab until that is stopped.

    Args:
        folder: path of the copy, made where it is missing; `my-notebooks` in the project by default.
        options: list of further options for JupyterLab, such as `["--no-browser"]`.
        copy_only: True stops before JupyterLab.

    Returns:
        Exit status, 0 when all went well.

    Raises:
        OSError: when the folder is a file or cannot be written to. Nothing has been changed then.
        ValueError: when the lessons are not found, or the folder holds the originals.
    """
    project = _project()
    folder = Path(folder).expanduser().resolve() if folder else project / FOLDER
    for line in update_copy(project, folder):
        print(line, flush=True)
    return 0 if copy_only else _open(folder, options)


def _project():
    places = (Path(__file__).resolve().parents[2], Path.cwd())
    for place in places:
        if (place / "notebooks" / FIRST).is_file():
            return place
    raise ValueError(f"Expected notebooks/{FIRST} in {places[1]}. Run `dlkit lab` in the folder of the curriculum.")


def _open(folder, options):
    """Serves the copy: lesson 00 the first time, later the tabs that were open."""
    from jupyterlab.labapp import main
    from jupyterlab_server.workspaces_handler import WorkspacesManager

    state = folder / STATE
    (state / "settings").mkdir(exist_ok=True)
    (state / "settings" / "overrides.json").write_text(json.dumps(_SETTINGS, indent=1))
    arguments = [
        f"--ServerApp.root_dir={folder}",
        "--ContentsManager.preferred_dir=lessons",
        f"--LabApp.app_settings_dir={state / 'settings'}",
        f"--LabApp.workspaces_dir={state / 'workspaces'}",
    ]
    if not (state / "workspaces").exists():
        print(f"  Opening {FIRST} in JupyterLab. Stop it here with Ctrl-C.", flush=True)
        WorkspacesManager(state / "workspaces").save("default", json.dumps(_LAYOUT))
        arguments.append(f"--LabApp.default_url=/lab/tree/lessons/{FIRST}")
    else:
        print("  Opening JupyterLab with the tabs that were open. Stop it here with Ctrl-C.", flush=True)
    # `dlkit` and `python` in JupyterLab's terminal are those of this environment. A login shell would reset the PATH.
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    if os.name == "posix":
        shell = os.environ.get("SHELL") or "/bin/sh"
        arguments.append(f"--ServerApp.terminado_settings={ {'shell_command': [shell]} }")
    return main([*arguments, *options]) or 0
