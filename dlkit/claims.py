"""Sentences about results, tested where they stand: they stay true or the build fails."""

from __future__ import annotations


def claim(sentence, value, *, at_least=None, at_most=None, between=None):
    """Checks a measured value against a bound and prints the sentence with a tick.

    Args:
        sentence: what the text says, such as "The network reads at least 95 % of unseen digits".
        value: the measured number, in the bound's unit. True and False count as 1 and 0.
        at_least: smallest value for which the sentence is true.
        at_most: largest value for which the sentence is true.
        between: (smallest, largest), both included.

    Raises:
        AssertionError: when the sentence is not true of the value; names value and bound. NaN makes nothing true.
        ValueError: when there is not exactly one of the three bounds, since a claim without a bound cannot fail.

    Example:
        >>> claim("Two and two is four", 2 + 2, between=(4, 4))
        ✓ Two and two is four
            measured 4 (exactly 4)
    """
    bounds = {"at_least": at_least, "at_most": at_most, "between": between}
    given = [name for name, bound in bounds.items() if bound is not None]
    if len(given) != 1:
        raise ValueError(f"Expected one of at_least, at_most or between. Received: {given or 'none of them'}.")
    low, high = between if between is not None else (at_least, at_most)
    value = float(value)
    holds = (low is None or value >= low) and (high is None or value <= high)
    if between is None:
        bound = f"{given[0].replace('_', ' ')} {bounds[given[0]]:g}"
    else:
        bound = f"between {low:g} and {high:g}" if low != high else f"exactly {low:g}"
    measured = f"measured {value:.4g} ({bound})"
    if not holds or value != value:
        raise AssertionError(f"✗ {sentence}\n    {measured}")
    print(f"✓ {sentence}\n    {measured}")
