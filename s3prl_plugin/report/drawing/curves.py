"""Layer curves: the score of one measure over the taps of a model, or of several models over each other.

Behind them stand the network's blocks as bands with their names, and chance as a dashed line; on them a line, bars for
intervals, points whose shape tells the resolution, and refusals. Layers have names, by which the page gives them the
colours of its theme.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from statistics import fmean
from typing import TYPE_CHECKING, Any, Literal

from s3prl_plugin.report.drawing import palette
from s3prl_plugin.report.drawing.needed import of_one, require_altair
from s3prl_plugin.report.drawing.palette import SCREEN, Look, Style
from s3prl_plugin.report.drawing.places import NUMBER, REFUSED, UNSURE, Places, domain, places, records
from s3prl_plugin.report.tables import WEIGHT, label
from s3prl_plugin.results import Row

if TYPE_CHECKING:
    import altair as alt

HEIGHT = 230
GENERATED = "generated"
POINTS = "points"  # the name of the data
FAINT = 0.12  # models that are not picked
RATE = "frame rate"
IS_NUMBER = f"datum.kind != '{REFUSED}'"


def layer_curve(
    rows: Sequence[Row],
    model: str | None = None,
    ends: Sequence[float] | None = None,
    *,
    width: int | Literal["container"] = "container",
    height: float = HEIGHT,
) -> alt.LayerChart:
    """One measure of one model: taps in execution order, coloured by resolution, blocks shaded.

    Bars are 95 % intervals, hollow marks are numbers that the data barely support, a cross stands for a refused one,
    the dashed line is chance.

    Args:
        rows: of one upstream and one measure, a row per tap.
        model: its name; by default the upstream's.
        ends: of the value axis, to compare charts; by default those of the numbers.
        width, height: in pixels; by default the width is the container's.

    Raises:
        UserError: altair is not installed, or there are no rows.
    """
    return curve({model or of_one(rows).title: rows}, None, ends, width=width, height=height)


def overlaid_curves(
    models: Mapping[str, Sequence[Row]],
    styles: Mapping[str, Style] | None = None,
    *,
    width: int | Literal["container"] = "container",
) -> alt.LayerChart:
    """One measure of several models: a line each, shapes by resolution.

    Taps stand by their names where one model has all taps of the others, else by their relative depth. The chart's
    parameter `models` is the list of those that are shown; a click on the legend brings one to the fore.

    Args:
        models: name -> rows of one measure, a row per tap.
        styles: name -> colour and dash, to look alike in several charts; by default `palette.model_styles`.
        width: in pixels; by default the container's.

    Raises:
        UserError: altair is not installed, or there are no rows.
    """
    return curve(models, styles or palette.model_styles(list(models)), width=width)


def curve(
    models: Mapping[str, Sequence[Row]],
    styles: Mapping[str, Style] | None,
    ends: Sequence[float] | None = None,
    *,
    width: float | Literal["container"],
    height: float = HEIGHT,
    look: Look = SCREEN,
    heading: str | None = None,
    above: bool = True,
    below: bool = True,
    data: str = POINTS,
) -> alt.LayerChart:
    """Shades, chance, lines, bars and points over each other.

    Args:
        models: name -> rows of one measure, a row per tap.
        styles: of the models, by which they are coloured; None to colour by resolution.
        ends: of the value axis.
        width, height: of the plot.
        look: how large marks are. In print there is nothing to be pointed at, and no legend of its own.
        heading: in place of the measure's name and what a reader must know of the results.
        above, below: whether the names of blocks, of taps, are written.
        data: the name of the data, which a page's chart holds; those of a printed figure stand beside its panels.
    """
    require_altair()
    import altair as alt

    rows = [row for own in models.values() for row in own]
    first = of_one(rows)
    where = places({name: own for name, own in models.items() if own})
    found = records(models, where)
    ends = ends or domain(rows) or [0.0, 1.0]
    axis = alt.Axis(
        values=where.ticks, labelExpr=where.label_expression, labelAngle=(-90 if look.printed else -60) * where.by_tap,
        grid=False, labelOverlap=False, title=where.title if below and where.title else None, labelLimit=110,
        format="" if where.by_tap else ".2f", labels=below, ticks=below,
        labelFontSize=look.word if look.printed else alt.Undefined,
    )  # fmt: skip
    x = alt.X("place:Q", scale=alt.Scale(domain=[where.low, where.high], nice=False, zero=False), axis=axis)
    value = alt.Axis(title=value_title(first), tickCount=5 if height > 60 else 4, format=_format(ends))
    y = alt.Y("value:Q", scale=alt.Scale(domain=list(ends), nice=False, zero=False), axis=value)
    drawn = _by_resolution(found, x, y, look) if styles is None else _by_model(found, x, y, styles, look)
    title = title_of(None if styles else next(iter(models)), rows, where)
    if heading is not None:
        title = alt.TitleParams(heading, anchor="start", frame="group", offset=3)
    # In one call: altair copies a chart as a whole for everything that is added to it later.
    chart = alt.LayerChart(
        layer=[*_shades(where, x, look, above), *_chance(rows, look), *drawn],
        title=title,
        width=width,
        height=height,
        data=alt.NamedData(data),
        datasets=alt.Undefined if look.printed else {data: found},
        resolve=alt.Resolve(scale={"color": "independent", "shape": "independent", "strokeDash": "independent"}),
    )
    return chart.add_params(alt.param(name="models", value=list(models))) if styles and not look.printed else chart


def title_of(model: str | None, rows: Sequence[Row], where: Places) -> alt.TitleParams:
    """What is shown, of which model, and what a reader must know when the figure travels alone."""
    import altair as alt

    lines = [*([model] if model else []), " · ".join(warnings(rows))]
    return alt.TitleParams(
        label(rows[0]),
        subtitle=[line for line in lines if line],
        anchor="start",
        frame="group",
        offset=5,
    )


def warnings(rows: Sequence[Row]) -> list[str]:
    """The corpora of some rows, and what a reader must know of them."""
    parts = list(dict.fromkeys(row.corpus for row in rows if row.corpus and row.corpus != GENERATED))
    parts += ["generated speech"] if any(row.corpus_kind == GENERATED for row in rows) else []
    random = [row.weights == "random" for row in rows]
    return parts + (["random weights"] if all(random) else ["some weights random"] if any(random) else [])


def value_title(row: Row) -> str:
    """The score, its unit and which way is better."""
    unit = f" in {row.unit}" if row.unit and row.unit != "fraction" else ""
    return f"{row.score}{unit}" + ("" if row.higher_is_better else " (lower is better)")


def _format(ends: Sequence[float]) -> str:
    """Digits that tell the ticks of an axis apart."""
    room = ends[1] - ends[0]
    return ",.0f" if room > 20 else ".2f" if room > 0.08 else ".3f"


def _shades(where: Places, x: alt.X, look: Look, named_too: bool) -> list[alt.Chart]:
    """Every other block is shaded, and all are named above the plot."""
    import altair as alt

    shared = {"scale": x["scale"], "axis": x["axis"]}
    named = [block for block in where.blocks if block.label]
    if not named:
        return []
    shaded = [{"start": block.start, "end": block.end} for block in (named[1::2] if len(named) > 1 else named)]
    bands = alt.Chart(alt.InlineData(values=shaded), name=_name("shade", look)).mark_rect(color=palette.SHADE)
    layers = [bands.encode(x=alt.X("start:Q", **shared), x2="end:Q")]
    if not named_too:
        return layers
    words = [
        {"middle": (block.start + block.end) / 2, "words": [w for w in (block.label, block.resolution) if w]}
        for block in named
    ]
    line = look.word + 1  # pixels from one line of a name to the next
    names = alt.Chart(alt.InlineData(values=words), name=_name("blocks", look))
    names = names.mark_text(baseline="bottom", fontSize=look.word, lineHeight=line, color="#555")
    above = -(2 if look.printed else 4) - line * (where.lines - 1)  # of the first line; the others follow below it
    return [*layers, names.encode(x=alt.X("middle:Q", **shared), y=alt.value(above), text="words:N")]


def _chance(rows: Sequence[Row], look: Look) -> list[alt.Chart]:
    """What the score would be without any information; the mean of it where taps differ a little."""
    import altair as alt

    known = [row.chance for row in rows if row.chance is not None]
    if not known:
        return []
    mean = round(sum(known) / len(known), 5)
    data = alt.InlineData(values=[{"chance": mean, "what": f"chance: {mean:.3f}"}])
    rule = alt.Chart(data, name=_name("chance", look))
    rule = rule.mark_rule(strokeDash=[5, 4], color=palette.NEUTRAL, strokeWidth=0.9 * look.bar)
    ends = {"x": alt.value(0), "x2": alt.value("width")}
    return [rule.encode(y=alt.Y("chance:Q"), tooltip=alt.Tooltip("what:N", title=" "), **ends)]


def _layer(name: str, expression: str, look: Look, shown: str = "") -> alt.Chart:
    """A layer of the chart's records that fulfil an expression."""
    import altair as alt

    wanted = f"{shown} && {expression}" if shown else expression
    return alt.Chart(alt.Undefined, name=_name(name, look), transform=[alt.FilterTransform(filter=wanted)])


def _name(name: str, look: Look) -> Any:
    """Of a layer, for the page's colours; in print panels would share it."""
    import altair as alt

    return alt.Undefined if look.printed else name


def _by_resolution(found: Sequence[Mapping[str, Any]], x: alt.X, y: alt.Y, look: Look) -> list[alt.Chart]:
    """Coloured by resolution, for one model."""
    import altair as alt

    line = _layer("line", IS_NUMBER, look).mark_line(color=palette.NEUTRAL, strokeWidth=0.67 * look.line, opacity=0.7)
    shown = legend(6, look)
    shape = alt.Shape("resolution:N", scale=rates(found, 1), title=RATE, legend=shown)
    colour = {"shorthand": "resolution:N", "scale": rates(found, 0), "title": RATE}
    return [line.encode(x=x, y=y, detail="block:N"), *_points("", x, y, colour, shown, shape, {}, look, several=False)]


def _by_model(
    found: Sequence[Mapping[str, Any]], x: alt.X, y: alt.Y, styles: Mapping[str, Style], look: Look
) -> list[alt.Chart]:
    """Coloured and dashed by model; on a page those that are not picked in the legend are faint."""
    import altair as alt

    models = list(dict.fromkeys(record["model"] for record in found))
    colours = alt.Scale(domain=models, range=[styles[name][0] for name in models])
    dashes = alt.Scale(domain=models, range=[list(styles[name][1]) for name in models])
    colour: dict[str, Any] = {"shorthand": "model:N", "scale": colours, "title": "model"}
    shown, strength = "", {}
    if not look.printed:
        picked = alt.selection_point(name="picked", fields=["model"], bind="legend")
        shown = "indexof(models, datum.model) >= 0"
        strength = {"opacity": alt.condition(picked, alt.value(1), alt.value(FAINT))}
    line = _layer("line", IS_NUMBER, look, shown).mark_line(strokeWidth=look.line).encode(
        x=x, y=y, detail="block:N",
        color=alt.Color(**colour, legend=legend(2, look)),
        strokeDash=alt.StrokeDash("model:N", scale=dashes, title="model", legend=legend(2, look)),
        **strength,
    )  # fmt: skip
    grey = {"symbolFillColor": palette.NEUTRAL, "symbolStrokeColor": palette.NEUTRAL}
    shape = alt.Shape("resolution:N", scale=rates(found, 1), title=RATE, legend=legend(6, look, **grey))
    line = line if look.printed else line.add_params(picked)
    return [line, *_points(shown, x, y, colour, None, shape, strength, look, several=True)]


def _points(
    shown: str,
    x: alt.X,
    y: alt.Y,
    colour: dict[str, Any],
    colours: alt.Legend | None,
    shape: alt.Shape,
    strength: dict[str, Any],
    look: Look,
    *,
    several: bool,
) -> list[alt.Chart]:
    """Bars, full and hollow points, crosses, and on a page wide invisible marks that are easy to point at."""
    import altair as alt

    tooltip = _tooltip(several)
    bars = _layer("bar", "isValid(datum.low)", look, shown).mark_rule(strokeWidth=look.bar)
    full = _layer("point", f"datum.kind == '{NUMBER}'", look, shown).mark_point(filled=True, size=look.point, opacity=1)
    hollow = _layer("hollow", f"datum.kind == '{UNSURE}'", look, shown)
    hollow = hollow.mark_point(size=look.point, fill=palette.PAPER, strokeWidth=1.2 * look.bar)
    refused = _layer("refused", f"datum.kind == '{REFUSED}'", look, shown)
    refused = refused.mark_text(text="×", fontSize=look.cross, dy=-look.cross / 2)
    # Every layer needs every encoding of the scales that layers share, or Vega-Lite sees other domains.
    silent = alt.Shape("resolution:N", scale=shape["scale"], legend=None)
    layers = [
        bars.encode(x=x, y=alt.Y("low:Q"), y2="high:Q", color=alt.Color(**colour, legend=None), **strength),
        full.encode(x=x, y=y, color=alt.Color(**colour, legend=colours), shape=shape, **strength),
        hollow.encode(x=x, y=y, stroke=alt.Stroke(**colour, legend=None), shape=silent, **strength),
        refused.encode(x=x, y=alt.value("height"), color=alt.Color(**colour, legend=None), tooltip=tooltip, **strength),
    ]  # fmt: skip
    if look.printed:
        return layers
    target = _layer("target", IS_NUMBER, look, shown).mark_circle(size=260, opacity=0.001)
    return [*layers, target.encode(x=x, y=y, tooltip=tooltip)]


def rates(found: Sequence[Mapping[str, Any]], which: int) -> alt.Scale:
    """Resolutions, fine to coarse, with their colours (0) or shapes (1)."""
    import altair as alt

    strides = sorted({record["stride"] for record in found})
    return alt.Scale(
        domain=[palette.resolution(stride) for stride in strides],
        range=[palette.resolution_style(stride)[which] for stride in strides],
    )


def legend(columns: int, look: Look, **style: Any) -> alt.Legend | None:
    """Below the chart, in as many columns as fit a narrow page; in print all panels share one."""
    import altair as alt

    if look.printed:
        return None
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
