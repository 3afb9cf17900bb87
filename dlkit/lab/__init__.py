"""The student's own copy of the lessons, opened in JupyterLab: `dlkit lab`."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from dlkit.lab.copy import FIRST_LESSON, STATE_FOLDER, update_copy
from dlkit.runtime.shell import project_folder

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

    Without a folder it is `my-notebooks` in the project; `options` are further options for JupyterLab. Returns the exit
    status. Raises an OSError or ValueError, and has changed nothing, where the copy cannot be made.
    """
    project = project_folder() or Path.cwd()
    if not (project / "notebooks" / FIRST_LESSON).is_file():
        raise ValueError(
            f"Expected notebooks/{FIRST_LESSON} in {project}. Run `dlkit lab` in the folder of the curriculum."
        )
    folder = Path(folder).expanduser().resolve() if folder else project / FOLDER
    for line in update_copy(project, folder):
        print(line, flush=True)
    return 0 if copy_only else _open(folder, options)


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
    print("  Opening JupyterLab. Stop it here with Ctrl-C.", flush=True)
    if not (state / "workspaces").exists():
        WorkspacesManager(state / "workspaces").save("default", json.dumps(_LAYOUT))
        arguments.append(f"--LabApp.default_url=/lab/tree/lessons/{FIRST_LESSON}")
    # JupyterLab's terminal finds `dlkit` and `python` of this environment. A login shell would reset the PATH.
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    if os.name == "posix":
        shell = os.environ.get("SHELL") or "/bin/sh"
        arguments.append(f"--ServerApp.terminado_settings={ {'shell_command': [shell]} }")
    return main([*arguments, *options]) or 0
