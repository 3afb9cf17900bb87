"""The glossary is complete in both languages, and every term occurs in the notebook that it names."""

import re

import pytest

from dlkit import data
from tools.notebooks import LESSONS, read

TEXTS = {path.stem[:2]: " ".join(cell.source for cell in read(path).cells).replace("_", " ") for path in LESSONS}


def test_terms_are_sorted_and_unique():
    terms = [row["term"].lower() for row in data.glossary()]
    assert terms == sorted(set(terms))


def test_rows_have_both_languages_and_a_definition():
    for row in data.glossary():
        assert re.search("[\u4e00-\u9fff]", row["chinese"]) or row["chinese"] == row["term"], row
        assert re.fullmatch(r"[A-Z0-9].*[^.]\.", row["definition"]), row


def test_terms_occur_in_their_notebook():
    missing = [
        f"{row['term']} ({row['notebook']})"
        for row in data.glossary()
        if not re.search(rf"(?<!\w){re.escape(row['term'])}(s|es)?(?!\w)", TEXTS[row["notebook"]], re.IGNORECASE)
    ]
    assert missing == []


def test_glossary_finds_terms_in_both_languages():
    assert [row["term"] for row in data.glossary("Nester")] == ["Nesterov"]
    assert [row["term"] for row in data.glossary("知识蒸馏")] == ["distillation"]
    assert data.glossary("no such term") == []


@pytest.mark.parametrize("word", [None, 3, ["warm-up"]])
def test_glossary_refuses_what_is_not_a_string(word):
    with pytest.raises(ValueError, match="Expected part of a term, a string. Received: "):
        data.glossary(word)


def test_glossary_is_a_table_in_a_notebook():
    table = data.glossary("F1")._repr_html_()
    assert "F1 分数" in table
    assert table.count("<tr>") == 2
