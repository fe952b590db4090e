"""Tap by tap: how alike the states of two taps are, as a heat map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from s3prl_plugin.errors import UserError
from s3prl_plugin.report.drawing.charts.needed import require_altair
from s3prl_plugin.report.matrices import SCORES, SUFFIX
from s3prl_plugin.results import Row

if TYPE_CHECKING:
    import altair as alt

STEP = 14  # pixels of a cell
SCHEME: Final = "viridis"


def heat_map(
    rows: Sequence[Row], model: str | None = None, colour_domain: Sequence[float] | None = None
) -> alt.LayerChart:
    """One matrix: taps down, the taps that they are compared with across.

    A dot marks a number that the data barely support, a cross a refused one.

    Args:
        rows: of one upstream, measure and score, a row per pair of taps.
        model: its name; by default the upstream's.
        colour_domain: ends of the colours, to compare maps; by default 0 (or the least value) and 1.

    Raises:
        UserError: altair is not installed, or there is nothing to draw.
    """
    require_altair()
    import altair as alt

    cells = [row for row in rows if row.measure.endswith(SUFFIX) and row.tap2 is not None and row.score in SCORES]
    if not cells:
        raise UserError("there are no rows of a matrix of taps to draw")
    first = cells[0]
    down = [tap for _, tap in sorted({(row.tap_index or 0, str(row.tap)) for row in cells})]
    own = first.upstream2 is None
    across = (
        [tap for tap in down if any(row.tap2 == tap for row in cells)]
        if own
        else list(dict.fromkeys(str(r.tap2) for r in cells))
    )
    values = [
        {
            "tap": str(row.tap),
            "with": str(row.tap2),
            "value": None if row.value is None else round(row.value, 3),
            "note": row.refused or row.grey or "",
            "mark": "×" if row.value is None else "·" if row.grey else "",
        }
        for row in cells
    ]  # fmt: skip
    low = min([0.0, *(row.value for row in cells if row.value is not None)])
    domain = list(colour_domain or (round(low, 3), 1.0))
    base = alt.Chart(alt.NamedData("cells")).encode(
        x=alt.X(
            "with:N",
            sort=across,
            title=None if own else f"taps of {first.upstream2}",
            axis=alt.Axis(labelAngle=-60, labelOverlap=False),
        ),
        y=alt.Y("tap:N", sort=down, title=None, axis=alt.Axis(labelOverlap=False)),
        tooltip=["tap:N", "with:N", alt.Tooltip("value:Q", format=".3f"), "note:N"],
    )
    legend = alt.Legend(orient="bottom", gradientLength=160, gradientThickness=10, direction="horizontal")
    scale = alt.Scale(scheme=SCHEME, domain=domain, clamp=True)
    colour = alt.Color("value:Q", scale=scale, title=first.score, legend=legend)
    squares = base.transform_filter("isValid(datum.value)").mark_rect().encode(color=colour)
    marks = base.transform_filter("datum.mark != ''").mark_text(color="#888", fontSize=11).encode(text="mark:N")
    title = alt.TitleParams(
        f"{first.measure} ({first.score})", subtitle=[model or first.upstream], anchor="start", limit=400
    )
    layers = [squares, *([marks] if any(v["mark"] for v in values) else [])]
    return alt.LayerChart(
        layer=layers, title=title, width=alt.Step(STEP), height=alt.Step(STEP), datasets={"cells": values}
    )
