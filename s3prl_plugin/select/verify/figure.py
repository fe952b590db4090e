"""Measures against what heads scored, for print: a panel per task and measure, a point per tap."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from s3prl_plugin.errors import UserError
from s3prl_plugin.report.drawing import palette, printed, require_altair
from s3prl_plugin.select.verify.trial import Trial

COLUMNS, HEIGHT = 3, 110


def scatter(trials: Sequence[Trial], panels: Sequence[tuple[str, str]], title: str) -> Any:
    """Draw the taps of several upstreams, what a measure says of each against the score of its heads.

    Lines join the taps in the order of the network, from the lowest, which is hollow; bars are 95 % intervals.

    Args:
        trials: of the tasks.
        panels: (task, measure) of each.
        title: above them.

    Returns:
        An altair chart, as wide as a page; `drawing.save` writes it.

    Raises:
        UserError: altair is not installed, or no upstream has the two.
    """
    require_altair("altair", "vl_convert")
    import altair as alt

    names = list(dict.fromkeys(each.upstream for each in trials))
    styles = palette.model_styles(names)
    colour = alt.Color(
        "upstream:N",
        scale=alt.Scale(domain=names, range=[styles[name][0] for name in names]),
        legend=alt.Legend(orient="bottom", title=None, symbolOpacity=1),
    )
    width = printed.width_of("page") / COLUMNS - 40
    drawn = []
    for task, measure in panels:
        points = _points([each for each in trials if each.task == task], measure)
        if not points:
            raise UserError(f"no verification of {task} on an upstream of which {measure} is known")
        y = alt.Y("score:Q", title=points[0]["of"], scale=alt.Scale(zero=False))
        base = alt.Chart(alt.InlineData(values=points), title=f"{task} and {measure}").encode(
            alt.X("measure:Q", title=measure, scale=alt.Scale(zero=False)), y, colour
        )
        lines = base.mark_line(strokeWidth=0.8, opacity=0.6).encode(order="place:Q")
        bars = base.mark_rule(strokeWidth=0.6).encode(alt.Y("low:Q"), alt.Y2("high:Q"))
        marks = base.mark_point(size=18, strokeWidth=1, opacity=1).encode(
            fill=alt.condition("datum.place == 0", alt.value(palette.PAPER), colour)
        )
        drawn.append(alt.layer(bars, lines, marks).properties(width=width, height=HEIGHT))
    grid = alt.concat(*drawn, columns=COLUMNS, title=alt.TitleParams(title, anchor="start", fontSize=7.5))
    return printed.fitted(grid, grid.concat, COLUMNS, "page")


def _points(trials: Sequence[Trial], measure: str) -> list[dict[str, Any]]:
    """What is drawn in one panel; the score as the task counts it."""
    found = []
    for each in trials:
        own = each.measures.get(measure, {})
        for place, tap in enumerate(tap for tap in each.taps if tap in own):
            gain = each.scores(tap).lead()
            ends = sorted(each.sign * (gain.value if end is None else end) for end in (gain.ci_low, gain.ci_high))
            found.append(
                {
                    "upstream": each.upstream,
                    "tap": tap,
                    "place": place,
                    "measure": own[tap],
                    "score": each.sign * gain.value,
                    "low": ends[0],
                    "high": ends[1],
                    "of": f"{each.score} on {each.split}",
                }
            )
    return found
