"""Maps of one measure: taps down (the top of the network above), updates across."""

from __future__ import annotations

from typing import Final

from s3prl_plugin.inference import state_taps
from s3prl_plugin.questions.trajectories.runs import Run
from s3prl_plugin.report.drawing.palette import resolution
from s3prl_plugin.report.sections import Figure

SCHEME: Final = "viridis"
CELL = 17  # pixels
WIDEST = 520
CAPTION = (
    "Rows are taps, the first one below. A white dot marks the highest state tap of each update, a small grey one a "
    "number that the data barely support, a cross a refused one."
)


def figures(run: Run) -> list[Figure]:
    """A map for every measure of a run."""
    return [_figure(run, measure) for measure in run.measures]


def records(run: Run, measure: str) -> list[dict[str, object]]:
    """One record per checkpoint and tap."""
    found: list[dict[str, object]] = []
    for checkpoint in run.checkpoints:
        rows = checkpoint.of(measure)
        best = state_taps.best(rows)
        for row in rows:
            bounds = row.ci_low is not None and row.ci_high is not None
            found.append(
                {
                    "update": checkpoint.update,
                    "tap": str(row.tap),
                    "resolution": resolution(row.stride),
                    "value": None if row.value is None or row.trivial else round(row.value, 4),
                    "interval": f"{row.ci_low:.3f} to {row.ci_high:.3f}" if bounds else "none",
                    "note": row.refused or row.grey or ("the two views are the same" if row.trivial else ""),
                    "mark": "×"
                    if row.value is None or row.trivial
                    else "best"
                    if row is best
                    else "·"
                    if row.grey
                    else "",
                }
            )
    return found


def _figure(run: Run, measure: str) -> Figure:
    """One measure."""
    import altair as alt

    values = records(run, measure)
    first = next(row for checkpoint in run.checkpoints for row in checkpoint.of(measure))
    taps = list(dict.fromkeys(str(value["tap"]) for value in values))[::-1]
    updates = len(run.checkpoints)
    across = alt.Axis(labelAngle=0, labelOverlap=True, labelExpr="format(datum.value, '~s')")
    base = alt.Chart(alt.InlineData(values=values)).encode(
        x=alt.X("update:O", title="updates", axis=across),
        y=alt.Y("tap:N", sort=taps, title=None, axis=alt.Axis(labelOverlap=False)),
        tooltip=[
            alt.Tooltip("tap:N"),
            alt.Tooltip("update:O"),
            alt.Tooltip("resolution:N", title="frame rate"),
            alt.Tooltip("value:Q", format=".3f"),
            alt.Tooltip("interval:N", title="95 % interval"),
            alt.Tooltip("note:N"),
        ],
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
        title=title, width=min(WIDEST, max(3 * CELL, 34) * updates), height=alt.Step(CELL)
    )
    return Figure(title=f"{measure} over updates", spec=chart.to_dict(), caption=CAPTION)
