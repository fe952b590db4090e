"""Small drawings of the intervals of contrasts, on one scale per measure and score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from s3prl_plugin.report.sections import Contrast

WIDTH, HEIGHT = 150, 16
_MARGIN = 6


@dataclass(frozen=True, slots=True)
class Drawing:
    """Where lines and mark stand, in pixels.

    Attributes:
        zero: no difference.
        low, high: the interval; None without one.
        value: the difference.
        differs: whether the interval excludes 0.
    """

    zero: float
    low: float | None
    high: float | None
    value: float
    differs: bool


def drawings(contrasts: Sequence[Contrast]) -> list[Drawing | None]:
    """One drawing per contrast; None for a refused one."""
    reach: dict[tuple[str, str], float] = {}
    for each in contrasts:
        ends = [abs(v) for v in (each.value, each.ci_low, each.ci_high) if v is not None]
        place = (each.measure, each.score)
        reach[place] = max([reach.get(place, 0.0), *ends])
    return [_drawing(each, reach[each.measure, each.score]) for each in contrasts]


def _drawing(contrast: Contrast, reach: float) -> Drawing | None:
    """One contrast; the scale goes from -reach to reach."""
    if contrast.value is None:
        return None

    def place(value: float) -> float:
        half = WIDTH / 2 - _MARGIN
        return round(WIDTH / 2 + (value / reach * half if reach else 0.0), 1)

    low, high = contrast.ci_low, contrast.ci_high
    bounded = low is not None and high is not None
    return Drawing(
        zero=WIDTH / 2,
        low=place(low) if low is not None and bounded else None,
        high=place(high) if high is not None and bounded else None,
        value=place(contrast.value),
        differs=low is not None and high is not None and (low > 0 or high < 0),
    )
