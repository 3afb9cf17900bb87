"""Where data is looked for, and where downloads go."""

from dlkit.data import locations
from tools.notebooks import ROOT


def test_project_data_of_the_project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert locations.project_data() == ROOT / "data"


def test_project_data_without_the_project(tmp_path, monkeypatch):
    monkeypatch.setattr(locations, "project_folder", lambda: None)
    monkeypatch.chdir(tmp_path)
    assert locations.project_data() == tmp_path / "data"
