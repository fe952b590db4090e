"""What an interval says of a claim: the words that every page and every command have for it."""

from __future__ import annotations

from collections.abc import Sequence

HOLDS, DOES_NOT, NOT_DECIDED = "holds at this scale", "does not", "not decided"
WORDS = (HOLDS, DOES_NOT, NOT_DECIDED)


def verdict(low: float | None, high: float | None, bound: float = 0.0, against: float | None = None) -> str:
    """Whether a number is above what a claim asks for.

    Args:
        low, high: the ends of its interval; None where it has none.
        bound: the claim holds where all of the interval is above it.
        against: the claim does not hold where all of the interval is below that; `bound` by default.
    """
    if low is None or high is None:
        return NOT_DECIDED
    if low > bound:
        return HOLDS
    return DOES_NOT if high < (bound if against is None else against) else NOT_DECIDED


def of_all(found: Sequence[str]) -> str:
    """Of a claim that holds where all of several do, and does not where one does not."""
    return DOES_NOT if DOES_NOT in found else NOT_DECIDED if NOT_DECIDED in found else HOLDS
