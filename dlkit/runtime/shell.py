"""Lines that a user can paste: they name this Python and use the syntax of this shell. Standard library only."""

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


def kind(platform=sys.platform, environment=os.environ):
    """The kind of shell that started this process, judged by the variables that shells set.

    Args:
        platform: string, as `sys.platform`.
        environment: mapping of environment variables.

    Returns:
        "sh" (also bash and zsh), "fish", "powershell" or "cmd".
    """
    if platform == "win32" and "MSYSTEM" not in environment:  # Git Bash sets MSYSTEM
        return "cmd" if "PROMPT" in environment else "powershell"
    if platform != "win32" and "PSModulePath" in environment:
        return "powershell"
    return "fish" if Path(environment.get("SHELL", "")).name == "fish" else "sh"


def line(*words):
    """A command as one line, each word quoted where this shell needs it."""
    shell = kind()
    if shell in ("sh", "fish"):
        return shlex.join(words)
    quoted = [_quoted(word, shell) for word in words]
    call = "& " if shell == "powershell" and quoted[0].startswith('"') else ""  # a quoted name alone is only a text
    return call + " ".join(quoted)


def _quoted(word, shell):
    if re.fullmatch(r"[\w.:\\/=+-]+", word):
        return word
    return f'"{_escaped(word)}"' if shell == "powershell" else f'"{word}"'


def _escaped(text):
    return re.sub(r'([`"$])', r"`\1", text)


def python(*arguments):
    """The line that runs the Python of this process with some arguments."""
    return line(sys.executable or "python", *arguments)


def command(*arguments):
    """The line that runs the command `dlkit` of the Python of this process.

    Args:
        arguments: strings, such as "data", "fetch", "mnist".

    Returns:
        "dlkit data fetch mnist" where the `dlkit` on the PATH is the one beside this Python; else a line that begins
        with the path of this Python.
    """
    found = shutil.which("dlkit")
    beside = Path(sys.executable or "python").parent
    if found and os.path.normcase(Path(found).parent.absolute()) == os.path.normcase(beside.absolute()):
        return line("dlkit", *arguments)
    return python("-m", "dlkit", *arguments)


def set_line(name, value):
    """The line that sets an environment variable in this shell."""
    shell = kind()
    quoted = {"powershell": _escaped, "cmd": str}.get(shell, shlex.quote)(str(value))
    return _SYNTAX[shell][0].format(name=name, value=quoted)


def unset_line(name):
    """The line that removes an environment variable in this shell."""
    return _SYNTAX[kind()][1].format(name=name)


def delete_line(path):
    """The line that deletes a file in this shell."""
    return _SYNTAX[kind()][2].format(value=line("file", str(path)).partition(" ")[2])


def project_folder():
    """The folder of the project that this package is used from, or None where only the package is installed."""
    folder = Path(__file__).resolve().parents[2]
    return folder if (folder / "pyproject.toml").exists() else None


def install_line(*requirements):
    """The line that installs packages for the Python of this process, in the project's versions; works in any folder.

    Args:
        requirements: strings such as "tensorflow[and-cuda]", or options of pip. Without any, all that the project
            needs, which is known only where `project_folder()` is.
    """
    folder = project_folder()
    if folder is None:
        return python("-m", "pip", "install", *requirements)
    everything = ("-r", str(folder / "requirements.txt"), "-e", str(folder))
    return python("-m", "pip", "install", *(requirements or everything), "-c", str(folder / "constraints.txt"))
