"""Rate curves: bits per second against what units tell, or against what decoding leaves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from s3prl_plugin.questions.rates.points import CONTENT, ERROR, Point, frontier
from s3prl_plugin.report.drawing import palette
from s3prl_plugin.report.sections import Figure

if TYPE_CHECKING:
    import altair as alt

HEIGHT = 260
CAPTIONS = {
    "content": "Each mark is one tap and one way to make units of it; bars are 95 % intervals, hollow marks numbers "
    "that the data barely support. The line joins the units of a model that no cheaper ones of it outdo.",
    "error": "Root mean square error of the log-mel spectrogram that the codes are decoded into; the dashed line is "
    "that of always saying the mean spectrum.",
}


def content_figure(found: Sequence[Point], measure: str) -> Figure | None:
    """The adjusted information about phones, words or speakers over bits per second; None where there is none.

    Args:
        found: of any models on one corpus.
        measure: a key of `points.CONTENT`.
    """
    shown = [each for each in found if each.value(measure) is not None and each.entropy_bits_per_s]
    if not shown:
        return None
    lines = [each for name in _series(shown) for each in frontier([p for p in shown if p.series == name], measure)]
    title = f"adjusted information about {CONTENT[measure]}"
    x = ("entropy_bits_per_s", "bits per second, by entropy")
    chart = _chart(shown, lines, measure, x, title, line_chance=0.0)
    name = f"{CONTENT[measure].capitalize()}: what one unit tells, over what a second of units costs"
    return Figure(title=name, spec=chart.to_dict(), caption=CAPTIONS["content"])


def error_figure(found: Sequence[Point]) -> Figure | None:
    """The error of decoded spectrograms over bits per second; None where nothing was decoded."""
    shown = [each for each in found if each.value(ERROR) is not None]
    if not shown:
        return None
    lines = sorted(shown, key=lambda each: (each.series, each.bits_per_s))
    title = "error of the decoded spectrogram (dB)"
    chart = _chart(shown, lines, ERROR, ("bits_per_s", "bits per second, nominal"), title, shown[0].rows[ERROR].chance)
    return Figure(title="What decoding the codes leaves", spec=chart.to_dict(), caption=CAPTIONS["error"])


def _series(found: Sequence[Point]) -> list[str]:
    return list(dict.fromkeys(each.series for each in found))


def _chart(
    shown: Sequence[Point],
    lines: Sequence[Point],
    measure: str,
    across: tuple[str, str],
    title: str,
    line_chance: float | None,
) -> alt.LayerChart | alt.FacetChart:
    """Marks with intervals, a line per series, and chance."""
    import altair as alt

    key, x_title = across
    names = _series(shown)
    colours = [palette.model_styles(names)[name][0] for name in names]
    x = alt.X("bits:Q", scale=alt.Scale(type="log", nice=False, padding=12), title=x_title, axis=alt.Axis(tickCount=6))
    y = alt.Y("value:Q", scale=alt.Scale(zero=False), title=title)
    legend = alt.Legend(orient="bottom", columns=1, labelLimit=320, title=None)
    colour = alt.Color("series:N", scale=alt.Scale(domain=names, range=colours), legend=legend)
    marks = alt.Chart(alt.InlineData(values=[_record(each, measure, key) for each in shown])).encode(x=x, color=colour)
    joined = alt.Chart(alt.InlineData(values=[_record(each, measure, key) for each in lines]))
    chart = [
        joined.mark_line(strokeWidth=1.5, opacity=0.6).encode(x=x, y=y, color=colour, detail="series:N"),
        marks.mark_rule(opacity=0.5).encode(y=alt.Y("low:Q", title=title), y2="high:Q"),
        marks.mark_point(size=50, fill="white", strokeWidth=1.5).encode(
            y=y,
            fill=alt.condition("datum.grey", alt.value("white"), colour),
            tooltip=[
                alt.Tooltip("series:N", title="model"),
                alt.Tooltip("tap:N"),
                alt.Tooltip("units:N"),
                alt.Tooltip("resolution:N", title="frame rate"),
                alt.Tooltip("value:Q", title=title, format=".3f"),
                alt.Tooltip("low:Q", title="from", format=".3f"),
                alt.Tooltip("high:Q", title="to", format=".3f"),
                alt.Tooltip("n:Q", format=","),
                alt.Tooltip("entropy:Q", title="bits per second, by entropy", format=".0f"),
                alt.Tooltip("nominal:Q", title="bits per second, nominal", format=".0f"),
            ],
        ),
    ]
    if line_chance is not None:
        at = alt.Chart(alt.InlineData(values=[{"chance": line_chance}]), name="chance")
        chart.insert(0, at.mark_rule(strokeDash=[5, 4], color=palette.NEUTRAL).encode(y=alt.Y("chance:Q", title=title)))
    return alt.layer(*chart).properties(width="container", height=HEIGHT)


def _record(point: Point, measure: str, key: str) -> dict[str, Any]:
    """What a mark shows."""
    row = point.rows[measure]
    return {
        "series": point.series,
        "tap": point.tap,
        "units": point.units,
        "resolution": palette.resolution(point.stride),
        "bits": getattr(point, key),
        "nominal": point.bits_per_s,
        "entropy": point.entropy_bits_per_s,
        "value": row.value,
        "low": row.ci_low,
        "high": row.ci_high,
        "n": row.n,
        "grey": row.grey is not None,
    }
