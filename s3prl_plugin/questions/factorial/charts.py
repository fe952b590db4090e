"""The factorial as a chart: every seed's number by rate and loss, with the cells' means."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from s3prl_plugin.questions.factorial.design import Design
from s3prl_plugin.report.drawing import palette
from s3prl_plugin.report.sections import Figure

if TYPE_CHECKING:
    import altair as alt

    from s3prl_plugin.questions.factorial.contrasts import Numbers

WIDTH, HEIGHT = 190, 170
LOSSES = ("with auxiliary loss", "without")
CAPTION = (
    "Large marks: means over seeds; thin lines join what one seed gives at both rates. Parallel lines of the two "
    "losses say that there is no interaction."
)


def figures(found: Design, numbers: Sequence[Numbers]) -> tuple[Figure, ...]:
    """A figure for each kind of summary (best tap, ...), with a panel per measure."""
    return tuple(
        _figure(which, found, [each for each in numbers if each.which == which])
        for which in dict.fromkeys(each.which for each in numbers)
    )


def records(found: Design, numbers: Sequence[Numbers]) -> list[dict[str, Any]]:
    """One record per measure, cell and seed."""
    return [
        {
            "measure": each.measure,
            "rate": _rate(found, cell[0]),
            "loss": LOSSES[0] if cell[1] else LOSSES[1],
            "arm": arm.name,
            "seed": seed,
            "value": round(value, 5),
        }
        for each in numbers
        for cell, arm in found.cells.items()
        for seed, value in sorted(each.values.get(arm.name, {}).items())
    ]


def _rate(found: Design, low: bool) -> str:
    """The middle block's frame length in words."""
    arm = next(arm for cell, arm in found.cells.items() if cell[0] is low)
    blocks = dict(zip(arm.facts.architecture["blocks"], arm.facts.architecture["block_ms"], strict=True))
    return f"{blocks.get('mid', 0):g} ms"


def _figure(which: str, found: Design, numbers: Sequence[Numbers]) -> Figure:
    """One kind of summary."""
    import altair as alt

    values = records(found, numbers)
    rates = sorted({value["rate"] for value in values}, key=lambda rate: float(rate.split()[0]))
    data = alt.InlineData(values=values)
    panels = [_panel(data, each.measure, each.score, rates) for each in numbers]
    chart = alt.concat(*panels, columns=3, title=alt.TitleParams(which, anchor="start", offset=12))
    chart = chart.resolve_scale(color="shared", shape="shared", y="independent")
    return Figure(title=f"The factorial: {which}", spec=chart.to_dict(), caption=CAPTION)


def _panel(data: alt.InlineData, measure: str, score: str, rates: Sequence[str]) -> Any:
    """One measure."""
    import altair as alt

    legend = alt.Legend(orient="bottom", columns=2, symbolOpacity=1, symbolSize=80)
    colour = alt.Color(
        "loss:N", scale=alt.Scale(domain=list(LOSSES), range=list(palette.MODEL_COLOURS[:2])), title=None, legend=legend
    )
    shape = alt.Shape(
        "loss:N", scale=alt.Scale(domain=list(LOSSES), range=["circle", "diamond"]), title=None, legend=legend
    )
    x = alt.X("rate:N", sort=list(rates), title="frames of the middle block", axis=alt.Axis(labelAngle=0),
              scale=alt.Scale(type="point", padding=0.4))  # fmt: skip
    y = alt.Y(
        "value:Q", scale=alt.Scale(zero=False, padding=12), title=score, axis=alt.Axis(tickCount=5, format=".3~f")
    )
    tooltip = [alt.Tooltip("arm:N"), alt.Tooltip("seed:O"), alt.Tooltip("value:Q", format=".4f")]
    base = alt.Chart(data).transform_filter(alt.datum.measure == measure)
    seeds = base.mark_line(strokeWidth=0.8, opacity=0.45).encode(x=x, y=y, color=colour, detail="seed:N")
    points = base.mark_point(filled=True, size=22, opacity=0.6).encode(
        x=x, y=y, color=colour, shape=shape, tooltip=tooltip
    )
    means = base.transform_aggregate(value="mean(value)", groupby=["rate", "loss"])
    lines = means.mark_line(strokeWidth=2.2).encode(x=x, y=y, color=colour)
    marks = means.mark_point(filled=True, size=95, opacity=1).encode(
        x=x,
        y=y,
        color=colour,
        shape=shape,
        tooltip=[alt.Tooltip("loss:N"), alt.Tooltip("value:Q", format=".4f", title="mean")],
    )
    title = alt.TitleParams(measure, anchor="start", fontSize=12)
    return alt.layer(seeds, points, lines, marks).properties(title=title, width=WIDTH, height=HEIGHT)
