"""Reviews, prose and sunspots: every form they come in, and their stand-ins."""

import re

import numpy as np
import pytest

from dlkit import data, runtime
from dlkit.data import builtin_texts, sources, text


def write_polarity(folder, count=20):
    folder.mkdir(parents=True)
    for kind in ("pos", "neg"):
        lines = [f"{kind} review number {k} \x85 caf\xe9" for k in range(count)] + [
            "",
            f"{kind} review number 0 \x85 caf\xe9",
        ]
        (folder / f"rt-polarity.{kind}").write_text("\n".join(lines) + "\n", encoding="latin-1")


def test_rt_polarity_is_read_in_latin_1_without_doubles_and_split_in_equal_shares(empty_room):
    write_polarity(empty_room / "rt-polarity")
    reviews = data.load("reviews", real=True)
    assert (reviews.is_real, reviews.source, reviews.class_names) == (True, "DLKIT_DATA", ["negative", "positive"])
    (texts, labels), (test_texts, test_labels) = reviews.train, reviews.test
    assert (len(texts), len(test_texts)) == (32, 8)
    assert np.bincount(labels).tolist() == [16, 16]
    assert np.bincount(test_labels).tolist() == [4, 4]
    assert not set(texts) & set(test_texts)
    assert all(("pos" in sentence) == label for sentence, label in zip(texts, labels, strict=True))
    assert "caf\xe9" in texts[0]
    assert repr(reviews).splitlines()[1] == "  32 training and 8 test texts of 5 words on average"
    assert data.locate("reviews") == "DLKIT_DATA: rt-polarity.pos"


def test_a_missing_half_of_rt_polarity_is_named(empty_room):
    write_polarity(empty_room / "rt-polarity")
    (empty_room / "rt-polarity" / "rt-polarity.neg").unlink()
    with pytest.raises(data.DataError, match=r"lacks rt-polarity\.neg"):
        data.load("reviews")


def test_imdb_is_decoded_from_keras(empty_room, monkeypatch):
    from keras.datasets import imdb

    reviews = np.array([[1, 4, 5, 2, 6], [1, 6, 4]], object), np.array([1, 0])
    monkeypatch.setattr(imdb, "load_data", lambda: (reviews, reviews))
    monkeypatch.setattr(imdb, "get_word_index", lambda: {"a": 1, "good": 2, "film": 3})
    monkeypatch.delenv("DLKIT_OFFLINE")
    found = data.load("reviews", real=True)
    assert found.train[0].tolist() == ["a good ? film", "film a"]
    assert found.test[1].tolist() == [1, 0]
    assert (found.is_real, found.source) == (True, "download")


def test_imdb_in_keras_cache_needs_no_network_and_half_of_it_does_not_count(empty_room, tmp_path, monkeypatch):
    from keras.datasets import imdb

    reviews = np.array([[1, 4], [1, 5]], object), np.array([1, 0])
    monkeypatch.setattr(imdb, "load_data", lambda: (reviews, reviews))
    monkeypatch.setattr(imdb, "get_word_index", lambda: {"a": 1, "good": 2})
    cache = tmp_path / "keras" / "datasets"
    cache.mkdir(parents=True)
    (cache / "imdb.npz").touch()
    assert data.locate("reviews") is None
    with pytest.raises(data.DataError):
        data.load("reviews", real=True)
    (cache / "imdb_word_index.json").touch()
    assert data.locate("reviews") == "Keras's cache: imdb.npz"
    assert data.load("reviews").source == "Keras's cache"


def test_when_keras_cannot_fetch_imdb_the_reason_is_told(empty_room, monkeypatch, capsys):
    from keras.datasets import imdb

    def fails():
        raise Exception("URL fetch failure")

    monkeypatch.setattr(imdb, "load_data", fails)
    monkeypatch.delenv("DLKIT_OFFLINE")
    with pytest.raises(data.DataError, match=re.escape(runtime.command("data", "fetch", "reviews"))):
        data.load("reviews", real=True)
    assert "URL fetch failure" in capsys.readouterr().out


def test_the_stand_in_for_reviews_is_real_prose_that_does_not_name_its_library(empty_room, capsys):
    reviews = data.load("reviews")
    assert "using a stand-in, the first sentences of docstrings" in capsys.readouterr().out
    assert not reviews.is_real
    (texts, labels), (test_texts, test_labels) = reviews.train, reviews.test
    assert not set(texts) & set(test_texts)
    counts = np.bincount(np.concatenate([labels, test_labels]))
    assert len(counts) == 4
    assert 1_000 < counts.min() == counts.max() <= 1_200, "NumPy 2.5 has 1,186"
    assert 0.1 < len(test_texts) / (len(texts) + len(test_texts)) < 0.3
    for name in builtin_texts.LIBRARIES:
        assert not any(name in sentence for sentence in texts)
    words = {word for sentence in texts for word in sentence.split()}
    assert {"input", "given", "array"} <= words, "only whole names are blotted out"


def test_broken_source_files_are_passed_over(tmp_path):
    (tmp_path / "broken.py").write_bytes(b"def f(:\n")
    (tmp_path / "null.py").write_bytes(b"\x00\xff")
    for name in ("broken.py", "null.py"):
        assert list(builtin_texts._first_sentences(tmp_path / name, ("numpy",))) == []


@pytest.mark.parametrize("place", sources.FORMS["prose"])
def test_prose_is_cut_at_the_end_of_a_line(empty_room, place):
    whole = "".join(f"line {k} \u2014 of a play\n" for k in range(100))
    (empty_room / place).parent.mkdir(exist_ok=True)
    (empty_room / place).write_text(whole, encoding="utf-8")
    prose = data.load("prose", real=True)
    assert prose.train + prose.test == whole
    assert prose.train.endswith("\n")
    assert 0.05 < len(prose.test) / len(whole) < 0.15
    assert repr(prose).splitlines()[1] == f"  {len(prose.train):,} training and {len(prose.test):,} test characters"


def test_prose_that_is_no_text_is_told(empty_room):
    (empty_room / "tinyshakespeare.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(data.DataError, match="no text in UTF-8"):
        data.load("prose")


@pytest.mark.parametrize("content", ["", "one line without an end" * 50, "x" * 990 + "\n" + "y" * 9])
def test_prose_without_lines_is_told(empty_room, content):
    (empty_room / "tinyshakespeare.txt").write_text(content)
    with pytest.raises(data.DataError, match=r"tinyshakespeare\.txt: expected a text of many lines"):
        data.load("prose")


def test_reviews_without_sentences_are_told(empty_room):
    (empty_room / "rt-polarity.pos").write_text("good\n" * 20)
    (empty_room / "rt-polarity.neg").write_text("".join(f"bad {k}\n" for k in range(20)))
    with pytest.raises(data.DataError, match=r"rt-polarity\.pos: expected a sentence in each line.* Received: 1\."):
        data.load("reviews")


def test_the_stand_in_for_prose_is_pythons_help(empty_room):
    prose = data.load("prose")
    assert (prose.is_real, prose.source) == (False, "Python")
    assert len(prose.train) > 300_000
    assert "statement" in prose.train


@pytest.mark.parametrize("name", ["reviews", "prose"])
def test_real_texts_never_fall_back(name, empty_room):
    line = re.escape(runtime.command("data", "fetch", name))
    with pytest.raises(data.DataError, match=f"With a network run `{line}`, or set DLKIT_DATA to a folder"):
        data.load(name, real=True)


def test_sunspots_are_whole_and_the_future_is_held_out(empty_room):
    sunspots = data.load("sunspots", real=True)
    (months, values), (test_months, test_values) = sunspots.train, sunspots.test
    assert (len(values), len(test_values)) == (2_460, 360)
    every = np.concatenate([months, test_months])
    assert (np.diff(every) == np.timedelta64(1, "M")).all()
    assert (str(every[0]), str(every[-1])) == ("1749-01", "1983-12")
    assert values.min() >= 0
    assert test_values.max() == 253.8, "October 1957, the highest month on record"
    assert "1749-01 to 1953-12 and 1954-01 to 1983-12" in repr(sunspots)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("1749-03,many", "in line 4, received 1749-03,many"),
        ("1749-03,", "in line 4, received 1749-03,"),
        ("1749-03", "in line 4, received 1749-03"),
        ("1749-03,nan", "in line 4, received 1749-03,nan"),
        ("1749-03,1,2", "in line 4, received 1749-03,1,2"),
        ("never,1", "in line 4, received never,1"),
        (",1", "in line 4, received ,1"),
        ("1749,1", "in line 4, received 1749,1"),
        ("\u00e9,1", "ascii"),
        ('"1749-03,1', "in line"),
    ],
)
def test_a_row_that_is_missing_or_no_number_is_told_by_its_line(tmp_path, monkeypatch, line, told):
    rows = text.SUNSPOTS.read_text().splitlines()
    monkeypatch.setattr(text, "SUNSPOTS", tmp_path / "sunspots.csv")
    text.SUNSPOTS.write_text("\n".join([*rows[:3], line, *rows[4:]]), encoding="utf-8")
    with pytest.raises(data.DataError, match=f"sunspots.csv is part of dlkit and not a readable table.*{told}"):
        data.load("sunspots")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("a,b\n1,2\n", "columns month,sunspots in line 1, received a,b"),
        ("month,sunspots\n", "received 0 rows"),
        ("", ""),
    ],
)
def test_a_table_of_another_make_is_told(tmp_path, monkeypatch, content, told):
    monkeypatch.setattr(text, "SUNSPOTS", tmp_path / "sunspots.csv")
    text.SUNSPOTS.write_text(content)
    with pytest.raises(data.DataError, match=f"not a readable table.*{told}"):
        data.load("sunspots")


def test_texts_are_split_by_content_and_equal_ones_kept_once():
    texts = [f"text {k % 50}" for k in range(100)]
    (train, _), (test, labels) = text.split_texts(texts, [k % 2 for k in range(100)], share=0.4)
    assert (len(train), len(test)) == (30, 20)
    assert np.bincount(labels).tolist() == [10, 10]


def test_the_bundled_table_is_small():
    assert text.SUNSPOTS.stat().st_size < 50_000
