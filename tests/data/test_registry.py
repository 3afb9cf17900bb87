"""The table of data sets: every entry is complete, and its last fallback is always there."""

import pytest

from dlkit import data
from dlkit.data.registry import REGISTRY
from tools.notebooks import ROOT

ALWAYS_THERE = [name for name, source in REGISTRY.items() if source.origin]
WITH_FALLBACK = [name for name in REGISTRY if name not in ALWAYS_THERE]


@pytest.mark.parametrize("name", ALWAYS_THERE)
def test_source_that_is_always_there(name, no_data_env, small_stand_ins):
    source, dataset = REGISTRY[name], data.load(name)
    assert dataset.name == name
    assert (source.paths, source.download, source.fallback) == ((), None, ())


@pytest.mark.parametrize("name", WITH_FALLBACK)
def test_source_that_may_be_missing(name):
    source = REGISTRY[name]
    assert source.paths
    assert source.needs, "for the error message"
    assert REGISTRY[source.fallback[-1]].origin, "the last fallback is always there"


@pytest.mark.parametrize("name", sorted({name for source in REGISTRY.values() for name in source.fallback}))
def test_fallback_that_is_always_there_is_a_stand_in(name, no_data_env, small_stand_ins):
    if REGISTRY[name].origin:
        assert not data.load(name).is_real


@pytest.mark.parametrize("name", REGISTRY)
def test_source_has_a_row_in_the_data_sheets(name):
    sheets = (ROOT / "data" / "README.md").read_text("utf-8").partition("## Data sheets")[2].partition("\n## ")[0]
    assert f"\n| `{name}` |" in sheets
