"""Downloads from a faulty server on this machine: the verified file is there, or no file of that name."""

import hashlib
import os
import random
import re
import subprocess
import sys
import time

import pytest

from dlkit.data import download as downloads
from dlkit.data.dataset import DataError
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
    ("bad", "message", "times"),
    [
        ("/wrong", "wrong content", 1),
        ("/long", "wrong content", 1),
        ("/short", "it broke off after 1,275,000 of 1,280,000 bytes", 3),
        ("/cut", "it broke off after 1,275,000 of 1,280,000 bytes", 3),
        ("/missing", "HTTP Error 404", 1),
        ("/loop", "redirect error that would lead to an infinite loop", None),
        ("/stall", "timed out", 1),
    ],
)
def test_fetch_leaves_nothing_and_tries_the_next_source(download, server, tmp_path, monkeypatch, bad, message, times):
    monkeypatch.setattr(downloads, "TIMEOUT", 0.3)
    with pytest.raises(DataError, match=r"file\.bin could not be fetched") as refusal:
        downloads.fetch(download(bad), tmp_path)
    assert f"{bad}: {message}" in str(refusal.value) or f"{bad}: HTTP Error 302" in str(refusal.value)
    assert message in str(refusal.value)
    assert str(refusal.value).endswith(
        f"\n→ try again later\n→ or download it by hand into {tmp_path} or the folder that DLKIT_DATA names"
    )
    assert list(tmp_path.iterdir()) == []
    assert times in (None, server.requests.count(bad)), "a permanent failure is not tried again"
    assert downloads.fetch(download(bad, "/good"), tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize(("path", "times"), [("/busy", 3), ("/too-many", 3), ("/cut-once", 2)])
def test_fetch_repeats_a_request_that_may_recover(download, server, tmp_path, path, times):
    assert downloads.fetch(download(path), tmp_path).read_bytes() == CONTENT
    assert server.requests == [path] * times


@pytest.mark.skipif(sys.platform == "win32", reason="Windows itself repeats a refused connection for two seconds")
def test_fetch_reports_a_dead_server_at_once(tmp_path):
    dead = downloads.Download("file.bin", "0" * 64, 10, ("http://127.0.0.1:9/file",))
    start = time.monotonic()
    with pytest.raises(DataError, match="http://127.0.0.1:9/file: .*refused"):
        downloads.fetch(dead, tmp_path)
    assert time.monotonic() - start < min(downloads.RETRY_DELAYS), "a class without a network does not wait"
    assert list(tmp_path.iterdir()) == []


def test_fetch_gives_each_advice_once(download, tmp_path):
    sources = (*download("/missing", "/wrong").urls, "http://127.0.0.1:9/file", "http://127.0.0.1:9/again")
    with pytest.raises(DataError) as refusal:
        downloads.fetch(downloads.Download("file.bin", SHA256, len(CONTENT), sources), tmp_path)
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


def test_fetch_leaves_nothing_after_ctrl_c(download, tmp_path, monkeypatch):
    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(downloads, "verify", interrupted)
    with pytest.raises(KeyboardInterrupt):
        downloads.fetch(download("/good"), tmp_path)
    assert list(tmp_path.iterdir()) == []


# --- other processes


def start_fetch(download, folder, *, before=()):
    """Starts a process that downloads; `before` is a command that starts it, such as one that mounts a disk."""
    code = f"from dlkit.data import download; download.fetch(download.{download!r}, {str(folder)!r})"
    command = [*before, sys.executable, "-c", code]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def test_fetch_in_two_processes_at_once(download, server, tmp_path):
    both = [start_fetch(download("/slow"), tmp_path) for _ in range(2)]
    output = [process.communicate(timeout=60)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], output
    assert server.requests == ["/slow"] * 2, "both downloaded"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file.bin"]
    assert (tmp_path / "file.bin").read_bytes() == CONTENT


def wait_for_request(server, process, count):
    """Waits until the server has received more than `count` requests, or the process has ended."""
    while len(server.requests) <= count and process.poll() is None:
        time.sleep(0.002)


@pytest.mark.parametrize("trials", [5, pytest.param(20, marks=pytest.mark.slow)])
def test_fetch_killed_at_any_moment(download, server, tmp_path, trials):
    start = time.monotonic()
    process = start_fetch(download("/slow"), tmp_path / "complete")
    wait_for_request(server, process, 0)
    requested = time.monotonic()
    process.communicate(timeout=60)
    startup, transfer, moments, outcomes = requested - start, time.monotonic() - requested, random.Random(0), set()
    for trial in range(trials):
        folder, count = tmp_path / str(trial), len(server.requests)
        process = start_fetch(download("/slow"), folder)
        moment = moments.uniform(-0.2, 1.1) * transfer  # after the request, or some time before it
        if moment < 0:
            time.sleep(max(startup + moment, 0))
        else:
            wait_for_request(server, process, count)
            time.sleep(moment)
        process.kill()
        process.communicate()
        names = [entry.name for entry in folder.iterdir()] if folder.exists() else []
        outcomes.add("complete" if "file.bin" in names else "partial" if names else "nothing")
        if "file.bin" in names:
            assert (folder / "file.bin").read_bytes() == CONTENT
        assert all(name == "file.bin" or (name[0] == "." and name.endswith(".part")) for name in names)
        assert downloads.fetch(download("/good"), folder).read_bytes() == CONTENT, "and the next attempt works"
    assert "partial" in outcomes, "some were killed in the middle"


def test_fetch_removes_old_partial_files(download, tmp_path):
    old, new, other = (tmp_path / name for name in (".file.bin.a.part", ".file.bin.b.part", ".mine.part"))
    for path in (old, new, other):
        path.write_bytes(b"half")
    os.utime(old, (time.time() - 2 * downloads.STALE_AFTER,) * 2)
    downloads.fetch(download("/good"), tmp_path)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == [new.name, other.name, "file.bin"]


@pytest.mark.parametrize(
    ("options", "message"),
    [("size=600k", "No space left on device"), ("ro", "cannot be written to.*Read-only file system.*DLKIT_DATA")],
)
def test_fetch_reports_a_full_or_read_only_disk(download, server, tmp_path, options, message):
    process = start_fetch(download("/good"), tmp_path / "disk", before=mounted(tmp_path / "disk", options))
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "DataError" in output
    assert re.search(message, output, re.DOTALL), output
    assert server.requests == (["/good"] if "size" in options else []), "nothing is requested that cannot be saved"
