"""Rows as the records that charts draw and that a reader sees when pointing at a mark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from s3prl_plugin.inference.state_taps import is_output
from s3prl_plugin.report.drawing.charts.palette import resolution
from s3prl_plugin.report.drawing.charts.places import Places, in_order
from s3prl_plugin.results import Row
from s3prl_plugin.strides import stride_number

NUMBER, UNSURE, REFUSED = "number", "unsure", "refused"
SAME = "the two sides are the same by construction"
DODGE = 0.5  # of the distance between taps: how far models stand beside each other


def records(models: Mapping[str, Sequence[Row]], where: Places) -> list[dict[str, Any]]:
    """One record per tap and model.

    Args:
        models: name -> rows of one measure.
        where: places of their taps.

    Returns:
        model, tap, place, block, resolution, stride, value, low, high, interval, n, per_dimension, kind, note.
    """
    found = []
    for i, (model, rows) in enumerate(models.items()):
        aside = DODGE * ((i + 0.5) / len(models) - 0.5) if where.by_tap and len(models) > 1 else 0.0
        for row in in_order(rows):
            found.append(_record(model, row, where.of[model][str(row.tap)] + aside))
    return found


def _record(model: str, row: Row, place: float) -> dict[str, Any]:
    """One tap."""
    unsure = bool(row.grey or row.trivial)
    bounds = row.value is not None and row.ci_low is not None and row.ci_high is not None
    return {
        "model": model,
        "tap": str(row.tap),
        "place": round(place, 4),
        "block": str(row.tap) if is_output(row) else row.block or "states",  # a line connects what follows each other
        "resolution": resolution(row.stride),
        "stride": stride_number(row.stride) if row.stride else 0,
        "value": _rounded(row.value),
        "low": _rounded(row.ci_low) if bounds else None,
        "high": _rounded(row.ci_high) if bounds else None,
        "interval": f"{row.ci_low:.3f} to {row.ci_high:.3f}" if bounds else "none",
        "n": row.n,
        "per_dimension": None if row.n_over_d is None else round(row.n_over_d, 1),
        "kind": REFUSED if row.value is None else UNSURE if unsure else NUMBER,
        "note": row.refused or row.grey or (SAME if row.trivial else "–"),
    }


def _rounded(value: float | None) -> float | None:
    """Five digits are more than a reader needs, and a smaller page."""
    return None if value is None else round(value, 5)


def domain(rows: Sequence[Row]) -> list[float] | None:
    """The ends of the value axis: all numbers, their intervals and chance, with room; None where there is no number."""
    shown = [row for row in rows if row.value is not None]
    ends = [v for r in shown for v in (r.value, r.ci_low, r.ci_high, r.chance) if v is not None]
    if not shown:
        return None
    low, high = min(ends), max(ends)
    room = 0.06 * (high - low) or 0.05
    return [round(low - room, 4), round(high + room, 4)]
