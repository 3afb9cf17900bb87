"""The student's own copy of the lessons, opened in JupyterLab: `dlkit lab`."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from dlkit.lab.copy import FIRST_LESSON, STATE_FOLDER, update_copy

FOLDER = "my-notebooks"
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


def run(folder=None, options=(), *, copy_only=False):
    """Updates the copy, reports what was done, and serves it in JupyterLab until JupyterLab is stopped.

    Args:
        folder: String or path, the folder of the copy, created where it is missing; default `my-notebooks` in the
            project.
        options: List of strings, further options for JupyterLab, such as `["--no-browser"]`.
        copy_only: Boolean, whether to stop before JupyterLab starts, default False.

    Returns:
        Integer, the exit status, 0 when all went well.

    Raises:
        OSError: If the folder is a file or cannot be written to. Nothing has been changed then.
        ValueError: If the lessons are not found, or the folder holds the originals.
    """
    project = _find_project()
    folder = Path(folder).expanduser().resolve() if folder else project / FOLDER
    for line in update_copy(project, folder):
        print(line, flush=True)
    return 0 if copy_only else _open(folder, options)


def _find_project():
    candidates = (Path(__file__).resolve().parents[2], Path.cwd())
    for folder in candidates:
        if (folder / "notebooks" / FIRST_LESSON).is_file():
            return folder
    raise ValueError(
        f"Expected notebooks/{FIRST_LESSON} in {candidates[1]}. Run `dlkit lab` in the folder of the curriculum."
    )


def _open(folder, options):
    """Serves the copy. It opens lesson 00 the first time, and the tabs that were open in later runs."""
    from jupyterlab.labapp import main
    from jupyterlab_server.workspaces_handler import WorkspacesManager

    state = folder / STATE_FOLDER
    (state / "settings").mkdir(exist_ok=True)
    (state / "settings" / "overrides.json").write_text(json.dumps(_SETTINGS, indent=1))
    arguments = [
        f"--ServerApp.root_dir={folder}",
        "--ContentsManager.preferred_dir=lessons",
        f"--LabApp.app_settings_dir={state / 'settings'}",
        f"--LabApp.workspaces_dir={state / 'workspaces'}",
    ]
    if not (state / "workspaces").exists():
        print(f"  Opening {FIRST_LESSON} in JupyterLab. Stop it here with Ctrl-C.", flush=True)
        WorkspacesManager(state / "workspaces").save("default", json.dumps(_LAYOUT))
        arguments.append(f"--LabApp.default_url=/lab/tree/lessons/{FIRST_LESSON}")
    else:
        print("  Opening JupyterLab with the tabs that were open. Stop it here with Ctrl-C.", flush=True)
    # JupyterLab's terminal finds `dlkit` and `python` of this environment. A login shell would reset the PATH.
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    if os.name == "posix":
        shell = os.environ.get("SHELL") or "/bin/sh"
        arguments.append(f"--ServerApp.terminado_settings={ {'shell_command': [shell]} }")
    return main([*arguments, *options]) or 0
