"""Where data is looked for, and when it is downloaded; how downloads are made is in test_download.py."""

from dlkit import data
from dlkit.data import sources
from tools.notebooks import ROOT


def test_load_downloads_what_is_missing_and_falls_back_to_a_stand_in(empty_room, download, server, monkeypatch, capsys):
    monkeypatch.setenv("DLKIT_OFFLINE", "0")
    monkeypatch.setitem(sources.DOWNLOADS, "cifar10", download("/missing"))
    assert not data.load("cifar10").is_real
    assert "could not be fetched" in capsys.readouterr().out
    assert server.asked == ["/missing"]


def test_a_folder_that_cannot_be_written_to_is_no_reason_to_stop_a_lesson(
    empty_room, download, tmp_path, monkeypatch, capsys
):
    (tmp_path / "project-data").write_text("a file where the folder should be")
    monkeypatch.setenv("DLKIT_OFFLINE", "0")
    monkeypatch.setitem(sources.DOWNLOADS, "mnist", download("/good"))
    assert not data.load("mnist").is_real
    assert "project-data cannot be written to" in capsys.readouterr().out


def test_offline_asks_nobody(empty_room, download, server, monkeypatch):
    monkeypatch.setitem(sources.DOWNLOADS, "mnist", download("/good"))
    data.load("mnist")
    assert server.asked == []


def test_downloads_go_to_the_folder_data_of_the_project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert sources.project_data() == ROOT / "data"


def test_without_the_project_downloads_go_to_the_folder_data_of_the_current_one(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "project_folder", lambda: None)
    monkeypatch.chdir(tmp_path)
    assert sources.project_data() == tmp_path / "data"
