"""Commands for the user to paste: they have the syntax of the user's shell, and they work there."""

import os
import shutil
import subprocess
import sys

import pytest

from dlkit.runtime import shell

ON_UNIX = pytest.mark.skipif(sys.platform == "win32", reason="about the commands and folders of Linux and macOS")


@pytest.mark.parametrize(
    ("platform", "environment", "kind"),
    [
        ("linux", {"SHELL": "/bin/bash"}, "sh"),
        ("darwin", {"SHELL": "/bin/zsh"}, "sh"),
        ("linux", {}, "sh"),
        ("win32", {"PROMPT": "$P$G", "PSModulePath": "C:\\"}, "cmd"),
        ("win32", {"PSModulePath": "C:\\"}, "powershell"),
        ("win32", {"MSYSTEM": "MINGW64", "SHELL": "/usr/bin/bash", "PSModulePath": "C:\\"}, "sh"),
    ],
)
def test_kind_of_shell(monkeypatch, platform, environment, kind):
    monkeypatch.setattr(shell.sys, "platform", platform)
    monkeypatch.setattr(shell.os, "environ", environment)
    assert shell.kind() == kind


@pytest.mark.parametrize(
    ("kind", "program", "lines"),
    [
        (
            "sh",
            "/a b/python",
            ["'/a b/python' -m dlkit data", "export X=1", "export X='a b'", "unset X"],
        ),
        (
            "powershell",
            r"C:\a b\python.exe",
            [r'& "C:\a b\python.exe" -m dlkit data', '$env:X = "1"', '$env:X = "a b"', '$env:X = ""'],
        ),
        (
            "cmd",
            r"C:\a b\python.exe",
            [r'"C:\a b\python.exe" -m dlkit data', "set X=1", "set X=a b", "set X="],
        ),
    ],
)
def test_commands_have_the_syntax_of_the_shell(monkeypatch, kind, program, lines):
    monkeypatch.setattr(shell, "kind", lambda: kind)
    monkeypatch.setattr(shell.sys, "executable", program)
    monkeypatch.setattr(shell.shutil, "which", lambda name: None)
    assert lines == [
        shell.dlkit_command("data"),
        shell.set_variable_command("X", "1"),
        shell.set_variable_command("X", "a b"),
        shell.unset_variable_command("X"),
    ]


def test_plain_names_are_not_quoted_for_powershell(monkeypatch):
    monkeypatch.setattr(shell, "kind", lambda: "powershell")
    assert shell.join_command("C:\\plain\\python.exe", "-m", "pip") == "C:\\plain\\python.exe -m pip"


@ON_UNIX
@pytest.mark.parametrize("program", ["sh", "bash", "zsh"])
@pytest.mark.parametrize("value", ["1", "a b", 'it\'s $HOME "q" * (x) é'])
def test_commands_run_in_the_real_shell(monkeypatch, program, value):
    if not shutil.which(program):
        pytest.skip(f"needs {program}")
    monkeypatch.setattr(shell, "kind", lambda: "sh")
    show = shell.python_command("-c", "import os, sys; print(os.environ.get('X'), sys.argv[1:])", value)
    set_x, unset_x = shell.set_variable_command("X", value), shell.unset_variable_command("X")
    lines = [set_x, show, unset_x, show]
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8"}
    script = [program, "-c", "\n".join(lines)]
    done = subprocess.run(script, env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert done.stdout.splitlines() == [f"{value} {[value]}", f"None {[value]}"], done.stderr


@ON_UNIX
def test_dlkit_command_is_short_when_it_is_on_the_path(tmp_path, monkeypatch):
    monkeypatch.setattr(shell, "kind", lambda: "sh")
    folders = {}
    for name in ("mine", "other"):
        folders[name] = tmp_path / name
        folders[name].mkdir()
        for program in ("dlkit", "python"):
            (folders[name] / program).touch(mode=0o755)
    python = str(folders["mine"] / "python")
    monkeypatch.setattr(shell.sys, "executable", python)
    monkeypatch.setenv("PATH", str(folders["mine"]))
    assert shell.dlkit_command("data", "fetch", "mnist") == "dlkit data fetch mnist"
    monkeypatch.setenv("PATH", os.pathsep.join(str(folders[name]) for name in ("other", "mine")))
    assert shell.dlkit_command("data", "fetch", "mnist") == f"{python} -m dlkit data fetch mnist"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert shell.dlkit_command("doctor") == f"{python} -m dlkit doctor"
