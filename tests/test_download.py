"""Downloads, from a server on this machine that misbehaves: either the verified file is there, or nothing like it."""

import hashlib
import os
import random
import re
import subprocess
import sys
import time

import pytest

from dlkit.data import download as downloads
from dlkit.data.readers import DataError
from tests.faults import CONTENT, SHA256, mounted
from tools.notebooks import ROOT


def test_a_good_download_is_verified_and_put_in_place(download, tmp_path):
    path = downloads.fetch(download("/good"), tmp_path / "new")
    assert path.read_bytes() == CONTENT
    assert [entry.name for entry in path.parent.iterdir()] == ["file.bin"]


def test_what_is_there_and_right_is_not_fetched_again(download, server, tmp_path):
    downloads.fetch(download("/good"), tmp_path)
    server.asked.clear()
    downloads.fetch(download("/good"), tmp_path)
    assert server.asked == []


@pytest.mark.parametrize(
    ("bad", "told", "times"),
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
def test_a_bad_source_leaves_nothing_behind_and_the_next_is_tried(
    download, server, tmp_path, monkeypatch, bad, told, times
):
    monkeypatch.setattr(downloads, "TIMEOUT", 0.3)
    with pytest.raises(DataError, match=r"file\.bin could not be fetched") as refusal:
        downloads.fetch(download(bad), tmp_path)
    assert f"{bad}: {told}" in str(refusal.value) or f"{bad}: HTTP Error 302" in str(refusal.value)
    assert told in str(refusal.value)
    assert str(refusal.value).endswith(
        f"\n→ try again later\n→ or download it by hand into {tmp_path} or the folder that DLKIT_DATA names"
    )
    assert list(tmp_path.iterdir()) == []
    assert times in (None, server.asked.count(bad)), "what cannot pass is not asked again"
    assert downloads.fetch(download(bad, "/good"), tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize(("path", "times"), [("/busy", 3), ("/cut-once", 2)])
def test_a_source_that_recovers_is_asked_again(download, server, tmp_path, path, times):
    assert downloads.fetch(download(path), tmp_path).read_bytes() == CONTENT
    assert server.asked == [path] * times


@pytest.mark.skipif(sys.platform == "win32", reason="Windows itself repeats a refused connection for two seconds")
def test_a_dead_server_is_told_at_once(tmp_path):
    dead = downloads.Download("file.bin", "0" * 64, 10, ("http://127.0.0.1:9/file",))
    start = time.monotonic()
    with pytest.raises(DataError, match="http://127.0.0.1:9/file: .*refused"):
        downloads.fetch(dead, tmp_path)
    assert time.monotonic() - start < min(downloads.PAUSES), "a class without a network does not wait"
    assert list(tmp_path.iterdir()) == []


def test_what_to_do_is_said_once_for_each_cause(download, tmp_path):
    sources = (*download("/missing", "/wrong").urls, "http://127.0.0.1:9/file", "http://127.0.0.1:9/again")
    with pytest.raises(DataError) as refusal:
        downloads.fetch(downloads.Download("file.bin", SHA256, len(CONTENT), sources), tmp_path)
    lines = str(refusal.value).splitlines()
    assert len(lines) == 8
    assert lines[5:7] == ["→ try again later", "→ check the connection"]


def test_a_wrong_checksum_names_the_file_and_both_sums(download, tmp_path):
    (tmp_path / "file.bin").write_bytes(b"something else")
    with pytest.raises(DataError, match=r"file\.bin: wrong checksum") as refusal:
        downloads.fetch(download("/good"), tmp_path)
    assert SHA256 in str(refusal.value)
    assert hashlib.sha256(b"something else").hexdigest() in str(refusal.value)
    assert (tmp_path / "file.bin").read_bytes() == b"something else", "never overwritten: it may be yours"


def test_ctrl_c_leaves_nothing_behind(download, tmp_path, monkeypatch):
    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(downloads, "verify", interrupted)
    with pytest.raises(KeyboardInterrupt):
        downloads.fetch(download("/good"), tmp_path)
    assert list(tmp_path.iterdir()) == []


# --- other processes


def fetching(download, folder, *, before=()):
    """A process that fetches; `before` is a command that it is started by."""
    code = f"from dlkit.data import download; download.fetch(download.{download!r}, {str(folder)!r})"
    command = [*before, sys.executable, "-c", code]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def test_two_processes_that_fetch_the_same_file_do_not_disturb_each_other(download, server, tmp_path):
    both = [fetching(download("/slow"), tmp_path) for _ in range(2)]
    said = [process.communicate(timeout=60)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert server.asked == ["/slow"] * 2, "both were at it"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file.bin"]
    assert (tmp_path / "file.bin").read_bytes() == CONTENT


def test_a_kill_at_any_moment_leaves_the_whole_file_or_none(download, tmp_path):
    start = time.monotonic()
    fetching(download("/slow"), tmp_path / "whole").communicate(timeout=60)
    seconds, moments, outcomes = time.monotonic() - start, random.Random(0), set()
    for trial in range(20):
        folder = tmp_path / str(trial)
        process = fetching(download("/slow"), folder)
        time.sleep(moments.uniform(0.3, 1.1) * seconds)
        process.kill()
        process.communicate()
        names = [entry.name for entry in folder.iterdir()] if folder.exists() else []
        outcomes.add("whole" if "file.bin" in names else "part" if names else "nothing")
        if "file.bin" in names:
            assert (folder / "file.bin").read_bytes() == CONTENT
        assert all(name == "file.bin" or (name[0] == "." and name.endswith(".part")) for name in names)
        assert downloads.fetch(download("/good"), folder).read_bytes() == CONTENT, "and the next try works"
    assert "part" in outcomes, "some were killed in the middle"


def test_what_a_kill_has_left_is_removed_after_a_while(download, tmp_path):
    old, new, other = (tmp_path / name for name in (".file.bin.a.part", ".file.bin.b.part", ".mine.part"))
    for path in (old, new, other):
        path.write_bytes(b"half")
    os.utime(old, (time.time() - 2 * downloads.STALE,) * 2)
    downloads.fetch(download("/good"), tmp_path)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == [new.name, other.name, "file.bin"]


@pytest.mark.parametrize(
    ("options", "told"),
    [("size=600k", "No space left on device"), ("ro", "cannot be written to.*Read-only file system.*DLKIT_DATA")],
)
def test_a_full_or_read_only_disk_is_told(download, server, tmp_path, options, told):
    process = fetching(download("/good"), tmp_path / "disk", before=mounted(tmp_path / "disk", options))
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "DataError" in said
    assert re.search(told, said, re.DOTALL), said
    assert server.asked == (["/good"] if "size" in options else []), "nothing is asked for that cannot be kept"
