"""Downloads, from a server on this machine: either the verified file is there, or nothing that looks like it."""

import hashlib
import http.server
import threading

import pytest

from dlkit.data import sources
from dlkit.data.readers import DataError

CONTENT = bytes(range(256)) * 5000  # 1.28 MB, more than one block


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        answers = {"/good": CONTENT, "/wrong": CONTENT[:-1] + b"x", "/long": CONTENT + b"more", "/cut": CONTENT[:-5000]}
        if self.path not in answers:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT) if self.path == "/cut" else len(answers[self.path])))
        self.end_headers()
        self.wfile.write(answers[self.path])

    def log_message(self, *arguments):
        pass


@pytest.fixture(scope="module")
def server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.asked = []
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def download(server):
    def make(*paths):
        urls = tuple(f"http://127.0.0.1:{server.server_port}{path}" for path in paths)
        return sources.Download("file.bin", hashlib.sha256(CONTENT).hexdigest(), len(CONTENT), urls)

    server.asked.clear()
    return make


def test_a_good_download_is_verified_and_put_in_place(download, tmp_path):
    path = sources.fetch(download("/good"), tmp_path / "new")
    assert path.read_bytes() == CONTENT
    assert [entry.name for entry in path.parent.iterdir()] == ["file.bin"]


def test_what_is_there_and_right_is_not_fetched_again(download, server, tmp_path):
    sources.fetch(download("/good"), tmp_path)
    server.asked.clear()
    sources.fetch(download("/good"), tmp_path)
    assert server.asked == []


@pytest.mark.parametrize("bad", ["/wrong", "/long", "/cut", "/missing"])
def test_a_bad_source_leaves_nothing_behind_and_the_next_is_tried(download, tmp_path, bad):
    with pytest.raises(DataError, match=r"file\.bin could not be fetched") as refusal:
        sources.fetch(download(bad), tmp_path)
    assert bad in str(refusal.value)
    assert list(tmp_path.iterdir()) == []
    assert sources.fetch(download(bad, "/good"), tmp_path).read_bytes() == CONTENT


def test_a_dead_server_is_told(tmp_path):
    dead = sources.Download("file.bin", "0" * 64, 10, ("http://127.0.0.1:9/file",))
    with pytest.raises(DataError, match="http://127.0.0.1:9/file: .*refused"):
        sources.fetch(dead, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_checksum_names_the_file_and_both_sums(download, tmp_path):
    (tmp_path / "file.bin").write_bytes(b"something else")
    with pytest.raises(DataError, match=r"file\.bin: wrong checksum") as refusal:
        sources.fetch(download("/good"), tmp_path)
    assert hashlib.sha256(CONTENT).hexdigest() in str(refusal.value)
    assert hashlib.sha256(b"something else").hexdigest() in str(refusal.value)
    assert (tmp_path / "file.bin").read_bytes() == b"something else", "never overwritten: it may be yours"


def test_ctrl_c_leaves_nothing_behind(download, tmp_path, monkeypatch):
    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(sources, "verify", interrupted)
    with pytest.raises(KeyboardInterrupt):
        sources.fetch(download("/good"), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_load_downloads_what_is_missing(empty_room, server, download, monkeypatch, capsys):
    from dlkit import data

    monkeypatch.setenv("DLKIT_OFFLINE", "0")
    monkeypatch.setitem(sources.DOWNLOADS, "cifar10", download("/missing"))
    assert data.load("cifar10").origin == "stand-in"
    assert "could not be fetched" in capsys.readouterr().out
    assert server.asked == ["/missing"]


def test_offline_asks_nobody(empty_room, server, download, monkeypatch):
    from dlkit import data

    monkeypatch.setitem(sources.DOWNLOADS, "mnist", download("/good"))
    data.load("mnist")
    assert server.asked == []
