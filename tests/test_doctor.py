"""The doctor, on machines that lack something or have it wrong: it names each problem and the line that fixes it."""

import http.server
import json
import os
import re
import runpy
import shlex
import shutil
import ssl
import subprocess
import sys
import threading
import tomllib
from collections import namedtuple
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from dlkit import doctor, runtime
from dlkit.cli import main
from dlkit.data import sources
from dlkit.data.download import Download, fetch
from dlkit.data.readers import DataError
from dlkit.runtime import keras_json, network, shell
from tools.notebooks import ROOT

ON_UNIX = pytest.mark.skipif(sys.platform == "win32", reason="about the commands and folders of Linux and macOS")
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@pytest.fixture
def bash(monkeypatch):
    """A shell of known syntax, whatever the tests were started from."""
    monkeypatch.setattr(shell, "kind", lambda: "sh")


@pytest.fixture
def direct(monkeypatch):
    """Network allowed, and no proxy or certificate set."""
    for name in (*PROXIES, *(name.lower() for name in PROXIES), "DLKIT_OFFLINE", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)


def rows():
    return {subject: (state, text) for state, subject, text in doctor.report()}


def run(command, **environment):
    return subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, check=False, timeout=300
    )


def printed(output):
    """The rows that a process has printed: subject to (sign, text)."""
    return {line[2:18].strip(): (line[0], line[19:]) for line in output.splitlines()}


def assert_every_problem_has_a_remedy(output):
    for line in output.splitlines():
        assert line[0] in "✓–✗", line
        assert line.startswith("✓") or re.search(r"→ \S|nothing to do", line), line


# --- the whole report


def test_every_row_has_a_tick_or_the_next_step(empty_room, capsys):
    assert main(["doctor"]) == 0
    output = capsys.readouterr().out
    assert_every_problem_has_a_remedy(output)
    subjects = {"Python", *doctor.PACKAGES, "keras.json", "device", "mixed precision", "memory", "disk"}
    assert subjects | {"cifar10", "MobileNet", "ResNet50", "network"} <= set(printed(output))


def test_one_fault_is_enough_for_status_1(empty_room, monkeypatch, capsys):
    monkeypatch.setattr(doctor.sys, "version_info", (3, 9, 1))
    assert main(["doctor"]) == 1
    assert "✗ Python           3.9.1, dlkit needs 3.11.5 to 3.13 → " in capsys.readouterr().out


@pytest.mark.parametrize("version", ["3.10.13", "3.11.4", "3.11.5", "3.12.1", "3.13.9", "3.14.0"])
def test_the_doctor_accepts_the_pythons_that_pip_accepts(version, monkeypatch):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    monkeypatch.setattr(doctor.sys, "version_info", tuple(map(int, version.split("."))))
    state, *_ = next(doctor._python())
    assert (state == "ok") == SpecifierSet(project["requires-python"]).contains(version)


@ON_UNIX
def test_without_any_package_each_is_named_with_the_line_that_installs_it():
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from dlkit import cli; sys.exit(cli.main(['doctor']))"
    done = run([sys.executable, "-I", "-S", "-c", code], DLKIT_OFFLINE="1")
    assert (done.returncode, done.stderr) == (1, "")
    assert_every_problem_has_a_remedy(done.stdout)
    found = printed(done.stdout)
    everything = ["-r", str(ROOT / "requirements.txt"), "-e", str(ROOT)]
    wanted = [sys.executable, "-m", "pip", "install", *everything, "-c", str(ROOT / "constraints.txt")]
    for name in doctor.PACKAGES:
        sign, text = found[name]
        assert sign == "✗"
        assert text.startswith("not installed → ")
        assert shlex.split(text.partition("→ ")[2]) == wanted
    assert "not examined until the packages work" in found["device, data"][1]
    assert "cifar10" not in found
    assert found["network"][1].startswith("not tried, DLKIT_OFFLINE is set")
    assert found["disk"][0] == "✓"
    assert found["memory"][0] in "✓✗" if Path("/proc/meminfo").exists() else found["memory"][0] == "–"


def test_a_numpy_that_is_installed_and_broken_is_named_once_as_the_cause(tmp_path):
    (tmp_path / "numpy").mkdir()
    broken = "raise ImportError('\\nIMPORTANT: PLEASE READ THIS\\n\\nOriginal error was: DLL load failed\\n')"
    (tmp_path / "numpy" / "__init__.py").write_text(broken)
    done = run([sys.executable, "-m", "dlkit", "doctor"], PYTHONPATH=str(tmp_path), DLKIT_OFFLINE="1")
    assert done.returncode == 1
    assert done.stderr == ""
    assert "Traceback" not in done.stdout
    assert_every_problem_has_a_remedy(done.stdout)
    found = printed(done.stdout)
    assert re.match(
        r"[\d.]+ is installed, but its import fails \(Original error was: DLL load failed\) → ", found["numpy"][1]
    )
    assert "--force-reinstall --no-deps numpy -c " in found["numpy"][1]
    assert found["scikit-learn"][0] == "✗"
    assert found["scikit-learn"][1].endswith("→ fix numpy first")
    assert found["pillow"][0] == found["jupyterlab"][0] == "✓", "these work without NumPy"
    assert "device, data" in found


def test_a_package_that_lacks_another_one_is_completed_and_not_reinstalled(monkeypatch):
    error = ModuleNotFoundError("No module named 'absl'")
    monkeypatch.setattr(doctor, "_import_error", {"tensorflow": error}.get)
    state, text = rows()["tensorflow"]
    assert state == "fault"
    assert "its import fails (No module named 'absl') → " in text
    assert text.endswith(shell.install_line())


def test_the_packages_are_those_of_the_requirements():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    for_dlkit = {Requirement(line).name for line in project["dependencies"]}
    for_lessons = {Requirement(line).name for line in project["optional-dependencies"]["lab"]}
    assert set(doctor.PACKAGES) == for_dlkit | set(doctor.FOR_LESSONS)
    assert set(doctor.FOR_LESSONS) == for_lessons
    assert set(doctor.NEEDED) <= for_dlkit
    assert set(doctor.NEED_KERAS) <= set(doctor.PACKAGES)


@ON_UNIX
def test_another_python_than_the_projects_is_noted(tmp_path, monkeypatch, bash):
    monkeypatch.setattr(shell, "project_folder", lambda: tmp_path)
    assert "environment" not in {subject for _, subject, _ in doctor._python()}, "no .venv, so nothing to compare with"
    own = tmp_path / ".venv" / "bin" / "python"
    own.parent.mkdir(parents=True)
    own.touch()
    found = {subject: text for _, subject, text in doctor._python()}
    assert found["environment"].endswith(f"→ {shlex.join([str(own), '-m', 'dlkit', 'doctor'])}")
    monkeypatch.setattr(doctor.sys, "executable", str(own))
    assert "environment" not in {subject for _, subject, _ in doctor._python()}


# --- device, memory, disk


@pytest.mark.parametrize(
    ("platform", "told"),
    [
        ("linux", r"NVIDIA GPU → .* -m pip install 'tensorflow\[and-cuda\]' -c \S*constraints\.txt'?$"),
        ("win32", r"nothing to do, TensorFlow here has no GPU support; in WSL 2 it has$"),
        ("darwin", r"nothing to do, TensorFlow here has no GPU support$"),
    ],
)
def test_a_gpu_is_offered_where_tensorflow_can_use_one(monkeypatch, bash, platform, told):
    monkeypatch.setattr(runtime, "configure_device", lambda: ("CPU", "float32"))
    monkeypatch.setattr(doctor.sys, "platform", platform)
    device, precision = doctor._device()
    assert (device[0], precision[0]) == ("note", "note")
    assert re.search(told, device[2]), device
    monkeypatch.setattr(runtime, "configure_device", lambda: ("GPU: A100", "mixed_bfloat16"))
    assert [state for state, *_ in doctor._device()] == ["ok", "ok"]


def test_too_little_memory_or_disk_is_a_fault(monkeypatch):
    assert doctor._memory()[0] == "ok" or "close other programs" in doctor._memory()[2]
    monkeypatch.setattr(doctor, "_free_memory", lambda: 2.5)
    assert doctor._memory() == ("fault", "memory", "2.5 GiB free, CIFAR-10 needs 3 → close other programs or notebooks")
    monkeypatch.setattr(doctor, "_free_memory", lambda: None)
    assert doctor._memory()[0] == "note"
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda folder: usage(2**28))
    state, _, text = doctor._disk()
    assert state == "fault"
    assert text.startswith("0.2 GiB free, the data needs 1 → make room on the disk of ")


@pytest.mark.skipif(not Path("/proc/meminfo").exists(), reason="needs Linux")
def test_free_memory_without_psutil_is_that_of_psutil(monkeypatch):
    with_psutil = doctor._free_memory()
    monkeypatch.setattr(doctor, "_import_error", lambda module: ImportError())
    assert doctor._free_memory() == pytest.approx(with_psutil, rel=0.2)


# --- data and weights


def test_missing_data_comes_with_the_line_that_fetches_it(empty_room):
    found = rows()
    assert found["cifar10"] == (
        "note",
        f"not found, a stand-in will be used → {runtime.command('data', 'fetch', 'cifar10')}",
    )
    assert found["digits"] == ("ok", "found, scikit-learn")


def test_a_wrong_dlkit_data_is_one_fault(empty_room, monkeypatch, bash):
    monkeypatch.setenv("DLKIT_DATA", str(empty_room / "nowhere"))
    found = rows()
    assert found["DLKIT_DATA"][0] == "fault"
    assert found["DLKIT_DATA"][1].startswith(f"DLKIT_DATA is {empty_room / 'nowhere'}, which is not a folder.")
    assert found["DLKIT_DATA"][1].endswith("→ unset DLKIT_DATA")
    assert "cifar10" not in found


def test_weights_are_found_where_lessons_find_them_and_else_there_is_a_line_to_fetch_them(empty_room, tmp_path, bash):
    from dlkit import transfer

    files = [transfer.BACKBONES[name].file for name in ("mobilenet", "resnet50")]
    found = rows()
    for label, file, code in zip(
        ("MobileNet", "ResNet50"),
        files,
        ("MobileNet(include_top=False, alpha=0.25)", "ResNet50(include_top=False)"),
        strict=True,
    ):
        state, text = found[label]
        assert state == "note"
        assert file in text
        line = shlex.split(text.partition("→ ")[2])
        assert line == [sys.executable, "-c", f"import keras; keras.applications.{code}"]
    for folder, file in ((empty_room / "weights", files[0]), (tmp_path / "keras" / "models", files[1])):
        folder.mkdir(parents=True)
        (folder / file).touch()
    found = rows()
    assert found["MobileNet"] == ("ok", f"ImageNet weights found, DLKIT_DATA: {files[0]}")
    assert found["ResNet50"] == ("ok", f"ImageNet weights found, Keras's cache: {files[1]}")
    for name, file in zip(("mobilenet", "resnet50"), files, strict=True):
        assert transfer.find_weights(name).name == file, "so it is for a lesson"


# --- Keras's settings

HARMLESS = {"image_data_format": "channels_last", "floatx": "float32", "epsilon": 1e-07, "backend": "tensorflow"}


@pytest.mark.parametrize(
    ("content", "state", "told"),
    [
        (json.dumps(HARMLESS), None, ""),
        ("{}", None, ""),
        ('{"image_data_format": "channels_first"}', "note", "image_data_format 'channels_first'"),
        ('{"floatx": "float16"}', "note", "floatx 'float16' (the lessons need 'float32')"),
        ("{nope", "note", "is not valid JSON"),
        ("\udcff", "note", "is not valid JSON"),
        ('{"backend": "jax", "floatx": "float16"}', "fault", "floatx 'float16' .*, backend 'jax'"),
        ('{"floatx": "bfloat16"}', "fault", "floatx 'bfloat16'"),
        ('{"image_data_format": "last"}', "fault", "image_data_format 'last'"),
        ('{"epsilon": 1}', "fault", "epsilon 1 (Keras needs a float)"),
        ("[]", "fault", "is not a JSON object"),
    ],
)
def test_odd_settings_of_keras_are_named_with_the_line_that_deletes_them(
    tmp_path, monkeypatch, bash, content, state, told
):
    from keras.src.backend import config

    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "a home"))
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    monkeypatch.setenv("TF_FORCE_GPU_ALLOW_GROWTH", "true")  # Keras sets it for other backends
    path = tmp_path / "a home" / "keras.json"
    path.parent.mkdir()
    path.write_bytes(content.encode(errors="surrogateescape"))
    found = doctor._keras_settings()
    if state is None:
        assert found == ("ok", "keras.json", "TensorFlow, channels last, float32")
    else:
        assert found[:2] == (state, "keras.json")
        assert re.search(told.replace("(", r"\(").replace(")", r"\)"), found[2]), found
        assert found[2].endswith(f" → rm '{path}'")
    try:
        runpy.run_path(config.__file__)  # what Keras does with it
        stops = False
    except (ValueError, AttributeError):
        stops = True
    assert stops == (state == "fault" and "backend" not in content)


def test_no_keras_json_is_fine_and_one_that_cannot_be_read_is_a_fault(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    assert doctor._keras_settings()[0] == "ok"
    (tmp_path / "keras.json").mkdir()  # opening a folder fails for root too
    state, _, text = doctor._keras_settings()
    assert state == "fault"
    assert "cannot be read" in text


def test_the_variable_keras_backend_counts_more_than_the_file(tmp_path, monkeypatch, bash):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    (tmp_path / "keras.json").write_text('{"backend": "torch"}')
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    assert doctor._keras_settings() == (
        "fault",
        "KERAS_BACKEND",
        "it is jax, the lessons need tensorflow → unset KERAS_BACKEND",
    )
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    assert doctor._keras_settings()[0] == "ok"
    monkeypatch.delenv("KERAS_BACKEND")
    assert doctor._keras_settings()[0] == "fault"


def test_the_file_is_looked_for_where_keras_looks(tmp_path, monkeypatch):
    from keras.src.backend import config

    for home, keras_home in ((tmp_path, None), (tmp_path, "~/elsewhere"), (tmp_path / "none", None)):
        monkeypatch.setenv("HOME", str(home))
        monkeypatch.setenv("USERPROFILE", str(home))
        monkeypatch.delenv("KERAS_HOME", raising=False)
        if keras_home:
            monkeypatch.setenv("KERAS_HOME", keras_home)
        monkeypatch.chdir(tmp_path)
        assert Path(keras_json.path()) == Path(runpy.run_path(config.__file__)["_config_path"])


def test_when_keras_fails_at_its_settings_the_doctor_points_there(tmp_path):
    (tmp_path / "keras.json").write_text('{"floatx": "bfloat16"}')
    environment = {"KERAS_HOME": str(tmp_path), "DLKIT_OFFLINE": "1", "KERAS_BACKEND": ""}
    done = run([sys.executable, "-m", "dlkit", "doctor"], **environment)
    assert done.returncode == 1
    assert "Traceback" not in done.stdout + done.stderr
    found = printed(done.stdout)
    assert found["keras.json"][0] == found["keras"][0] == "✗"
    assert found["keras"][1].endswith("→ see keras.json above")
    assert "device, data" in found


# --- shells


@pytest.mark.parametrize(
    ("platform", "environment", "kind"),
    [
        ("linux", {"SHELL": "/bin/bash"}, "sh"),
        ("darwin", {"SHELL": "/bin/zsh"}, "sh"),
        ("linux", {}, "sh"),
        ("linux", {"SHELL": "/usr/bin/fish"}, "fish"),
        ("linux", {"SHELL": "/bin/bash", "PSModulePath": "/opt"}, "powershell"),
        ("win32", {"PROMPT": "$P$G", "PSModulePath": "C:\\"}, "cmd"),
        ("win32", {"PSModulePath": "C:\\"}, "powershell"),
        ("win32", {"MSYSTEM": "MINGW64", "SHELL": "/usr/bin/bash", "PSModulePath": "C:\\"}, "sh"),
    ],
)
def test_the_shell_is_known_by_its_variables(platform, environment, kind):
    assert shell.kind(platform, environment) == kind


@pytest.mark.parametrize(
    ("kind", "program", "lines"),
    [
        (
            "sh",
            "/a b/python",
            ["'/a b/python' -m dlkit data", "export X=1", "export X='a b'", "unset X", "rm '/a b/keras.json'"],
        ),
        (
            "fish",
            "/a b/python",
            ["'/a b/python' -m dlkit data", "set -x X 1", "set -x X 'a b'", "set -e X", "rm '/a b/keras.json'"],
        ),
        (
            "powershell",
            r"C:\a b\python.exe",
            [
                r'& "C:\a b\python.exe" -m dlkit data',
                '$env:X = "1"',
                '$env:X = "a b"',
                "Remove-Item Env:X",
                'Remove-Item "/a b/keras.json"',
            ],
        ),
        (
            "cmd",
            r"C:\a b\python.exe",
            [r'"C:\a b\python.exe" -m dlkit data', "set X=1", "set X=a b", "set X=", 'del "/a b/keras.json"'],
        ),
    ],
)
def test_lines_have_the_syntax_of_the_shell(monkeypatch, kind, program, lines):
    monkeypatch.setattr(shell, "kind", lambda: kind)
    monkeypatch.setattr(shell.sys, "executable", program)
    monkeypatch.setattr(shell.shutil, "which", lambda name: None)
    assert lines == [
        runtime.command("data"),
        shell.set_line("X", 1),
        shell.set_line("X", "a b"),
        shell.unset_line("X"),
        shell.delete_line("/a b/keras.json"),
    ]


def test_what_is_special_to_powershell_is_escaped(monkeypatch):
    monkeypatch.setattr(shell, "kind", lambda: "powershell")
    assert shell.line("C:\\plain\\python.exe", "-m", "pip") == "C:\\plain\\python.exe -m pip"
    assert shell.line("python", "tensorflow[and-cuda]") == 'python "tensorflow[and-cuda]"'
    assert shell.set_line("X", 'a$b"c`d') == '$env:X = "a`$b`"c``d"'


@ON_UNIX
@pytest.mark.parametrize("program", ["sh", "bash", "zsh", "fish", "pwsh"])
@pytest.mark.parametrize("value", ["1", "a b", 'it\'s $HOME "q" * (x) é'])
def test_lines_do_in_the_shell_what_they_should(tmp_path, monkeypatch, program, value):
    if not shutil.which(program):
        pytest.skip(f"needs {program}")
    kind = {"fish": "fish", "pwsh": "powershell"}.get(program, "sh")
    monkeypatch.setattr(shell, "kind", lambda: kind)
    file = tmp_path / f"{value}.json"
    file.touch()
    show = shell.python("-c", "import os, sys; print(os.environ.get('X'), sys.argv[1:])", value)
    lines = [shell.set_line("X", value), show, shell.unset_line("X"), show, shell.delete_line(file)]
    done = run([program, "-c", "\n".join(lines)], PYTHONIOENCODING="utf-8")
    assert done.stdout.splitlines() == [f"{value} {[value]}", f"None {[value]}"], done.stderr
    assert not file.exists()


@ON_UNIX
def test_the_command_is_short_where_the_path_has_that_of_this_python(tmp_path, monkeypatch, bash):
    folders = {}
    for name in ("mine", "other"):
        folders[name] = tmp_path / name
        folders[name].mkdir()
        for program in ("dlkit", "python"):
            (folders[name] / program).touch(mode=0o755)
    python = str(folders["mine"] / "python")
    monkeypatch.setattr(shell.sys, "executable", python)
    monkeypatch.setenv("PATH", str(folders["mine"]))
    assert runtime.command("data", "fetch", "mnist") == "dlkit data fetch mnist"
    monkeypatch.setenv("PATH", os.pathsep.join(str(folders[name]) for name in ("other", "mine")))
    assert runtime.command("data", "fetch", "mnist") == f"{python} -m dlkit data fetch mnist"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert runtime.command("doctor") == f"{python} -m dlkit doctor"


@pytest.fixture
def without_project(tmp_path, monkeypatch, bash):
    """dlkit as `pip install .` installs it, used in the folder of another project."""
    monkeypatch.setattr(shell, "project_folder", lambda: None)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "constraints.txt").write_text("numpy==1.0\n")
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "python").touch()


def test_without_the_project_single_packages_are_named(without_project):
    assert doctor._install("numpy") == shlex.join([sys.executable, "-m", "pip", "install", "numpy"])


def test_without_the_project_no_environment_is_the_projects(without_project):
    assert [subject for _, subject, _ in doctor._python()] == ["Python"]


def test_without_the_project_what_only_lessons_need_is_not_a_fault(without_project, monkeypatch):
    def not_installed(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(doctor, "version", not_installed)
    line = shlex.join([sys.executable, "-m", "pip", "install", "jupyterlab"])
    about = f"not installed, and only the lessons need it → {line}"
    assert doctor._package("jupyterlab", []) == ("note", "jupyterlab", about)
    assert doctor._package("keras", [])[0] == "fault"
    monkeypatch.setattr(shell, "project_folder", lambda: ROOT)
    assert doctor._package("jupyterlab", [])[0] == "fault"


# --- network


class Answer(http.server.BaseHTTPRequestHandler):
    """A web server, and a proxy that wants a password for what is asked for through a tunnel."""

    def do_HEAD(self):
        self.server.asked.append((self.command, self.path))
        self.send_response(407 if self.path.endswith("/login") else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_GET(self):
        self.do_HEAD()

    def do_CONNECT(self):
        self.server.asked.append((self.command, self.path))
        self.send_error(407)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def web():
    """Starts a server on this machine, with a certificate when given one; returns its port and what it was asked."""
    started = []

    def start(certificate=None):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        server.asked, server.handle_error = [], lambda *arguments: None  # clients that do not trust it hang up
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        started.append(server)
        return server

    yield start
    for server in started:
        server.shutdown()
        server.server_close()


@pytest.fixture
def certificate(tmp_path):
    """A certificate that nobody vouches for, as (certificate file, key file)."""
    if not shutil.which("openssl"):
        pytest.skip("needs openssl, to make a certificate")
    files = str(tmp_path / "school.pem"), str(tmp_path / "key.pem")
    options = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2", "-nodes"]
    line = ["openssl", "req", "-x509", "-newkey", "rsa:2048", *options, "-out", files[0], "-keyout", files[1]]
    subprocess.run(line, check=True, capture_output=True)
    return files


def of(url):
    """What cannot be downloaded from there, as a `Download`."""
    return Download("file.bin", "0" * 64, 10, (url,))


def test_the_network_is_tried_with_a_file_that_lessons_download():
    assert sources.DOWNLOADS["mnist"].urls[0] == doctor.URL


def test_the_doctor_asks_for_the_head_of_a_file_only(web, direct, monkeypatch):
    server = web()
    monkeypatch.setattr(doctor, "URL", f"http://127.0.0.1:{server.server_port}/mnist.npz")
    assert doctor._network() == ("ok", "network", "127.0.0.1 answers")
    assert server.asked == [("HEAD", "/mnist.npz")]


def test_offline_nobody_is_asked(web, direct, monkeypatch, bash):
    server = web()
    monkeypatch.setattr(doctor, "URL", f"http://127.0.0.1:{server.server_port}/mnist.npz")
    monkeypatch.setenv("DLKIT_OFFLINE", "1")
    assert doctor._network() == ("note", "network", "not tried, DLKIT_OFFLINE is set → unset DLKIT_OFFLINE")
    assert server.asked == []


def test_an_unknown_certificate_has_its_own_advice_and_the_advice_helps(
    web, certificate, direct, monkeypatch, tmp_path, bash
):
    server = web(certificate)
    url = f"https://127.0.0.1:{server.server_port}/mnist.npz"
    monkeypatch.setattr(doctor, "URL", url)
    monkeypatch.setattr(network.sys, "platform", "linux")
    state, _, text = doctor._network()
    assert state == "note"
    assert "CERTIFICATE_VERIFY_FAILED" in text
    assert re.search("→ .*ask for its root certificate .*: export SSL_CERT_FILE=/path/to/root.pem$", text)
    with pytest.raises(DataError) as refusal:
        fetch(of(url), tmp_path / "new")
    assert "\n→ in the network of a school or company, ask for its root certificate" in str(refusal.value)
    assert "export SSL_CERT_FILE=/path/to/root.pem\n→ or download it by hand into" in str(refusal.value)
    assert "later" not in str(refusal.value)
    assert server.asked == []
    monkeypatch.setenv("SSL_CERT_FILE", certificate[0])
    assert doctor._network()[0] == "ok"
    assert server.asked == [("HEAD", "/mnist.npz")]


def test_on_macos_pythons_own_certificates_are_named_too(monkeypatch, bash):
    error = ssl.SSLCertVerificationError("[SSL: CERTIFICATE_VERIFY_FAILED] unable to get local issuer certificate")
    monkeypatch.setattr(network.sys, "platform", "darwin")
    script = "open '/Applications/Python {}.{}/Install Certificates.command' ".format(*sys.version_info[:2])
    assert network.advice(error, doctor.URL).startswith(script)
    assert "SSL_CERT_FILE" in network.advice(error, doctor.URL)


def test_an_expired_certificate_is_most_often_a_wrong_clock():
    error = ssl.SSLCertVerificationError("[SSL: CERTIFICATE_VERIFY_FAILED] certificate has expired")
    assert network.advice(error, doctor.URL) == "check the date and time of this computer"


@pytest.mark.parametrize("scheme", ["https", "http"])
def test_a_proxy_that_wants_a_password_has_its_own_advice_without_showing_one(
    web, direct, monkeypatch, tmp_path, bash, scheme
):
    server = web()
    place = f"127.0.0.1:{server.server_port}"
    monkeypatch.setenv(f"{scheme.upper()}_PROXY", f"http://student:pa55word@{place}/")
    monkeypatch.setattr(doctor, "URL", f"{scheme}://example.invalid/login")
    state, _, text = doctor._network()
    assert state == "note"
    assert text.startswith(f"example.invalid through the proxy {place} does not answer (")
    assert text.endswith(f": export HTTPS_PROXY=http://NAME:PASSWORD@{place}")
    with pytest.raises(DataError) as refusal:
        fetch(of(doctor.URL), tmp_path / "new")
    assert f"export HTTPS_PROXY=http://NAME:PASSWORD@{place}\n→ or download it by hand" in str(refusal.value)
    assert {method for method, _ in server.asked} == ({"CONNECT"} if scheme == "https" else {"HEAD", "GET"})
    for said in (text, str(refusal.value)):
        assert "student" not in said
        assert "pa55word" not in said


def test_a_proxy_that_works_is_named(web, direct, monkeypatch):
    server = web()
    monkeypatch.setenv("HTTP_PROXY", f"http://student:pa55word@127.0.0.1:{server.server_port}")
    monkeypatch.setattr(doctor, "URL", "http://example.invalid/mnist.npz")
    answers = f"example.invalid through the proxy 127.0.0.1:{server.server_port} answers"
    assert doctor._network() == ("ok", "network", answers)
    assert server.asked == [("HEAD", "http://example.invalid/mnist.npz")]
    monkeypatch.setenv("NO_PROXY", "example.invalid")
    assert doctor._network()[2].startswith("example.invalid does not answer")


@pytest.mark.parametrize("proxy", ["http:/student:pa55word@127.0.0.1", "http://student:pa55word@127.0.0.1:port"])
def test_a_misspelled_proxy_is_reported_and_its_password_is_not(direct, monkeypatch, tmp_path, proxy):
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    state, _, text = doctor._network()
    assert state == "note"
    with pytest.raises(DataError, match=r"file\.bin could not be fetched") as refusal:
        fetch(of(doctor.URL), tmp_path / "new")
    for said in (text, str(refusal.value)):
        assert "pa55word" not in said


@pytest.mark.parametrize("proxy", [None, "http://127.0.0.1:9"])
def test_what_is_unreachable_is_a_matter_of_the_connection_or_of_the_proxy(direct, monkeypatch, tmp_path, bash, proxy):
    url = "http://127.0.0.1:9/file"
    if proxy:
        url = "http://example.invalid/file"
        monkeypatch.setenv("HTTP_PROXY", proxy)
    monkeypatch.setattr(doctor, "URL", url)
    wanted = "check the proxy 127.0.0.1:9, which HTTPS_PROXY or the system names" if proxy else "check the connection"
    state, _, text = doctor._network()
    assert state == "note"
    assert text.endswith(f"the lessons work without, quicker after `export DLKIT_OFFLINE=1` → {wanted}")
    with pytest.raises(DataError, match=f"\n→ {wanted}\n→ or download it by hand into"):
        fetch(of(url), tmp_path)
