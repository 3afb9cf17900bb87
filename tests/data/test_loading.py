"""Loading by name: found on disk, else downloaded, else replaced by a fallback under its own name."""

import hashlib
import re
from dataclasses import replace

import numpy as np
import pytest
from keras.datasets import imdb

from dlkit import data, runtime
from dlkit.data import loading, text
from dlkit.data.registry import REGISTRY

pytestmark = pytest.mark.usefixtures("small_stand_ins")
WITH_FALLBACK = [name for name, source in REGISTRY.items() if source.fallback]


@pytest.mark.parametrize("function", [data.load, data.locate])
@pytest.mark.parametrize("name", ["imagenet", None, 10, ["digits"]])
def test_unknown_name_is_refused_with_the_known_ones(function, name):
    with pytest.raises(ValueError, match=re.escape(f"{', '.join(data.NAMES)}. Received: {name!r}")):
        function(name)


@pytest.mark.parametrize("name", WITH_FALLBACK)
def test_load_announces_the_stand_in_and_gives_it_its_own_name(name, no_data_env, capsys):
    found = data.load(name)
    assert not found.is_real
    assert found.name == REGISTRY[name].fallback[-1]
    output = capsys.readouterr().out
    assert output.startswith(f"No {name} found and none downloaded: using a stand-in, {found.name}. ")
    assert output.count("\n") == 1
    assert data.locate(name) is None


def test_load_says_what_the_stand_in_is(no_data_env, capsys):
    data.load("cifar10")
    notice = (
        "No cifar10 found and none downloaded: using a stand-in, shapes10. Ten kinds of shapes .* no photographs.\n"
    )
    assert re.fullmatch(notice, capsys.readouterr().out)


@pytest.mark.parametrize("name", WITH_FALLBACK)
def test_load_real_accepts_no_stand_in_and_says_how_to_get_it(name, no_data_env):
    line = re.escape(runtime.dlkit_command("data", "fetch", name))
    fetch = f"[Ww]ith a network run `{line}`, or " if name in loading.fetchable() else ""
    needs = re.escape(f"et DLKIT_DATA to a folder that holds {REGISTRY[name].needs}.")
    message = f"The real {name} was not found and could not be downloaded. {fetch}[Ss]{needs}"
    with pytest.raises(data.DataError, match=message):
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
    assert "file.bin could not be written" in capsys.readouterr().out


def test_load_offline_requests_nothing(no_data_env, download, server, monkeypatch):
    monkeypatch.setitem(REGISTRY, "mnist", replace(REGISTRY["mnist"], download=download("/good")))
    data.load("mnist")
    assert server.requests == []


def test_fetch_downloads_into_the_project_or_verifies(no_data_env, download, server, tmp_path, monkeypatch):
    monkeypatch.setitem(REGISTRY, "mnist", replace(REGISTRY["mnist"], download=download("/good")))
    with pytest.raises(data.DataError, match="mnist is not downloaded, because DLKIT_OFFLINE is set"):
        loading.fetch("mnist")
    monkeypatch.delenv("DLKIT_OFFLINE")
    assert loading.fetch("mnist") == loading.fetch("mnist") == tmp_path / "project-data" / "file.bin"
    assert server.requests == ["/good"]


# --- reviews, whose first fallback is real too


@pytest.fixture
def imdb_files(tmp_path, keras_cache, monkeypatch):
    """A folder with files that pass for those of IMDB, from which they are "downloaded"; Keras reads two reviews."""
    folder = tmp_path / "imdb"
    folder.mkdir()
    checksums = {}
    for name in text.IMDB_FILES:
        (folder / name).write_text(name)
        checksums[name] = hashlib.sha256(name.encode()).hexdigest()
    reviews = np.array([[1, 4, 5, 2, 6], [1, 6, 4]], object), np.array([1, 0])
    monkeypatch.setattr(text, "IMDB_FILES", checksums)
    monkeypatch.setattr(text, "IMDB_URL", folder.as_uri() + "/")
    monkeypatch.setattr(imdb, "load_data", lambda: (reviews, reviews))
    monkeypatch.setattr(imdb, "get_word_index", lambda: {"a": 1, "good": 2, "film": 3})
    return folder


def test_load_reviews_downloads_imdb(imdb_files, monkeypatch, capsys):
    monkeypatch.delenv("DLKIT_OFFLINE")
    found = data.load("reviews", real=True)
    assert found.train[0].tolist() == ["a good ? film", "film a"]
    assert found.test[1].tolist() == [1, 0]
    assert (found.name, found.is_real, found.source) == ("imdb", True, "download")
    assert "No reviews found and none downloaded: using imdb. 50,000 movie reviews" in capsys.readouterr().out


@pytest.mark.parametrize("where", ["DLKIT_DATA", "Keras's cache"])
def test_load_reviews_takes_imdb_from_a_folder(where, imdb_files, no_data_env, keras_cache):
    folder = no_data_env if where == "DLKIT_DATA" else keras_cache
    folder.mkdir(parents=True, exist_ok=True)
    (imdb_files / "imdb.npz").rename(folder / "imdb.npz")
    assert data.locate("imdb") == f"{where}: imdb.npz"
    with pytest.raises(data.DataError, match=r"imdb_word_index\.json could not be fetched:\n  file://.*No such file"):
        data.load("imdb")
    (imdb_files / "imdb_word_index.json").rename(folder / "imdb_word_index.json")
    assert data.locate("reviews") is None
    for name in ("reviews", "imdb"):
        found = data.load(name, real=True)
        assert (found.name, found.source) == ("imdb", where)
    assert sorted(path.name for path in keras_cache.iterdir()) == sorted(text.IMDB_FILES)


def test_load_imdb_downloads_what_the_cache_lacks(imdb_files, keras_cache, monkeypatch):
    monkeypatch.delenv("DLKIT_OFFLINE")
    keras_cache.mkdir(parents=True)
    (imdb_files / "imdb.npz").rename(keras_cache / "imdb.npz")
    assert data.load("imdb").is_real
    assert (keras_cache / "imdb_word_index.json").exists()


def test_load_reviews_reports_why_imdb_was_not_downloaded(imdb_files, monkeypatch, capsys):
    (imdb_files / "imdb.npz").unlink()
    monkeypatch.delenv("DLKIT_OFFLINE")
    with pytest.raises(data.DataError, match=re.escape(runtime.dlkit_command("data", "fetch", "reviews"))):
        data.load("reviews", real=True)
    assert re.search(r"imdb\.npz could not be fetched:\n .*No such file", capsys.readouterr().out)


def test_load_reviews_passes_over_a_damaged_imdb(imdb_files, no_data_env, capsys):
    for name in text.IMDB_FILES:
        (no_data_env / name).write_text("something else")
    assert data.load("reviews").name == "docstrings"
    message = r"imdb\.npz could not be fetched:\n  file://.*file hash does not match"
    assert re.search(message, capsys.readouterr().out)
    with pytest.raises(data.DataError, match=message):
        data.load("imdb")


def test_fetch_reviews_downloads_imdb(imdb_files, keras_cache, monkeypatch):
    monkeypatch.delenv("DLKIT_OFFLINE")
    assert loading.fetch("reviews") == keras_cache / "imdb.npz"


@pytest.mark.parametrize("folder", ["cifar-10-batches-py", "cifar10/train"])
def test_load_says_what_it_found_and_does_not_read(folder, no_data_env, monkeypatch, capsys):
    (no_data_env / folder).mkdir(parents=True)
    monkeypatch.setitem(REGISTRY, "shapes10", REGISTRY["digits"])
    assert data.load("cifar10").name == "digits"
    said = capsys.readouterr().out
    assert (
        f"Found {folder.rpartition('/')[2]}, which is not read. Set DLKIT_DATA to a folder that holds cifar10.npz"
        in said
    )
