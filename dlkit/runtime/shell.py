"""Commands that a user can paste: they name this Python and use the syntax of this shell. Standard library only."""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path


def kind():
    """The kind of shell that started this process: "sh", "powershell" or "cmd", by the variables that these set."""
    if sys.platform != "win32" or "MSYSTEM" in os.environ:  # Git Bash sets MSYSTEM
        return "sh"
    return "cmd" if "PROMPT" in os.environ else "powershell"


def join_command(*words):
    """A program and its arguments as one line, in which each word is quoted where this shell needs it."""
    if kind() == "sh":
        return shlex.join(words)
    line = subprocess.list2cmdline(words)
    # PowerShell prints a quoted name instead of running it, unless & precedes it.
    return f"& {line}" if kind() == "powershell" and line.startswith('"') else line


def python_command(*arguments):
    """The command that runs the Python of this process."""
    return join_command(sys.executable or "python", *arguments)


def dlkit_command(*arguments):
    """The command that runs `dlkit` with the Python of this process, given its arguments as strings.

    It is short, as in "dlkit data fetch mnist", where the `dlkit` on the PATH lies next to this Python; otherwise it
    begins with the path of this Python.
    """
    found = shutil.which("dlkit")
    if found and Path(found).absolute().parent == Path(sys.executable or "python").absolute().parent:
        return join_command("dlkit", *arguments)
    return python_command("-m", "dlkit", *arguments)


def set_variable_command(name, value):
    """The command that sets an environment variable in this shell."""
    form = {"sh": "export {}={}", "powershell": '$env:{} = "{}"', "cmd": "set {}={}"}[kind()]
    return form.format(name, shlex.quote(value) if kind() == "sh" else value)


def unset_variable_command(name):
    """The command that removes an environment variable in this shell."""
    return f"unset {name}" if kind() == "sh" else set_variable_command(name, "")


def project_folder():
    """The folder of the project that this package is used from, as a `Path`; None where only dlkit is installed."""
    folder = Path(__file__).resolve().parents[2]
    return folder if (folder / "pyproject.toml").exists() else None


def pip_install_command(*requirements):
    """The command that installs packages for the Python of this process, in the project's versions, from any folder.

    Without requirements it installs everything that the project needs, which is known only where there is a
    `project_folder`. Options of pip may precede them.
    """
    folder = project_folder()
    if folder is None:
        return python_command("-m", "pip", "install", *requirements)
    everything = ("-r", str(folder / "requirements.txt"), "-e", str(folder))
    constraints = ("-c", str(folder / "constraints.txt"))
    return python_command("-m", "pip", "install", *(requirements or everything), *constraints)
