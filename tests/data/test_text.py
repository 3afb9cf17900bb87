"""Reviews, prose and sunspots in every layout in which they are accepted."""

import numpy as np
import pytest

from dlkit import data
from dlkit.data import text
from dlkit.data.registry import REGISTRY
from tests.data.helpers import write_rt_polarity


def test_read_rt_polarity(no_data_env):
    write_rt_polarity(no_data_env / "rt-polarity")
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


def test_read_rt_polarity_names_a_missing_file(no_data_env):
    write_rt_polarity(no_data_env / "rt-polarity")
    (no_data_env / "rt-polarity" / "rt-polarity.neg").unlink()
    with pytest.raises(data.DataError, match=r"lacks rt-polarity\.neg"):
        data.load("reviews")


def test_read_rt_polarity_refuses_files_without_sentences(no_data_env):
    (no_data_env / "rt-polarity.pos").write_text("good\n" * 20)
    (no_data_env / "rt-polarity.neg").write_text("".join(f"bad {k}\n" for k in range(20)))
    with pytest.raises(data.DataError, match=r"rt-polarity\.pos: expected a sentence in each line.* Received: 1\."):
        data.load("reviews")


@pytest.mark.parametrize("path", REGISTRY["prose"].paths)
def test_read_prose_is_cut_at_the_end_of_a_line(no_data_env, path):
    content = "".join(f"line {k} \u2014 of a play\n" for k in range(100))
    (no_data_env / path).parent.mkdir(exist_ok=True)
    (no_data_env / path).write_text(content, encoding="utf-8")
    prose = data.load("prose", real=True)
    assert prose.train + prose.test == content
    assert prose.train.endswith("\n")
    assert 0.05 < len(prose.test) / len(content) < 0.15
    assert repr(prose).splitlines()[1] == f"  {len(prose.train):,} training and {len(prose.test):,} test characters"


def test_read_prose_refuses_other_encodings(no_data_env):
    (no_data_env / "tinyshakespeare.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(data.DataError, match="is not a text in UTF-8"):
        data.load("prose")


@pytest.mark.parametrize("content", ["", "one line without an end" * 50, "x" * 990 + "\n" + "y" * 9])
def test_read_prose_refuses_a_text_without_lines(no_data_env, content):
    (no_data_env / "tinyshakespeare.txt").write_text(content)
    with pytest.raises(data.DataError, match=r"tinyshakespeare\.txt: expected a text of many lines"):
        data.load("prose")


def test_read_sunspots_is_complete_and_holds_out_the_last_years(no_data_env):
    sunspots = data.load("sunspots", real=True)
    (months, values), (test_months, test_values) = sunspots.train, sunspots.test
    assert (len(values), len(test_values)) == (2_460, 360)
    all_months = np.concatenate([months, test_months])
    assert (np.diff(all_months) == np.timedelta64(1, "M")).all()
    assert (str(all_months[0]), str(all_months[-1])) == ("1749-01", "1983-12")
    assert values.min() >= 0
    assert test_values.max() == 253.8, "October 1957, the highest month on record"
    assert "1749-01 to 1953-12 and 1954-01 to 1983-12" in repr(sunspots)


@pytest.mark.parametrize(
    ("line", "message"),
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
def test_read_sunspots_names_the_line_of_a_bad_row(tmp_path, monkeypatch, line, message):
    rows = text.SUNSPOTS.read_text().splitlines()
    monkeypatch.setattr(text, "SUNSPOTS", tmp_path / "sunspots.csv")
    text.SUNSPOTS.write_text("\n".join([*rows[:3], line, *rows[4:]]), encoding="utf-8")
    with pytest.raises(data.DataError, match=f"sunspots.csv is part of dlkit and not a readable table.*{message}"):
        data.load("sunspots")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a,b\n1,2\n", "columns month,sunspots in line 1, received a,b"),
        ("month,sunspots\n", "received 0 rows"),
        ("", ""),
    ],
)
def test_read_sunspots_refuses_another_table(tmp_path, monkeypatch, content, message):
    monkeypatch.setattr(text, "SUNSPOTS", tmp_path / "sunspots.csv")
    text.SUNSPOTS.write_text(content)
    with pytest.raises(data.DataError, match=f"not a readable table.*{message}"):
        data.load("sunspots")


def test_split_texts_uses_equal_texts_once():
    texts = [f"text {k % 50}" for k in range(100)]
    (train, _), (test, labels) = text.split_texts(texts, [k % 2 for k in range(100)], test_size=0.4)
    assert (len(train), len(test)) == (30, 20)
    assert np.bincount(labels).tolist() == [10, 10]


def test_sunspots_file_is_small():
    assert text.SUNSPOTS.stat().st_size < 50_000
