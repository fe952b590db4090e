"""Summary numbers over updates as curves, and maps of one measure: taps down (the top above), updates across."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from s3prl_plugin.inference import state_taps
from s3prl_plugin.questions.trajectories.numbers import KINDS, RANK, Number
from s3prl_plugin.questions.trajectories.runs import Run
from s3prl_plugin.report.drawing import palette
from s3prl_plugin.report.sections import Figure, span

WIDTH, HEIGHT = 300, 190
WIDE = 20  # the last update over the first: from here on the axis is logarithmic
OVER_FOLDS = "Bars: 95 % intervals over folds."
READING = {
    "peak": "0: the first state tap, 1: the last. Bars: the taps that could be the highest.",
    "drop": f"0: the top is the highest. {OVER_FOLDS}",
    "return": f"Above 0: the top has more of the input than the middle. {OVER_FOLDS}",
    "output": f"With the skip from the encoder. {OVER_FOLDS}",
    "rank": OVER_FOLDS,
}
SCHEME: Final = "viridis"
CELL, WIDEST = 17, 520  # pixels
MAP = (
    "Rows are taps, the first one below. A white dot marks the highest state tap of each update, a small grey one a "
    "number that the data barely support, a cross a refused one."
)


def curves(kind: str, runs: Sequence[Run], found: Mapping[str, Sequence[Sequence[Number]]]) -> Figure:
    """One kind of number over updates, a panel per measure, a line per run.

    Args:
        kind: one of `KINDS`.
        runs: to be drawn.
        found: per run and checkpoint, the numbers.
    """
    import altair as alt

    values: list[dict[str, Any]] = [
        {
            "run": run.name,
            "update": checkpoint.update,
            "measure": number.measure,
            "taps": number.taps,
            "value": round(number.value, 5),
            "low": None if number.low is None else round(number.low, 5),
            "high": None if number.high is None else round(number.high, 5),
        }
        for run in runs
        for checkpoint, numbers in zip(run.checkpoints, found[run.name], strict=True)
        for number in numbers
        if number.kind == kind and number.value is not None
    ]
    data = alt.InlineData(values=values)
    measures = dict.fromkeys(value["measure"] for value in values)
    x = _updates(sorted({value["update"] for value in values}))
    panels = [_panel(data, kind, str(measure), x, [run.name for run in runs]) for measure in measures]
    chart = alt.concat(*panels, columns=2, title=alt.TitleParams(KINDS[kind], anchor="start", offset=12))
    chart = chart.resolve_scale(color="shared", y="shared", x="shared")
    return Figure(title=KINDS[kind], spec=chart.to_dict(), caption=READING[kind])


def _updates(updates: Sequence[int]) -> Any:
    """The axis of updates: logarithmic where they span much, with a place for 0."""
    import altair as alt

    positive = [update for update in updates if update > 0]
    # A label expression, since a format gives all ticks the prefix of the largest.
    each: dict[str, Any] = {"labelExpr": "format(datum.value, '~s')", "labelFlush": False}
    if not positive or positive[-1] / positive[0] < WIDE:
        return alt.X("update:Q", scale=alt.Scale(nice=False, zero=False), axis=alt.Axis(tickCount=5, **each),
                     title="updates")  # fmt: skip
    kept: list[int] = []  # those that have room for a label
    for update in updates:
        if not kept or kept[-1] == 0 or update >= 2.4 * kept[-1]:
            kept.append(update)
    scale = alt.Scale(type="symlog", constant=positive[0], nice=False)
    return alt.X("update:Q", scale=scale, axis=alt.Axis(values=kept, **each), title="updates")


def _panel(data: Any, kind: str, measure: str, x: Any, runs: Sequence[str]) -> Any:
    """One measure."""
    import altair as alt

    scale = alt.Scale(domain=[0, 1]) if kind == "peak" else alt.Scale(zero=kind != RANK, nice=True)
    y = alt.Y("value:Q", scale=scale, title=None, axis=alt.Axis(tickCount=5))
    colours = [colour for colour, _ in palette.model_styles(runs).values()]
    legend = alt.Legend(orient="bottom", columns=3, labelLimit=220, symbolOpacity=1, symbolType="circle")
    colour = alt.Color("run:N", scale=alt.Scale(domain=list(runs), range=colours), title=None,
                       legend=legend if len(runs) > 1 else None)  # fmt: skip
    numbers = [alt.Tooltip(f"{name}:Q", format=".3f") for name in ("value", "low", "high")]
    tooltip = [alt.Tooltip("run:N"), alt.Tooltip("update:Q"), *numbers, alt.Tooltip("taps:N")]
    base = alt.Chart(data).transform_filter(alt.datum.measure == measure).encode(x=x, color=colour)
    bars = base.transform_filter("isValid(datum.low)").mark_rule(strokeWidth=1.2, opacity=0.55)
    layers = [
        bars.encode(y=alt.Y("low:Q"), y2="high:Q"),
        base.mark_line(strokeWidth=1.6).encode(y=y),
        base.mark_point(filled=True, size=42, opacity=1).encode(y=y, tooltip=tooltip),
    ]
    if kind in ("drop", "return", "output"):
        zero = alt.Chart(alt.InlineData(values=[{"zero": 0}])).mark_rule(color=palette.NEUTRAL, strokeDash=[5, 4])
        layers.insert(0, zero.encode(y="zero:Q"))
    title = alt.TitleParams(measure, anchor="start", fontSize=12)
    return alt.layer(*layers).properties(title=title, width=WIDTH, height=HEIGHT)


def maps(run: Run) -> list[Figure]:
    """A map for every measure of a run."""
    return [_map(run, measure) for measure in run.measures]


def _map(run: Run, measure: str) -> Figure:
    """One measure."""
    import altair as alt

    values: list[dict[str, Any]] = []
    for checkpoint in run.checkpoints:
        rows = checkpoint.of(measure)
        best = state_taps.best(rows)
        for row in rows:
            nothing = row.value is None or row.trivial
            mark = "×" if nothing else "best" if row is best else "·" if row.grey else ""
            said = {
                "update": checkpoint.update,
                "tap": str(row.tap),
                "resolution": palette.resolution(row.stride),
                "value": None if nothing else round(row.value or 0.0, 4),
                "interval": span(row.ci_low, row.ci_high, ".3f") or "none",
                "note": row.refused or row.grey or ("the two views are the same" if row.trivial else ""),
            }
            values.append({**said, "mark": mark})
    first = next(row for checkpoint in run.checkpoints for row in checkpoint.of(measure))
    taps = list(dict.fromkeys(value["tap"] for value in values))[::-1]
    across = alt.Axis(labelAngle=0, labelOverlap=True, labelExpr="format(datum.value, '~s')")
    base = alt.Chart(alt.InlineData(values=values)).encode(
        x=alt.X("update:O", title="updates", axis=across),
        y=alt.Y("tap:N", sort=taps, title=None, axis=alt.Axis(labelOverlap=False)),
        tooltip=[alt.Tooltip("tap:N"), alt.Tooltip("update:O"), alt.Tooltip("resolution:N", title="frame rate"),
                 alt.Tooltip("value:Q", format=".3f"), alt.Tooltip("interval:N", title="95 % interval"),
                 alt.Tooltip("note:N")],
    )  # fmt: skip
    legend = alt.Legend(orient="right", gradientLength=min(150, CELL * len(taps)), gradientThickness=10, format=".2~f")
    colour = alt.Color("value:Q", scale=alt.Scale(scheme=SCHEME, nice=False, zero=False), title=None, legend=legend)
    squares = base.transform_filter("isValid(datum.value)").mark_rect().encode(color=colour)
    rings = base.transform_filter("datum.mark == 'best'").mark_point(
        filled=True, fill="#ffffff", stroke="#000000", strokeWidth=1, size=34, opacity=1
    )
    marks = base.transform_filter("datum.mark != '' && datum.mark != 'best'").mark_text(fontSize=11, color="#888888")
    title = alt.TitleParams(f"{measure} ({first.score})", subtitle=[run.name, run.corpus], anchor="start", limit=420)
    chart = alt.layer(squares, rings, marks.encode(text="mark:N")).properties(
        title=title, width=min(WIDEST, 3 * CELL * len(run.checkpoints)), height=alt.Step(CELL)
    )
    return Figure(title=f"{measure} over updates", spec=chart.to_dict(), caption=MAP)
