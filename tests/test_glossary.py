"""The glossary: complete, in both languages, and every term is where it says."""

import csv
import re

import pytest

from dlkit import data
from tools.notebooks import LESSONS, ROOT, prose, read

ROWS = list(csv.DictReader((ROOT / "data" / "glossary.csv").open(encoding="utf-8", newline="")))
TERMS = {row["term"].lower(): row for row in ROWS}

# Set in italics or bold for stress, or as a label: no terms. What is new and set so belongs into data/glossary.csv.
STRESSED = {
    phrase.strip()
    for phrase in """
a · add · added · adds · after · all · alone · and · are · as a class · as a graph · as a list · as now · at every
place · augment · augmented validation · b · batch normalisation · before · begins · between · c · calibrated · can
· check it · choose the columns before the split · clip · clips · could · curvatures · d · degrees · did · distance
· draw and see · enlarge · equals · every · example · find · first · fitting assumption · forget · found · frozen
features · full · function · grow · here · high · however many weights there are · inside · into · is · is no · is
yes · labels · last · layers below · less · lesson · list · litert dynamic · litert float32 · litert int8 ·
logarithm · logit · look at both · mean · measured · mixed · more data · move · not summed · nudge one pixel · on
the images it was trained on · on the test set · one · one batch · one cycle ago · one line · one single · other ·
ours · output · plain · prove it · random · random numbers · reduce · result · right · seem ·
set · shift + enter · simulate · small · test · the length of a step · this · twelve · twice · two · use · vanished
· watch the window · where · within · without · worth · wrong · yes
""".replace("\n", " ").split(" · ")
}


def plain(text):
    """Without code and formulas."""
    text = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    return re.sub(r"\$\$.*?\$\$|\$[^$\n]*\$|`[^`]*`", " ", text, flags=re.DOTALL)


def marked(path):
    """What a notebook's prose sets in italics, and in bold if it is short; lower case."""
    text = plain(prose(read(path)))
    text = re.sub(r"^\*.*\?\*$", "", text, count=1, flags=re.MULTILINE)  # the question below the title
    bold = [phrase for phrase in re.findall(r"\*\*([^*\n]+)\*\*", text) if len(phrase.split()) <= 3]
    italic = re.findall(r"(?<![\w*])\*([^*\n]+)\*(?![\w*])", re.sub(r"\*\*[^*]+\*\*", "", text))
    phrases = {phrase.strip(" .:?,").lower() for phrase in bold + italic}
    return {p for p in phrases if p and not re.match(r"(time|before this|after this|guess|\d)", p)}


def test_there_are_enough_and_none_twice_and_the_readme_counts_right():
    assert f"`data.glossary()` explains {len(ROWS)} terms" in (ROOT / "README.md").read_text()
    assert len(ROWS) >= 150
    assert len(TERMS) == len(ROWS)
    assert [row["term"].lower() for row in ROWS] == sorted(TERMS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["term"])
def test_a_term_has_both_languages_one_sentence_and_stands_in_its_notebook(row):
    assert re.search("[\u4e00-\u9fff]", row["chinese"]) or row["chinese"] == row["term"]
    assert re.fullmatch(r"[A-Z0-9].*[^.]\.", row["definition"])
    assert 20 <= len(row["definition"]) <= 160
    (path,) = [path for path in LESSONS if path.stem.startswith(row["notebook"])]
    text = " ".join(cell.source for cell in read(path).cells).replace("_", " ")
    assert re.search(rf"(?<!\w){re.escape(row['term'])}(s|es)?(?!\w)", text, re.IGNORECASE)


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_a_term_that_is_set_off_is_in_the_glossary_from_then_on(path):
    for phrase in marked(path) - STRESSED:
        row = TERMS.get(phrase) or TERMS.get(phrase.rstrip("s"))
        assert row, f"{phrase!r}: a new term belongs into data/glossary.csv, a stressed phrase into STRESSED."
        assert row["notebook"] <= path.stem[:2], f"{phrase!r} is introduced in {path.stem}"


def test_the_list_of_stressed_phrases_has_no_leftovers():
    assert set.union(*map(marked, LESSONS)) >= STRESSED
    assert not STRESSED & set(TERMS)


def test_one_call_finds_terms_in_both_languages_and_shows_a_table():
    assert len(data.glossary()) == len(ROWS)
    assert [row["term"] for row in data.glossary("Nester")] == ["Nesterov"]
    assert [row["term"] for row in data.glossary("知识蒸馏")] == ["distillation"]
    assert data.glossary("no such term") == []
    table = data.glossary("F1")._repr_html_()
    assert "F1 分数" in table
    assert table.count("<tr>") == 2
