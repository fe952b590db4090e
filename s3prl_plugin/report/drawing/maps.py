"""Tap by tap: how alike the states of two taps are, as heat maps; and what the frame grid alone does to segments."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, Literal

from s3prl_plugin.errors import UserError
from s3prl_plugin.report.drawing import palette
from s3prl_plugin.report.drawing.needed import Data, require_altair, rows_of
from s3prl_plugin.report.drawing.palette import PRINT, SCREEN, Look
from s3prl_plugin.report.drawing.printed import fitted, heading, width_of
from s3prl_plugin.report.tables import GRID, in_matrices
from s3prl_plugin.results import Row
from s3prl_plugin.strides import stride_number

if TYPE_CHECKING:
    import altair as alt

STEP = 14  # pixels of a cell on the page
SCHEME: Final = "viridis"  # its lightness rises all the way, so it reads in grey
PER_PAGE = 2
MEANING = {"shared": "share a frame with a neighbour", "outside": "have a frame that reaches outside"}


def heat_map(data: Data, model: str | None = None, *, width: str = "page") -> Any:
    """Draw every matrix of taps for print: the taps down, those that they are compared with across.

    A dot marks a number that the data barely support, a cross a refused one; lines part the network's blocks.

    Args:
        data: of one upstream: a folder, what `load_results` returns, or rows; those of other measures are passed over.
        model: its name; by default the upstream's.
        width: "page" (two maps side by side) or "column".

    Returns:
        An altair chart.

    Raises:
        UserError: altair or vl-convert is not installed, or there is no matrix.
    """
    rows = rows_of(data)
    found = list(in_matrices(rows).values())
    if not found:
        raise UserError("no matrix of taps to draw; measure cca_matrix or cka_matrix")
    require_altair("altair", "vl_convert")
    import altair as alt

    columns = 1 if width == "column" else min(PER_PAGE, len(found))
    values = [row.value for cells in found for row in cells if row.value is not None]
    ends = [round(min([0.0, *values]), 3), 1.0]

    side = width_of(width) / (1 if width == "column" else PER_PAGE) - 60
    maps = [matrix_chart(cells, "", ends, PRINT, side) for cells in found]
    made = alt.concat(*maps, columns=columns, title=heading(rows[:1], [model or rows[0].title], width))
    return fitted(made, made.concat, columns, width if len(found) > 1 or width == "column" else None)


def matrix_chart(
    cells: Sequence[Row],
    model: str,
    ends: Sequence[float],
    look: Look = SCREEN,
    side: float | None = None,
) -> alt.LayerChart:
    """One matrix.

    Args:
        cells: of one upstream, measure, score and partner, a row per pair of taps.
        model: the upstream's name.
        ends: of the colours.
        look: how large marks are.
        side: of the map, in pixels; by default a number of them for each tap.
    """
    import altair as alt

    first = cells[0]
    down = [tap for _, tap in sorted({(row.tap_index or 0, str(row.tap)) for row in cells})]
    own = first.upstream2 is None
    others = {str(row.tap2): None for row in cells}
    across = [tap for tap in down if tap in others] if own else list(others)
    values = [
        {
            "tap": str(row.tap),
            "with": str(row.tap2),
            "value": None if row.value is None else round(row.value, 3),
            "note": row.refused or row.grey or "",
            "mark": "×" if row.value is None else "·" if row.grey else "",
        }
        for row in cells
    ]
    small = (4.5 if len(down) > 20 else 5.5) if look.printed else alt.Undefined
    base = alt.Chart(alt.Undefined if look.printed else alt.NamedData("cells")).encode(
        x=alt.X(
            "with:N",
            scale=alt.Scale(domain=across),
            title=None if own else f"taps of {first.upstream2}",
            axis=alt.Axis(labelAngle=-90 if look.printed else -60, labelOverlap=False, labelFontSize=small),
        ),
        y=alt.Y(
            "tap:N", scale=alt.Scale(domain=down), title=None, axis=alt.Axis(labelOverlap=False, labelFontSize=small)
        ),
        tooltip=["tap:N", "with:N", alt.Tooltip("value:Q", format=".3f"), "note:N"],
    )
    length = (side or 160) * (0.6 if look.printed else 1)
    legend = alt.Legend(orient="bottom", gradientLength=length, gradientThickness=10, direction="horizontal")
    scale = alt.Scale(scheme=SCHEME, domain=list(ends), clamp=True)
    colour = alt.Color("value:Q", scale=scale, title=first.score, legend=legend)
    layers = [base.transform_filter("isValid(datum.value)").mark_rect().encode(color=colour)]
    if any(value["mark"] for value in values):
        marks = base.transform_filter("datum.mark != ''").mark_text(color="#888", fontSize=look.word + 1)
        layers.append(marks.encode(text="mark:N"))
    if look.printed:
        layers += _partings(down, across)
    partner = "" if own else f" with {first.upstream2}"
    title = alt.TitleParams(
        f"{first.measure}{partner} ({first.score})", subtitle=[model] * bool(model), anchor="start", limit=400
    )
    size = side or alt.Step(STEP)
    held: dict[str, Any] = {"data": alt.InlineData(values=values)} if look.printed else {"datasets": {"cells": values}}
    return alt.LayerChart(layer=layers, title=title, width=size, height=size, **held)


def _partings(down: Sequence[str], across: Sequence[str]) -> list[alt.Chart]:
    """White lines between the network's blocks."""
    import altair as alt

    found = []
    for channel, taps in (("y", down), ("x", across)):
        ends = [one for one, other in pairwise(taps) if _block(one) != _block(other)]
        rule = alt.Chart(alt.InlineData(values=[{"tap": tap} for tap in ends])).mark_rule(
            color="white", strokeWidth=0.8
        )
        at = {"y": alt.Y, "x": alt.X}[channel]("tap:N", scale=alt.Scale(domain=list(taps)), bandPosition=1)
        found += [rule.encode(**{channel: at})] if ends else []
    return found


def _block(tap: str) -> str:
    """What the name of a tap begins with: its block."""
    return tap.partition(".")[0].rstrip("0123456789") if tap.startswith("res_out") else tap.partition(".")[0]


def grid_mixing(data: Data, *, width: int | Literal["container"] = "container", height: int = 180) -> alt.LayerChart:
    """Per resolution, the share of segments that have a frame in common with a neighbour, or one that reaches outside.

    Args:
        data: a folder, what `load_results` returns, or rows, of one measure, grid_phone or grid_word, and one sample of
            segments; repeated ones count once.
        width, height: in pixels; by default the width is the container's.

    Raises:
        UserError: altair is not installed, or there is nothing to draw.
    """
    require_altair()
    import altair as alt

    rows = rows_of(data)
    found = {(row.stride, row.score): row for row in rows if row.measure.startswith(GRID) and row.value is not None}
    if not found:
        raise UserError("there are no rows of grid_phone or grid_word to draw")
    first = next(iter(found.values()))
    kinds = [MEANING[score] for score in MEANING if any(key[1] == score for key in found)]
    values = [
        {
            "resolution": palette.resolution(stride),
            "stride": stride_number(stride) if stride else 0,
            "what": MEANING.get(score, score),
            "share": round(row.value or 0.0, 5),
            "n": row.n,
        }
        for (stride, score), row in sorted(found.items(), key=lambda item: (item[0][0] or 0, item[0][1]))
    ]
    order = palette.resolutions(stride for stride, _ in found)
    base = alt.Chart(alt.InlineData(values=values)).encode(
        x=alt.X("resolution:N", sort=order, title="frame rate", axis=alt.Axis(labelAngle=0)),
        xOffset=alt.XOffset("what:N", sort=kinds),
        y=alt.Y("share:Q", scale=alt.Scale(domain=[0, 1.08], nice=False), title="share of segments",
                axis=alt.Axis(format=".0%", values=[0, 0.25, 0.5, 0.75, 1])),
        tooltip=[alt.Tooltip("resolution:N", title="frame rate"), alt.Tooltip("what:N", title="segments that"),
                 alt.Tooltip("share:Q", format=".1%"), alt.Tooltip("n:Q", title="segments", format=",")],
    )  # fmt: skip
    scale = alt.Scale(domain=kinds, range=list(palette.MODEL_COLOURS[: len(kinds)]))
    legend = alt.Legend(orient="bottom", columns=1, labelLimit=260)
    bars = base.mark_bar().encode(
        color=alt.Color("what:N", scale=scale, sort=kinds, title="segments that", legend=legend)
    )
    numbers = base.mark_text(dy=-6, fontSize=10, color="#333").encode(text=alt.Text("share:Q", format=".0%"))
    unit = first.measure.removeprefix(GRID)
    whose = f" of {first.downstream}" if first.downstream else ""
    how = f" · means by {first.segments}" if first.segments else ""
    title = alt.TitleParams(
        f"{unit}s on the frame grid", subtitle=f"{first.corpus or ''} · n = {first.n:,}{whose}{how}", anchor="start"
    )
    return alt.LayerChart(layer=[bars, numbers], title=title, width=width, height=height)
