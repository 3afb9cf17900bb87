"""Downloads from a faulty server on this machine: the verified file is there, or no file of that name."""

import errno
import hashlib
import random
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dlkit.data import download as downloads
from dlkit.data.dataset import DataError
from dlkit.data.download import Download
from tests.faults import CONTENT, SHA256, mounted
from tools.notebooks import ROOT


def test_fetch_verifies_and_renames(download, tmp_path):
    path = downloads.fetch(download("/good"), tmp_path / "new")
    assert path.read_bytes() == CONTENT
    assert [entry.name for entry in path.parent.iterdir()] == ["file.bin"]


def test_fetch_does_not_repeat_a_finished_download(download, server, tmp_path):
    downloads.fetch(download("/good"), tmp_path)
    server.requests.clear()
    downloads.fetch(download("/good"), tmp_path)
    assert server.requests == []


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ("/wrong", "file hash does not match"),
        ("/cut", "got only 1275000 out of 1280000 bytes"),
        ("/missing", "HTTP Error 404"),
        ("/busy", "HTTP Error 503"),
        ("/loop", "HTTP Error 302"),
        ("/stall", "timed out"),
    ],
)
def test_fetch_leaves_nothing_and_tries_the_next_source(download, tmp_path, monkeypatch, bad, message):
    monkeypatch.setattr(downloads, "TIMEOUT", 0.3)
    with pytest.raises(DataError, match=rf"file\.bin could not be fetched:\n  http\S+{bad}: .*{message}") as refusal:
        downloads.fetch(download(bad), tmp_path)
    by_hand = "or download it by hand into data/ or the folder that DLKIT_DATA names"
    assert str(refusal.value).endswith(f"\n→ try again later\n→ {by_hand}")
    assert list(tmp_path.iterdir()) == []
    assert socket.getdefaulttimeout() is None
    assert downloads.fetch(download(bad, "/good"), tmp_path).read_bytes() == CONTENT


@pytest.mark.skipif(sys.platform == "win32", reason="Windows itself repeats a refused connection for two seconds")
def test_fetch_reports_a_dead_server_at_once(tmp_path):
    dead = Download("file.bin", "0" * 64, ("http://127.0.0.1:9/file",))
    start = time.monotonic()
    with pytest.raises(DataError, match="http://127.0.0.1:9/file: .*refused"):
        downloads.fetch(dead, tmp_path)
    assert time.monotonic() - start < 1, "a class without a network does not wait"
    assert list(tmp_path.iterdir()) == []


def test_fetch_gives_each_advice_once(download, tmp_path):
    sources = (*download("/missing", "/wrong").urls, "http://127.0.0.1:9/file", "http://127.0.0.1:9/again")
    with pytest.raises(DataError) as refusal:
        downloads.fetch(Download("file.bin", SHA256, sources), tmp_path)
    lines = str(refusal.value).splitlines()
    assert len(lines) == 8
    assert lines[5:7] == ["→ try again later", "→ check the connection"]


def test_fetch_names_the_file_and_both_checksums(download, tmp_path):
    (tmp_path / "file.bin").write_bytes(b"something else")
    with pytest.raises(DataError, match=r"file\.bin: wrong checksum") as refusal:
        downloads.fetch(download("/good"), tmp_path)
    assert SHA256 in str(refusal.value)
    assert hashlib.sha256(b"something else").hexdigest() in str(refusal.value)
    assert (tmp_path / "file.bin").read_bytes() == b"something else", "never overwritten: it may be yours"


@pytest.fixture
def stopped(tmp_path, monkeypatch):
    """A function (error) that lets downloads end with this error after 1,000 bytes; no file has its final name then."""

    def stop(error):
        def write_a_part(url, filename, report):
            Path(filename).write_bytes(CONTENT[:1000])
            assert not (tmp_path / "file.bin").exists()
            raise error

        monkeypatch.setattr("keras.src.utils.file_utils.urlretrieve", write_a_part)

    return stop


def test_fetch_leaves_nothing_after_ctrl_c(download, tmp_path, stopped):
    stopped(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        downloads.fetch(download("/good"), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_fetch_reports_a_disk_that_becomes_full(download, tmp_path, stopped):
    stopped(OSError(errno.ENOSPC, "No space left on device"))
    with pytest.raises(DataError, match=r"/good: .*No space left on device\n→ make room on the disk"):
        downloads.fetch(download("/good"), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_verify_knows_sha256_and_md5(tmp_path):
    (tmp_path / "file.bin").write_bytes(CONTENT)
    downloads.verify(tmp_path / "file.bin", SHA256)
    downloads.verify(tmp_path / "file.bin", hashlib.md5(CONTENT).hexdigest())
    with pytest.raises(DataError, match="wrong checksum. Expected MD5"):
        downloads.verify(tmp_path / "file.bin", "0" * 32)


# --- other processes


def start_fetch(download, folder, *, before=()):
    """Starts a process that downloads; `before` is a command that starts it, such as one that mounts a disk."""
    code = f"from dlkit.data.download import Download, fetch; fetch({download!r}, {str(folder)!r})"
    command = [*before, sys.executable, "-c", code]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@pytest.mark.slow
def test_fetch_in_two_processes_at_once(download, server, tmp_path):
    both = [start_fetch(download("/slow"), tmp_path) for _ in range(2)]
    output = [process.communicate(timeout=60)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], output
    assert server.requests == ["/slow"] * 2, "both downloaded"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file.bin"]
    assert (tmp_path / "file.bin").read_bytes() == CONTENT


@pytest.mark.slow
def test_fetch_killed_at_any_moment(download, server, tmp_path):
    moments, outcomes = random.Random(0), set()
    for trial in range(20):
        folder, count = tmp_path / str(trial), len(server.requests)
        process = start_fetch(download("/slow"), folder)
        while len(server.requests) == count and process.poll() is None:
            time.sleep(0.002)
        time.sleep(0.2 if trial == 0 else moments.uniform(0, 0.6))  # the transfer takes half a second
        process.kill()
        process.communicate()
        names = [entry.name for entry in folder.iterdir()]
        outcomes.add("complete" if "file.bin" in names else "partial" if names else "nothing")
        if "file.bin" in names:
            assert (folder / "file.bin").read_bytes() == CONTENT
        assert all(name == "file.bin" or name.startswith(".file.bin.") for name in names)
        assert downloads.fetch(download("/good"), folder).read_bytes() == CONTENT, "and the next attempt works"
    assert "partial" in outcomes, "some were killed in the middle"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param(
            "size=600k", "/good: .*No space left on device.*\n→ make room on the disk", marks=pytest.mark.slow
        ),
        ("ro", "could not be written: .*Read-only file system.* Make the folder writable, or put"),
    ],
)
def test_fetch_reports_a_full_or_read_only_disk(download, server, tmp_path, options, message):
    process = start_fetch(download("/good"), tmp_path / "disk", before=mounted(tmp_path / "disk", options))
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "DataError" in output
    assert re.search(message, output, re.DOTALL), output
    assert server.requests == (["/good"] if "size" in options else []), "nothing is requested that cannot be saved"
