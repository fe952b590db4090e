"""What a task's weighted sum learned, as rows that are drawn like a layer curve."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from statistics import fmean

from s3prl_plugin.report.text.table import WEIGHT
from s3prl_plugin.results import Row


def as_curves(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """Task -> one row per tap: the mean weight over the seeds of the heads, with the least and the largest as interval.

    Equal weights, 1 over the number of taps, stand in the place of chance.

    Args:
        rows: of one upstream; others than weights are passed over.
    """
    found: dict[str, dict[str, list[Row]]] = {}
    for row in rows:
        if row.score == WEIGHT and row.tap is not None and row.value is not None:
            found.setdefault(row.measure, {}).setdefault(row.tap, []).append(row)
    return {task: [_over_seeds(own, len(taps)) for own in taps.values()] for task, taps in found.items()}


def _over_seeds(rows: list[Row], taps: int) -> Row:
    """One tap."""
    weights = [row.value for row in rows if row.value is not None]
    ends = {"ci_low": min(weights), "ci_high": max(weights)} if len(weights) > 1 else {}
    return replace(rows[0], value=fmean(weights), chance=1 / taps, seeds=len(weights), n=None, **ends)  # type: ignore[arg-type]
