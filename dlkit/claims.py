"""Claims: sentences about measured results that are tests. When one is no longer true, the build fails."""

import os

from dlkit.boxes import Box

SETTINGS_HINT = "This claim was made for the original settings and data. If you changed them, this is what changed."
TIMING_HINT = "This claim compares times. If other programs are running, close them and run the cells again."


class Claim(Box):
    """A sentence about a measured value, and whether it holds: a green or red box as the last value of a cell.

    The function `claim` shows that box and, where claims are enforced, raises an error when it is red.

    Args:
        sentence, value, at_least, at_most, between: As for `claim`.

    Attributes:
        holds: Boolean, whether the value is within the bound. NaN never is.

    Example:
        >>> Claim("Two and two is five", 2 + 2, between=(5, 5))
        ✗ Two and two is five
            measured 4 (exactly 5)
    """

    def __init__(self, sentence, value, *, at_least=None, at_most=None, between=None):
        bounds = {"at least": at_least, "at most": at_most, "between": between}
        given = {name: bound for name, bound in bounds.items() if bound is not None}
        if len(given) != 1:
            received = ", ".join(given) or "none of them"
            raise ValueError(f"Expected one of at_least, at_most or between. Received: {received}.")
        low, high = (at_least, at_most) if between is None else between
        value = float(value)
        self.holds = value == value and (low is None or value >= low) and (high is None or value <= high)
        if between is None:
            [(name, bound)] = given.items()
            bound = f"{name} {bound:g}"
        else:
            bound = f"between {low:g} and {high:g}" if low != high else f"exactly {low:g}"
        measured = f"measured {value:.4g} ({bound})"
        sign, kind, verdict = ("✓", "good", "✓ Holds:") if self.holds else ("✗", "bad", "✗ Does not hold:")
        super().__init__(kind, verdict, sentence, measured, plain=f"{sign} {sentence}\n    {measured}")


def claim(sentence, value, *, at_least=None, at_most=None, between=None, timing=False):
    """Checks a measured value against a bound and shows the sentence with the verdict.

    A claim that does not hold raises an error only where claims are enforced: with the environment variable
    DLKIT_STRICT=1, as in the project's tests. In a notebook that someone tries out with other settings, a red box
    reports it, and the notebook continues. With DLKIT_TIMING=report, for tests that run two notebooks at once, claims
    about time are only shown.

    Args:
        sentence: String, a complete sentence, such as "The network classifies at least 95% of unseen digits correctly".
        value: Float, the measured number, in the unit of the bound. True and False count as 1 and 0.
        at_least: Float, the smallest value for which the sentence is true, or None (the default). Exactly one of the
            three bounds is needed.
        at_most: Float, the largest value for which the sentence is true, or None (the default).
        between: Tuple of two floats (smallest, largest), both included, or None (the default).
        timing: Boolean, whether the value depends on the speed of this machine at this moment, default False.

    Raises:
        AssertionError: If claims are enforced and this one does not hold. The message names value and bound.
        ValueError: If not exactly one of the three bounds is given.

    Example:
        >>> claim("Two and two is four", 2 + 2, between=(4, 4))
        ✓ Two and two is four
            measured 4 (exactly 4)
    """
    result = Claim(sentence, value, at_least=at_least, at_most=at_most, between=between)
    if not result.holds:
        strict = os.environ.get("DLKIT_STRICT", "0") not in ("", "0")
        if strict and not (timing and os.environ.get("DLKIT_TIMING") == "report"):
            raise AssertionError(result.plain)
        hint = TIMING_HINT if timing else SETTINGS_HINT
        result.detail += f". {hint}"
        result.plain += f"\n    {hint}"
    result.show()
