"""Loading by name: found on disk, else downloaded, else replaced by a fallback under its own name."""

import re
from dataclasses import replace

import numpy as np
import pytest
from keras.datasets import imdb

from dlkit import data, runtime
from dlkit.data import builtin_texts, loading
from dlkit.data.registry import REGISTRY


@pytest.fixture(autouse=True)
def few_docstrings(monkeypatch):
    """Collects the docstrings of two small libraries: those of all four take ten seconds, and tests of their own."""
    collect = builtin_texts.docstrings
    monkeypatch.setattr(builtin_texts, "docstrings", lambda: collect(("keras_tuner", "nbformat")))


WITH_FALLBACK = [name for name, source in REGISTRY.items() if source.fallback]


@pytest.mark.parametrize("function", [data.load, data.locate])
def test_unknown_name_is_refused_with_the_known_ones(function):
    with pytest.raises(ValueError, match=f'{", ".join(data.NAMES)}. Received: "imagenet"'):
        function("imagenet")


@pytest.mark.parametrize("name", WITH_FALLBACK)
def test_load_announces_the_stand_in_and_gives_it_its_own_name(name, no_data_env, capsys):
    found = data.load(name)
    assert not found.is_real
    assert found.name == REGISTRY[name].fallback[-1]
    output = capsys.readouterr().out
    assert output.startswith(f"No {name} found and none downloaded: using a stand-in, {found.name}, ")
    assert output.count("\n") == 1
    assert data.locate(name) is None


def test_load_says_what_the_stand_in_is(no_data_env, capsys):
    data.load("cifar10")
    notice = "No cifar10 found and none downloaded: using a stand-in, shapes10, drawn by this program.\n"
    assert capsys.readouterr().out == notice


@pytest.mark.parametrize("name", WITH_FALLBACK)
def test_load_real_accepts_no_stand_in_and_says_how_to_get_it(name, no_data_env):
    line = re.escape(runtime.dlkit_command("data", "fetch", name))
    fetch = f"[Ww]ith a network run `{line}`, or " if name in loading.fetchable() else ""
    message = f"(?i)The real {name} was not found .* {fetch}{re.escape(REGISTRY[name].needs)}"
    with pytest.raises(data.DataError, match=message):
        data.load(name, real=True)


@pytest.mark.parametrize("name", ["mnist", "cifar10", "reviews", "prose"])
def test_load_real_names_the_folder_for_the_files(name, no_data_env):
    line = re.escape(runtime.dlkit_command("data", "fetch", name))
    with pytest.raises(data.DataError, match=f"With a network run `{line}`, or set DLKIT_DATA to a folder"):
        data.load(name, real=True)


def test_load_real_of_a_set_that_cannot_be_downloaded(no_data_env, monkeypatch):
    monkeypatch.setitem(REGISTRY, "cifar10", replace(REGISTRY["cifar10"], download=None))
    with pytest.raises(data.DataError, match=r"could not be downloaded\. Set DLKIT_DATA to a folder"):
        data.load("cifar10", real=True)
    assert "cifar10" not in loading.fetchable()


def test_load_reports_a_wrong_dlkit_data(no_data_env, monkeypatch):
    monkeypatch.setenv("DLKIT_DATA", str(no_data_env / "nowhere"))
    with pytest.raises(data.DataError, match="nowhere, which is not a folder"):
        data.load("cifar10")


# --- downloads


def test_load_downloads_what_is_missing_else_falls_back(no_data_env, download, server, monkeypatch, capsys):
    monkeypatch.setenv("DLKIT_OFFLINE", "0")
    monkeypatch.setitem(REGISTRY, "cifar10", replace(REGISTRY["cifar10"], download=download("/missing")))
    assert not data.load("cifar10").is_real
    assert "could not be fetched" in capsys.readouterr().out
    assert server.requests == ["/missing"]


def test_load_falls_back_when_the_folder_is_not_writable(no_data_env, download, tmp_path, monkeypatch, capsys):
    (tmp_path / "project-data").write_text("a file where the folder should be")
    monkeypatch.setenv("DLKIT_OFFLINE", "0")
    monkeypatch.setitem(REGISTRY, "mnist", replace(REGISTRY["mnist"], download=download("/good")))
    assert not data.load("mnist").is_real
    assert "project-data cannot be written to" in capsys.readouterr().out


def test_load_offline_requests_nothing(no_data_env, download, server, monkeypatch):
    monkeypatch.setitem(REGISTRY, "mnist", replace(REGISTRY["mnist"], download=download("/good")))
    data.load("mnist")
    assert server.requests == []


def test_fetch_downloads_into_the_project_or_verifies(no_data_env, download, server, tmp_path, monkeypatch):
    monkeypatch.setitem(REGISTRY, "mnist", replace(REGISTRY["mnist"], download=download("/good")))
    assert loading.fetch("mnist") == loading.fetch("mnist") == tmp_path / "project-data" / "file.bin"
    assert server.requests == ["/good"]


# --- reviews, whose first fallback is real too


def test_load_reviews_downloads_imdb(no_data_env, monkeypatch, capsys):
    reviews = np.array([[1, 4, 5, 2, 6], [1, 6, 4]], object), np.array([1, 0])
    monkeypatch.setattr(imdb, "load_data", lambda: (reviews, reviews))
    monkeypatch.setattr(imdb, "get_word_index", lambda: {"a": 1, "good": 2, "film": 3})
    monkeypatch.delenv("DLKIT_OFFLINE")
    found = data.load("reviews", real=True)
    assert found.train[0].tolist() == ["a good ? film", "film a"]
    assert found.test[1].tolist() == [1, 0]
    assert (found.name, found.is_real, found.source) == ("imdb", True, "download")
    assert "No reviews found and none downloaded: using imdb, the 50,000 movie" in capsys.readouterr().out


def test_load_reviews_takes_imdb_from_keras_cache_if_complete(no_data_env, tmp_path, monkeypatch):
    reviews = np.array([[1, 4], [1, 5]], object), np.array([1, 0])
    monkeypatch.setattr(imdb, "load_data", lambda: (reviews, reviews))
    monkeypatch.setattr(imdb, "get_word_index", lambda: {"a": 1, "good": 2})
    cache = tmp_path / "keras" / "datasets"
    cache.mkdir(parents=True)
    (cache / "imdb.npz").touch()
    assert data.locate("imdb") is None
    with pytest.raises(data.DataError):
        data.load("reviews", real=True)
    (cache / "imdb_word_index.json").touch()
    assert data.locate("imdb") == "Keras's cache: imdb.npz"
    assert data.locate("reviews") is None
    for name in ("reviews", "imdb"):
        found = data.load(name, real=True)
        assert (found.name, found.source) == ("imdb", "Keras's cache")


def test_load_reviews_reports_why_imdb_was_not_downloaded(no_data_env, monkeypatch, capsys):
    def fails():
        raise Exception("URL fetch failure")

    monkeypatch.setattr(imdb, "load_data", fails)
    monkeypatch.delenv("DLKIT_OFFLINE")
    with pytest.raises(data.DataError, match=re.escape(runtime.dlkit_command("data", "fetch", "reviews"))):
        data.load("reviews", real=True)
    assert "URL fetch failure" in capsys.readouterr().out


def test_load_reviews_passes_over_a_damaged_imdb(no_data_env, tmp_path, monkeypatch, capsys):
    def fails():
        raise ValueError("not a zip file")

    monkeypatch.setattr(imdb, "load_data", fails)
    cache = tmp_path / "keras" / "datasets"
    cache.mkdir(parents=True)
    for file in REGISTRY["imdb"].keras_files:
        (cache / file).touch()
    assert data.load("reviews").name == "docstrings"
    assert "imdb.npz could not be read: not a zip file. Delete it" in capsys.readouterr().out
    with pytest.raises(data.DataError, match=r"imdb\.npz could not be read"):
        data.load("imdb")


def test_fetch_reviews_downloads_imdb(no_data_env, tmp_path, monkeypatch):
    monkeypatch.setattr(imdb, "load_data", lambda: None)
    monkeypatch.setattr(imdb, "get_word_index", lambda: None)
    assert loading.fetch("reviews") == tmp_path / "keras" / "datasets" / "imdb.npz"
