"""The marks of a layer curve: a line, bars for intervals, points whose shape tells the resolution, and refusals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from s3prl_plugin.report.drawing.charts import palette
from s3prl_plugin.report.drawing.charts.records import NUMBER, REFUSED, UNSURE

if TYPE_CHECKING:
    import altair as alt

PAPER = "#ffffff"  # inside hollow marks
POINTS = "points"  # the name of the data
FAINT = 0.12  # models that are not picked
RATE = "frame rate"
IS_NUMBER = f"datum.kind != '{REFUSED}'"


@dataclass(frozen=True, slots=True)
class Points:
    """What is drawn.

    Attributes:
        records: `records.records`.
        shown: an expression that says which of them are shown; "" for all.

    Layers name the data and do not hold them: altair copies what a layer holds again and again.
    """

    records: Sequence[Mapping[str, Any]]
    shown: str = ""

    def where(self, expression: str, name: str) -> alt.Chart:
        """A layer, with its name, of those that are shown and fulfil an expression."""
        import altair as alt

        shown = f"{self.shown} && {expression}" if self.shown else expression
        return alt.Chart(alt.NamedData(POINTS), name=name, transform=[alt.FilterTransform(filter=shown)])


def by_resolution(points: Points, x: alt.X, y: alt.Y) -> list[alt.Chart]:
    """Coloured by resolution, for one model.

    Args:
        points: what is drawn.
        x, y: place and value.
    """
    import altair as alt

    scale = _rates(points, 0)
    line = points.where(IS_NUMBER, "line").mark_line(color=palette.NEUTRAL, strokeWidth=1.2, opacity=0.7)
    legend = _legend(6)
    shape = alt.Shape("resolution:N", scale=_rates(points, 1), title=RATE, legend=legend)
    return [
        line.encode(x=x, y=y, detail="block:N"),
        *_points(points, x, y, {"shorthand": "resolution:N", "scale": scale, "title": RATE}, legend, shape, {}),
    ]


def by_model(
    points: Points, x: alt.X, y: alt.Y, picked: alt.Parameter, styles: Mapping[str, tuple[str, tuple[int, ...]]]
) -> list[alt.Chart]:
    """Coloured and dashed by model; those that are not picked in the legend are faint.

    Args:
        points: what is drawn.
        x, y: place and value.
        picked: the selection of models.
        styles: their colours and dashes.
    """
    import altair as alt

    models = list(dict.fromkeys(record["model"] for record in points.records))
    colours = alt.Scale(domain=models, range=[styles[name][0] for name in models])
    dashes = alt.Scale(domain=models, range=[list(styles[name][1]) for name in models])
    colour: dict[str, Any] = {"shorthand": "model:N", "scale": colours, "title": "model"}
    strength = {"opacity": alt.condition(picked, alt.value(1), alt.value(FAINT))}
    line = points.where(IS_NUMBER, "line").mark_line(strokeWidth=1.8).encode(
        x=x, y=y, detail="block:N",
        color=alt.Color(**colour, legend=_legend(2)),
        strokeDash=alt.StrokeDash("model:N", scale=dashes, title="model", legend=_legend(2)),
        **strength,
    )  # fmt: skip
    shape = alt.Shape(
        "resolution:N",
        scale=_rates(points, 1),
        title=RATE,
        legend=_legend(6, symbolFillColor=palette.NEUTRAL, symbolStrokeColor=palette.NEUTRAL),
    )
    line = line.add_params(picked)
    return [line, *_points(points, x, y, colour, None, shape, strength)]


def _points(
    points: Points,
    x: alt.X,
    y: alt.Y,
    colour: dict[str, Any],
    legend: alt.Legend | None,
    shape: alt.Shape,
    strength: dict[str, Any],
) -> list[alt.Chart]:
    """Bars, full and hollow points, crosses, and wide invisible marks that are easy to point at."""
    import altair as alt

    size, tooltip = 46, _tooltip(several=legend is None)
    bars = points.where("isValid(datum.low)", "bar").mark_rule(strokeWidth=1.3)
    full = points.where(f"datum.kind == '{NUMBER}'", "point").mark_point(filled=True, size=size, opacity=1)
    hollow = points.where(f"datum.kind == '{UNSURE}'", "hollow").mark_point(size=size, fill=PAPER, strokeWidth=1.6)
    refused = points.where(f"datum.kind == '{REFUSED}'", "refused").mark_text(text="×", fontSize=15, dy=-7)
    # Every layer needs every encoding of the scales that layers share, or Vega-Lite sees other domains.
    silent = alt.Shape("resolution:N", scale=shape["scale"], legend=None)
    return [
        bars.encode(x=x, y=alt.Y("low:Q"), y2="high:Q", color=alt.Color(**colour, legend=None), **strength),
        full.encode(x=x, y=y, color=alt.Color(**colour, legend=legend), shape=shape, **strength),
        hollow.encode(x=x, y=y, stroke=alt.Stroke(**colour, legend=None), shape=silent, **strength),
        refused.encode(x=x, y=alt.value("height"), color=alt.Color(**colour, legend=None), tooltip=tooltip, **strength),
        points.where(IS_NUMBER, "target").mark_circle(size=260, opacity=0.001).encode(x=x, y=y, tooltip=tooltip),
    ]  # fmt: skip


def _rates(points: Points, which: int) -> alt.Scale:
    """Resolutions, fine to coarse, with their colours (0) or shapes (1)."""
    import altair as alt

    strides = sorted({record["stride"] for record in points.records})
    return alt.Scale(
        domain=[palette.resolution(stride) for stride in strides],
        range=[palette.resolution_style(stride)[which] for stride in strides],
    )


def _legend(columns: int, **style: Any) -> alt.Legend:
    """Below the chart, in as many columns as fit a narrow page."""
    import altair as alt

    return alt.Legend(orient="bottom", columns=columns, labelLimit=150, symbolStrokeWidth=2, **style)


def _tooltip(several: bool) -> list[alt.Tooltip]:
    """What a reader sees who points at a mark."""
    import altair as alt

    return [
        *([alt.Tooltip("model:N")] if several else []),
        alt.Tooltip("tap:N"),
        alt.Tooltip("resolution:N", title=RATE),
        alt.Tooltip("value:Q", format=".4f"),
        alt.Tooltip("interval:N", title="95 % interval"),
        alt.Tooltip("n:Q", title="n scored", format=","),
        alt.Tooltip("per_dimension:Q", title="n/d (training)"),
        alt.Tooltip("note:N"),
    ]
