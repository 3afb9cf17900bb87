"""Where data is looked for, and where downloads go."""

from pathlib import Path

from dlkit.data import locations
from tools.notebooks import ROOT


def test_project_data_of_the_project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert locations.project_data() == ROOT / "data"


def test_project_data_without_the_project(tmp_path, monkeypatch):
    monkeypatch.setattr(locations, "project_folder", lambda: None)
    monkeypatch.chdir(tmp_path)
    assert locations.project_data() == tmp_path / "data"


def test_keras_datasets_of_a_read_only_home(tmp_path, monkeypatch):
    monkeypatch.delenv("KERAS_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert locations.keras_datasets() == tmp_path / ".keras" / "datasets"
    monkeypatch.setattr("os.access", lambda path, mode: False)
    assert locations.keras_datasets() == Path("/tmp/.keras/datasets"), "as Keras does"
