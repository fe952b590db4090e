"""What the layers hold, in short: per measure and model the best tap, and which taps are not told apart from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from s3prl_plugin.inference import differences, state_taps
from s3prl_plugin.report.drawing.charts.places import in_order
from s3prl_plugin.report.page.panels import Panel
from s3prl_plugin.report.text.difference_table import LEVEL
from s3prl_plugin.results import Row

NOT_TESTED = "not tested"


@dataclass(frozen=True, slots=True)
class Best:
    """One measure of one model.

    Attributes:
        panel, model: which.
        row: of the best tap; None where every number was refused.
        equals: taps that are not told apart from it, in words; `NOT_TESTED` with the reason where that is not known.
        often: how often it is the best one without one fold or speaker, as "5 of 6"; "" where that is not known.
        refused: how many taps have no number.
    """

    panel: Panel
    model: str
    row: Row | None
    equals: str
    often: str
    refused: int


def summary(panels: Sequence[Panel]) -> list[Best]:
    """One line per measure and model.

    A tap is not told apart from the best where p of their paired difference, after Holm's correction for all pairs of
    taps, is at least .05; see `report.differences.within`.
    """
    return [_best(panel, model, rows) for panel in panels for model, rows in panel.models.items()]


def _best(panel: Panel, model: str, rows: Sequence[Row]) -> Best:
    """One measure of one model."""
    rows = in_order(rows)
    shown, row = state_taps.valued(rows), state_taps.best(rows)
    refused = sum(row.value is None for row in rows)
    if row is None:
        return Best(panel, model, None, "", "", refused)
    if len(shown) == 1:
        return Best(panel, model, row, "the only state tap", "", refused)
    tested = next(iter(differences.within(rows)), None)
    if tested is None or tested.best is None or not tested.differences or tested.differences[0].b.tap != row.tap:
        reason = (
            next((why for tap, why in tested.not_compared if tap == row.tap), "") if tested else "published protocol"
        )
        return Best(panel, model, row, f"{NOT_TESTED}{': ' * bool(reason)}{reason}", "", refused)
    equal = {str(each.a.tap) for each in tested.differences if (each.p_holm or 0.0) >= LEVEL}
    counts = tested.best
    often = f"{counts.get(str(row.tap), 0)} of {sum(counts.values())}"
    return Best(panel, model, row, runs([str(r.tap) for r in shown], equal, str(row.tap)), often, refused)


def runs(order: Sequence[str], chosen: set[str], best: str) -> str:
    """Taps in words; three or more that follow each other as "from – to".

    Args:
        order: all taps.
        chosen: those to be named.
        best: the tap that they are compared with, which interrupts no run.
    """
    order = [tap for tap in order if tap != best]
    if not chosen:
        return "none"
    if len(chosen) == len(order) and len(order) > 1:
        return f"all {len(order)} others"
    found: list[list[str]] = []
    following = False
    for tap in order:
        if tap in chosen and following:
            found[-1].append(tap)
        elif tap in chosen:
            found.append([tap])
        following = tap in chosen
    words = [f"{run[0]} – {run[-1]}" if len(run) > 2 else ", ".join(run) for run in found]
    return ", ".join(words)
