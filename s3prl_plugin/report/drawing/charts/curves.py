"""Layer curves: the score of one measure over the taps of a model, or of several models over each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from s3prl_plugin.errors import UserError
from s3prl_plugin.report.drawing.charts import background, marks
from s3prl_plugin.report.drawing.charts.needed import require_altair
from s3prl_plugin.report.drawing.charts.palette import model_styles
from s3prl_plugin.report.drawing.charts.places import Places, places
from s3prl_plugin.report.drawing.charts.records import domain, records
from s3prl_plugin.report.text.table import label
from s3prl_plugin.results import Row

if TYPE_CHECKING:
    import altair as alt
from collections.abc import Iterable
from dataclasses import replace
from statistics import fmean

from s3prl_plugin.report.text.table import WEIGHT

HEIGHT = 230
Style = tuple[str, tuple[int, ...]]  # a colour and a dash
GENERATED = "generated"


def layer_curve(
    rows: Sequence[Row], model: str | None = None, value_domain: Sequence[float] | None = None, **size: Any
) -> alt.LayerChart:
    """One measure of one model: taps in execution order, coloured by resolution, blocks shaded.

    Bars are 95 % intervals, hollow marks are numbers that the data barely support, a cross stands for a refused one,
    the dashed line is chance.

    Args:
        rows: of one upstream and one measure, a row per tap.
        model: its name; by default the upstream's.
        value_domain: ends of the value axis, to compare charts; by default those of the numbers.
        size: `width` (default: the container's) and `height` in pixels.

    Raises:
        UserError: altair is not installed, or there are no rows.
    """
    return _chart({model or _first(rows).upstream: rows}, rows, value_domain, None, **size)


def overlaid_curves(
    models: Mapping[str, Sequence[Row]], styles: Mapping[str, Style] | None = None, **size: Any
) -> alt.LayerChart:
    """One measure of several models: a line each, shapes by resolution.

    Taps stand by their names where one model has all taps of the others, else by their relative depth. The chart's
    parameter `models` is the list of those that are shown; a click on the legend brings one to the fore.

    Args:
        models: name -> rows of one measure, a row per tap.
        styles: name -> colour and dash, to look alike in several charts; by default `palette.model_styles`.
        size: `width` (default: the container's) and `height` in pixels.

    Raises:
        UserError: altair is not installed, or there are no rows.
    """
    return _chart(
        models, [row for rows in models.values() for row in rows], None, styles or model_styles(list(models)), **size
    )


def _first(rows: Sequence[Row]) -> Row:
    if not rows:
        raise UserError("there are no rows to draw")
    return rows[0]


def _chart(
    models: Mapping[str, Sequence[Row]],
    rows: Sequence[Row],
    value_domain: Sequence[float] | None,
    styles: Mapping[str, Style] | None,
    *,
    width: int | Literal["container"] = "container",
    height: int = HEIGHT,
) -> alt.LayerChart:
    """Shades, chance, lines, bars and points over each other."""
    require_altair()
    import altair as alt

    first = _first(rows)
    where = places({name: own for name, own in models.items() if own})
    found = records(models, where)
    points = marks.Points(found, "indexof(models, datum.model) >= 0" if styles else "")
    ends = value_domain or domain(rows) or [0.0, 1.0]
    axis = alt.Axis(
        values=list(where.ticks), labelExpr=where.label_expression, labelAngle=-60 if where.by_tap else 0, grid=False,
        labelOverlap=False, title=where.title or None, labelLimit=110, format="" if where.by_tap else ".2f",
    )  # fmt: skip
    x = alt.X("place:Q", scale=alt.Scale(domain=[where.low, where.high], nice=False, zero=False), axis=axis)
    y = alt.Y(
        "value:Q",
        scale=alt.Scale(domain=list(ends), nice=False, zero=False),
        axis=alt.Axis(title=value_title(first), tickCount=5, format=_format(ends)),
    )
    if styles is None:
        drawn = marks.by_resolution(points, x, y)
    else:
        picked = alt.selection_point(name="picked", fields=["model"], bind="legend")
        drawn = marks.by_model(points, x, y, picked, styles)
    # In one call: altair copies a chart as a whole for everything that is added to it later.
    chart = alt.LayerChart(
        layer=[*background.shades(where, x), *background.chance(rows), *drawn],
        title=title_of(None if styles else next(iter(models)), rows, where),
        width=width,
        height=height,
        datasets={marks.POINTS: found},
        resolve=alt.Resolve(scale={"color": "independent", "shape": "independent", "strokeDash": "independent"}),
    )
    return chart.add_params(alt.param(name="models", value=list(models))) if styles else chart


def title_of(model: str | None, rows: Sequence[Row], where: Places) -> alt.TitleParams:
    """What is shown, of which model, and what a reader must know when the figure travels alone."""
    import altair as alt

    first = rows[0]
    parts = [first.corpus] if first.corpus and first.corpus != GENERATED else []
    parts += ["generated speech"] if any(row.corpus_kind == GENERATED for row in rows) else []
    random = [row.weights == "random" for row in rows]
    parts += ["random weights"] if all(random) else ["some weights random"] if any(random) else []
    lines = [*([model] if model else []), " · ".join(parts)]
    return alt.TitleParams(
        label(first),
        subtitle=[line for line in lines if line],
        anchor="start",
        frame="group",
        offset=5 + 11 * where.lines,
    )


def value_title(row: Row) -> str:
    """The score, its unit and which way is better."""
    unit = f" in {row.unit}" if row.unit and row.unit != "fraction" else ""
    return f"{row.score}{unit}" + ("" if row.higher_is_better else " (lower is better)")


def _format(ends: Sequence[float]) -> str:
    """Digits that tell the ticks of an axis apart."""
    room = ends[1] - ends[0]
    return ",.0f" if room > 20 else ".2f" if room > 0.08 else ".3f"


def as_curves(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """Task -> one row per tap: the mean weight over the seeds of the heads, with the least and the largest as interval.

    Equal weights, 1 over the number of taps, stand in the place of chance.

    Args:
        rows: of one upstream; others than weights are passed over.
    """
    found: dict[str, dict[str, list[Row]]] = {}
    for row in rows:
        if row.score == WEIGHT and row.tap is not None and row.value is not None:
            found.setdefault(row.measure, {}).setdefault(row.tap, []).append(row)
    return {task: [_over_seeds(own, len(taps)) for own in taps.values()] for task, taps in found.items()}


def _over_seeds(rows: list[Row], taps: int) -> Row:
    """One tap."""
    weights = [row.value for row in rows if row.value is not None]
    ends = {"ci_low": min(weights), "ci_high": max(weights)} if len(weights) > 1 else {}
    return replace(rows[0], value=fmean(weights), chance=1 / taps, details={"seeds": len(weights)}, n=None, **ends)  # type: ignore[arg-type]
