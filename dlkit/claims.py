"""Sentences about results, tested where they stand: they stay true or the build fails."""

from __future__ import annotations

import os

from dlkit.boxes import Box


class Claim(Box):
    """A sentence about a measured value, and whether it holds.

    As the last expression of a notebook's cell it displays its box, green or red. `claim` shows it and, where claims
    are enforced, stops when it does not hold.

    Args:
        sentence: a full sentence, such as "The network reads at least 95% of unseen digits".
        value: the measured number, in the bound's unit. True and False count as 1 and 0.
        at_least: smallest value for which the sentence is true.
        at_most: largest value for which the sentence is true.
        between: (smallest, largest), both included.
        timing: bool, whether the value depends on how fast this machine is at this moment.

    Attributes:
        holds: bool. NaN makes no sentence true.
        timing: bool, as given.

    Raises:
        ValueError: when there is not exactly one of the three bounds, since a claim without a bound cannot fail.

    Example:
        >>> Claim("Two and two is five", 2 + 2, between=(5, 5))
        ✗ Two and two is five
            measured 4 (exactly 5)
    """

    def __init__(self, sentence, value, *, at_least=None, at_most=None, between=None, timing=False):
        bounds = {"at_least": at_least, "at_most": at_most, "between": between}
        given = [name for name, bound in bounds.items() if bound is not None]
        if len(given) != 1:
            raise ValueError(f"Expected one of at_least, at_most or between. Received: {given or 'none of them'}.")
        low, high = between if between is not None else (at_least, at_most)
        value = float(value)
        if between is None:
            bound = f"{given[0].replace('_', ' ')} {bounds[given[0]]:g}"
        else:
            bound = f"between {low:g} and {high:g}" if low != high else f"exactly {low:g}"
        measured = f"measured {value:.4g} ({bound})"
        self.timing = timing
        self.holds = value == value and (low is None or value >= low) and (high is None or value <= high)
        sign, kind, verdict = ("✓", "good", "✓ Holds:") if self.holds else ("✗", "bad", "✗ Does not hold:")
        super().__init__(kind, verdict, sentence, measured, plain=f"{sign} {sentence}\n    {measured}")


def claim(sentence, value, *, at_least=None, at_most=None, between=None, timing=False):
    """Checks a measured value against a bound and shows the sentence with the verdict.

    A claim that does not hold raises only where claims are enforced: with the environment variable DLKIT_STRICT=1, as
    in the project's tests. In a notebook that someone tries out with other settings it is a red box that says so, and
    the notebook runs on. Claims about time are enforced only where nothing else runs: DLKIT_TIMING=report, as in tests
    that run two notebooks at once, shows them without raising.

    Args:
        sentence, value, at_least, at_most, between, timing: see `Claim`.

    Raises:
        AssertionError: with DLKIT_STRICT=1, when the sentence is not true of the value; names value and bound.
        ValueError: when there is not exactly one of the three bounds.

    Example:
        >>> claim("Two and two is four", 2 + 2, between=(4, 4))
        ✓ Two and two is four
            measured 4 (exactly 4)
    """
    result = Claim(sentence, value, at_least=at_least, at_most=at_most, between=between, timing=timing)
    if not result.holds:
        if _enforced(timing):
            raise AssertionError(result.plain)
        hint = TIMING_HINT if timing else SETTINGS_HINT
        result.detail += f". {hint}"
        result.plain += f"\n    {hint}"
    result.show()


SETTINGS_HINT = "This claim was made for the original settings and data. If you changed them, this is what changed."
TIMING_HINT = "This claim compares times. If other programs are running, close them and run the cells again."


def _enforced(timing):
    """Whether a claim that does not hold raises."""
    strict = os.environ.get("DLKIT_STRICT", "0") not in ("", "0")
    return strict and not (timing and os.environ.get("DLKIT_TIMING") == "report")
