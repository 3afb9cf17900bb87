"""Commands that a user can paste: they name this Python and use the syntax of this shell. Standard library only."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
from pathlib import Path

# How each shell sets and removes an environment variable, and deletes a file.
_SYNTAX = {
    "sh": ("export {name}={value}", "unset {name}", "rm {value}"),  # bash and zsh too
    "fish": ("set -x {name} {value}", "set -e {name}", "rm {value}"),
    "powershell": ('$env:{name} = "{value}"', "Remove-Item Env:{name}", "Remove-Item {value}"),
    "cmd": ("set {name}={value}", "set {name}=", "del {value}"),
}


def kind():
    """The kind of shell that started this process, a key of `_SYNTAX`, recognized by the variables that shells set."""
    if sys.platform == "win32" and "MSYSTEM" not in os.environ:  # Git Bash sets MSYSTEM
        return "cmd" if "PROMPT" in os.environ else "powershell"
    if sys.platform != "win32" and "PSModulePath" in os.environ:
        return "powershell"
    return "fish" if Path(os.environ.get("SHELL", "")).name == "fish" else "sh"


def join_command(*words):
    """A program and its arguments as one line, in which each word is quoted where this shell needs it."""
    words = [_quote(word) for word in words]
    # PowerShell prints a quoted name instead of running it, unless & precedes it.
    call = "& " if kind() == "powershell" and words[0].startswith('"') else ""
    return call + " ".join(words)


def _quote(word):
    if kind() in ("sh", "fish"):
        return shlex.quote(word)
    if re.fullmatch(r"[\w.:\\/=+-]+", word):
        return word
    return f'"{_escape(word)}"' if kind() == "powershell" else f'"{word}"'


def _escape(text):
    return re.sub(r'([`"$])', r"`\1", text)


def python_command(*arguments):
    """The command that runs the Python of this process."""
    return join_command(sys.executable or "python", *arguments)


def dlkit_command(*arguments):
    """The command that runs `dlkit` with the Python of this process.

    Args:
        *arguments: Strings, such as "data", "fetch", "mnist".

    Returns:
        String: "dlkit data fetch mnist" where the `dlkit` on the PATH lies next to this Python, otherwise a command
        that begins with the path of this Python.
    """
    found = shutil.which("dlkit")
    folder = Path(sys.executable or "python").parent
    if found and os.path.normcase(Path(found).parent.absolute()) == os.path.normcase(folder.absolute()):
        return join_command("dlkit", *arguments)
    return python_command("-m", "dlkit", *arguments)


def set_variable_command(name, value):
    """The command that sets an environment variable in this shell to a string or number."""
    quote = {"powershell": _escape, "cmd": str}.get(kind(), shlex.quote)
    return _SYNTAX[kind()][0].format(name=name, value=quote(str(value)))


def unset_variable_command(name):
    """The command that removes an environment variable in this shell."""
    return _SYNTAX[kind()][1].format(name=name)


def delete_file_command(path):
    """The command that deletes a file in this shell."""
    return _SYNTAX[kind()][2].format(value=_quote(str(path)))


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
