import math

import pytest

from dlkit.claims import claim


def test_true_claims_print_sentence_value_and_bound(capsys):
    claim("At least", 0.9612345, at_least=0.95)
    claim("At most", 3, at_most=3)
    claim("Between", 0.5, between=(0, 1))
    claim("Exactly", True, between=(1, 1))
    assert capsys.readouterr().out == (
        "✓ At least\n    measured 0.9612 (at least 0.95)\n"
        "✓ At most\n    measured 3 (at most 3)\n"
        "✓ Between\n    measured 0.5 (between 0 and 1)\n"
        "✓ Exactly\n    measured 1 (exactly 1)\n"
    )


@pytest.mark.parametrize(
    ("value", "bound"),
    [
        (0.949, {"at_least": 0.95}),
        (1.01, {"at_most": 1}),
        (-0.1, {"between": (0, 1)}),
        (1.1, {"between": (0, 1)}),
        (math.nan, {"at_least": 0}),
        (math.nan, {"at_most": 0}),
        (False, {"at_least": 1}),
    ],
)
def test_a_false_claim_stops_and_names_value_and_bound(value, bound):
    with pytest.raises(AssertionError, match="✗ Sentence\n    measured") as failure:
        claim("Sentence", value, **bound)
    assert f"{float(value):.4g}" in str(failure.value)


@pytest.mark.parametrize("bounds", [{}, {"at_least": 0, "at_most": 1}])
def test_a_claim_needs_one_bound(bounds):
    with pytest.raises(ValueError, match="Expected one of at_least, at_most or between"):
        claim("Sentence", 1, **bounds)
