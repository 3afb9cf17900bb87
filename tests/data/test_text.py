"""Reviews, prose and sunspots in every layout in which they are accepted."""

import hashlib
from dataclasses import replace

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
    assert not set(texts) & set(test_texts), "of equal texts only the first is used"
    assert all(("pos" in sentence) == label for sentence, label in zip(texts, labels, strict=True))
    assert "caf\xe9" in texts[0]
    assert repr(reviews).splitlines()[1] == "  32 training and 8 test texts of 5 words on average"
    assert data.locate("reviews") == "DLKIT_DATA: rt-polarity.pos"


@pytest.mark.parametrize(("positive", "count"), [("good\n" * 20, 1), ("".join(f"bad {k}\n" for k in range(20)), 0)])
def test_read_rt_polarity_refuses_files_without_sentences_of_their_own(no_data_env, positive, count):
    write_rt_polarity(no_data_env / "rt-polarity")
    (no_data_env / "rt-polarity" / "rt-polarity.pos").write_text(positive)
    (no_data_env / "rt-polarity" / "rt-polarity.neg").write_text("".join(f"bad {k}\n" for k in range(20)))
    with pytest.raises(data.DataError, match=rf"rt-polarity\.pos: expected a sentence .* Received: {count}\."):
        data.load("reviews")


@pytest.mark.parametrize("name", ["rt-polarity.neg", "rt-polarity.pos"])
def test_read_rt_polarity_names_a_missing_file(no_data_env, name):
    write_rt_polarity(no_data_env / "rt-polarity")
    (no_data_env / "rt-polarity" / name).unlink()
    with pytest.raises(FileNotFoundError, match=name):
        data.load("reviews")


@pytest.mark.parametrize("path", REGISTRY["prose"].paths)
def test_read_prose_is_cut_at_the_end_of_a_line(no_data_env, monkeypatch, path):
    content = "".join(f"line {k} \u2014 of a play\n" for k in range(100))
    checksum = hashlib.sha256(content.encode()).hexdigest()
    monkeypatch.setattr(text, "TINY_SHAKESPEARE", replace(text.TINY_SHAKESPEARE, sha256=checksum))
    (no_data_env / path).parent.mkdir(exist_ok=True)
    (no_data_env / path).write_bytes(content.encode())
    prose = data.load("prose", real=True)
    assert prose.train + prose.test == content
    assert prose.train.endswith("\n")
    assert 0.05 < len(prose.test) / len(content) < 0.15
    assert repr(prose).splitlines()[1] == f"  {len(prose.train):,} training and {len(prose.test):,} test characters"


def test_read_prose_refuses_another_text(no_data_env):
    (no_data_env / "tinyshakespeare.txt").write_text("a play\n" * 9)
    with pytest.raises(data.DataError, match=r"tinyshakespeare\.txt: wrong checksum"):
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


def test_sunspots_file_is_small():
    assert text.SUNSPOTS.stat().st_size < 50_000
