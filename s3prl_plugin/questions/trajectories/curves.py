"""Summary numbers over updates, as a chart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from s3prl_plugin.questions.trajectories.numbers import KINDS, Number
from s3prl_plugin.questions.trajectories.runs import Run
from s3prl_plugin.report.drawing import palette
from s3prl_plugin.report.sections import Figure

if TYPE_CHECKING:
    import altair as alt

WIDTH, HEIGHT = 300, 190
WIDE = 20  # the last update over the first: from here on the axis is logarithmic
READING = {
    "peak": "0: the first state tap, 1: the last. Bars: the taps that could be the highest.",
    "drop": "0: the top is the highest. Bars: 95 % intervals over folds.",
    "return": "Above 0: the top has more of the input than the middle. Bars: 95 % intervals over folds.",
    "output": "With the skip from the encoder. Bars: 95 % intervals over folds.",
    "rank": "Bars: 95 % intervals over folds.",
}


def figure(kind: str, runs: Sequence[Run], found: Mapping[str, Sequence[Sequence[Number]]]) -> Figure:
    """One kind of number over updates, a panel per measure, a line per run.

    Args:
        kind: one of `KINDS`.
        runs: to be drawn.
        found: per run and checkpoint, the numbers.
    """
    import altair as alt

    values = records(kind, runs, found)
    measures = list(dict.fromkeys(value["measure"] for value in values))
    names = [run.name for run in runs]
    data = alt.InlineData(values=values)
    panels = [
        _panel(data, kind, measure, names, [v for v in values if v["measure"] == measure]) for measure in measures
    ]
    chart = alt.concat(*panels, columns=2, title=alt.TitleParams(KINDS[kind], anchor="start", offset=12))
    chart = chart.resolve_scale(color="shared", y="shared", x="shared")
    return Figure(title=KINDS[kind], spec=chart.to_dict(), caption=READING[kind])


def records(kind: str, runs: Sequence[Run], found: Mapping[str, Sequence[Sequence[Number]]]) -> list[dict[str, Any]]:
    """One record per run, checkpoint and measure."""
    return [
        {
            "run": run.name,
            "update": checkpoint.update,
            "measure": number.measure,
            "value": round(number.value, 5),
            "low": None if number.low is None else round(number.low, 5),
            "high": None if number.high is None else round(number.high, 5),
            "taps": number.taps,
        }
        for run in runs
        for checkpoint, numbers in zip(run.checkpoints, found[run.name], strict=True)
        for number in numbers
        if number.kind == kind and number.value is not None
    ]


def update_axis(updates: Sequence[int]) -> Any:
    """The axis of updates: logarithmic where they span much, with a place for 0."""
    import altair as alt

    positive = sorted({update for update in updates if update > 0})
    wide = bool(positive) and positive[-1] / positive[0] >= WIDE
    scale = alt.Scale(type="symlog", constant=positive[0], nice=False) if wide else alt.Scale(nice=False, zero=False)
    # A label expression, since a format gives all ticks the prefix of the largest.
    each: dict[str, Any] = {"labelExpr": "format(datum.value, '~s')", "labelFlush": False}
    axis = alt.Axis(values=_ticks(sorted(set(updates))), **each) if wide else alt.Axis(tickCount=5, **each)
    return alt.X("update:Q", scale=scale, axis=axis, title="updates")


def _ticks(updates: Sequence[int]) -> list[int]:
    """Those updates that have room for a label on a logarithmic axis."""
    kept: list[int] = []
    for update in updates:
        if not kept or kept[-1] == 0 or update >= 2.4 * kept[-1]:
            kept.append(update)
    return kept


def _panel(
    data: alt.InlineData, kind: str, measure: str, runs: Sequence[str], values: Sequence[Mapping[str, Any]]
) -> Any:
    """One measure."""
    import altair as alt

    x = update_axis([value["update"] for value in values])
    scale = alt.Scale(domain=[0, 1]) if kind == "peak" else alt.Scale(zero=kind not in ("rank",), nice=True)
    y = alt.Y("value:Q", scale=scale, title=None, axis=alt.Axis(tickCount=5))
    colours = [colour for colour, _ in palette.model_styles(runs).values()]
    legend = (
        alt.Legend(orient="bottom", columns=3, labelLimit=220, symbolOpacity=1, symbolType="circle")
        if len(runs) > 1
        else None
    )
    colour = alt.Color("run:N", scale=alt.Scale(domain=list(runs), range=colours), title=None, legend=legend)
    tooltip = [
        *(alt.Tooltip(name) for name in ("run:N", "update:Q")),
        *(alt.Tooltip(f"{name}:Q", format=".3f") for name in ("value", "low", "high")),
        alt.Tooltip("taps:N"),
    ]
    base = alt.Chart(data).transform_filter(alt.datum.measure == measure).encode(x=x, color=colour)
    bars = base.transform_filter("isValid(datum.low)").mark_rule(strokeWidth=1.2, opacity=0.55)
    layers = [
        bars.encode(y=alt.Y("low:Q"), y2="high:Q"),
        base.mark_line(strokeWidth=1.6).encode(y=y),
        base.mark_point(filled=True, size=42, opacity=1).encode(y=y, tooltip=tooltip),
    ]  # fmt: skip
    if kind in ("drop", "return", "output"):
        zero = alt.Chart(alt.InlineData(values=[{"zero": 0}])).mark_rule(color=palette.NEUTRAL, strokeDash=[5, 4])
        layers.insert(0, zero.encode(y="zero:Q"))
    title = alt.TitleParams(measure, anchor="start", fontSize=12)
    return alt.layer(*layers).properties(title=title, width=WIDTH, height=HEIGHT)
