"""Layer curves: one panel per measure, taps in execution order; of one model by resolution, of several by model."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from s3prl_plugin.errors import UserError, did_you_mean
from s3prl_plugin.report.drawing.charts import palette
from s3prl_plugin.report.drawing.charts.places import Places, places
from s3prl_plugin.report.drawing.charts.records import REFUSED, UNSURE, domain, records
from s3prl_plugin.report.drawing.figures import style
from s3prl_plugin.report.text.table import label
from s3prl_plugin.results import Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
from typing import TYPE_CHECKING

from s3prl_plugin.report.drawing.charts.curves import as_curves

if TYPE_CHECKING:
    from matplotlib.figure import Figure


PANEL = 1.75  # inches, without the names of taps
PER_PAGE = 3  # panels side by side
CROWD = 4  # models, beyond which their intervals would hide their curves


def layer_curves(
    models: Sequence[Row] | Mapping[str, Sequence[Row]],
    measures: Sequence[str] | None = None,
    *,
    width: str = "page",
    title: str | None = None,
) -> Figure:
    """Draw the headline score of every measure over the taps.

    Bars are 95 % intervals, hollow marks are numbers that the data barely support, crosses refused ones, the dashed
    line is chance, and shades tell the network's blocks. Models with different taps stand by relative depth.

    Args:
        models: the rows of one upstream, or name -> rows of several.
        measures: those that are drawn, as tables name them; by default all, of several models those that two have.
        width: "page" (three panels side by side) or "column" (below each other; always so for a single panel).
        title: above the panels; by default what a reader must know of the results.

    Raises:
        UserError: matplotlib is not installed, or there is nothing to draw.
    """
    named = models if isinstance(models, Mapping) else {models[0].upstream: models} if models else {}
    curves = {name: [row for row in rows if row.headline and row.tap is not None] for name, rows in named.items()}
    shown = _chosen(curves, measures)
    panels = {
        measure: {name: own for name, rows in curves.items() if (own := [r for r in rows if label(r) == measure])}
        for measure in shown
    }
    return drawn(panels, list(named), width=width, title=title)


def drawn(
    panels: Mapping[str, Mapping[str, Sequence[Row]]],
    models: Sequence[str],
    *,
    width: str,
    title: str | None,
    zero: str = "chance",
) -> Figure:
    """The figure of some panels.

    Args:
        panels: title -> model -> a row per tap.
        models: their names, also of those that some panels lack.
        width, title: as for `layer_curves`.
        zero: what the dashed line stands for.
    """
    if len(panels) == 1:
        width = "column"  # a panel as wide as a page is flat
    with style.in_style():
        rows = [row for own in panels.values() for group in own.values() for row in group]
        columns = min(PER_PAGE if width == "page" else 1, len(panels))
        lines = -(-len(panels) // columns)
        by_model = len({name for own in panels.values() for name in own}) > 1
        said = {name: [row for panel in panels.values() for row in panel.get(name, ())] for name in models}
        title = style.wrapped(style.said_of(said) if title is None else title, width)
        entries = -(-len(models) // _per_line(models, width)) if by_model else 0
        figure = style.blank(width, (PANEL + 0.55) * lines + 0.35 + 0.13 * (entries + title.count("\n") + 1))
        axes = figure.subplots(lines, columns, squeeze=False)
        for axis, (measure, own) in zip(axes.flat, panels.items(), strict=False):
            _panel(axis, measure, own, rows, models, by_model)
        for axis in list(axes.flat)[len(panels) :]:
            axis.set_visible(False)
        _legend(figure, rows, by_model, width, zero)
        if by_model:
            _legend_of_models(figure, models, width, title)
        else:
            figure.suptitle(title, fontsize=style.TITLE)
    return figure


def _chosen(curves: Mapping[str, Sequence[Row]], measures: Sequence[str] | None) -> list[str]:
    """The measures that are drawn: as asked for, else those that two models share, else all."""
    whose: dict[str, set[str]] = {}
    for name, rows in curves.items():
        for row in rows:
            if row.value is not None:
                whose.setdefault(label(row), set()).add(name)
    if not whose:
        raise UserError("no layer-wise number to draw; every measure was refused or none was computed")
    for measure in measures or ():
        if measure not in whose:
            raise UserError(f"no layer curve of {measure!r}: {did_you_mean(measure, whose)}")
    return list(measures or [name for name, models in whose.items() if len(models) > 1] or whose)


def _panel(
    axis: Axes, title: str, own: Mapping[str, Sequence[Row]], rows: Sequence[Row], models: Sequence[str], by_model: bool
) -> None:
    """One measure."""
    where = places(own)
    first = next(row for group in own.values() for row in group)
    low, high = domain([row for group in own.values() for row in group]) or (0.0, 1.0)
    axis.set_ylim(low, high)
    _axes(axis, where)
    chances = [row.chance for group in own.values() for row in group if row.chance is not None]
    if chances:
        axis.axhline(sum(chances) / len(chances), color=style.GREY, linestyle=(0, (4, 3)), linewidth=0.7, zorder=1)
    resolutions, colours = style.resolution_styles(rows), palette.model_styles(models)
    found = records(own, where)
    for name, group in groupby(found, key=lambda record: record["model"]):
        colour, dashes = colours[name] if by_model else (style.GREY, (1, 0))
        _line(axis, list(group), colour, dashes, resolutions, low, len(models) if by_model else 1)
    axis.set_title(title, pad=11 if any(block.resolution for block in where.blocks) else 3, fontweight="bold")
    unit = f" in {first.unit}" if first.unit and first.unit != "fraction" else ""
    axis.set_ylabel(f"{first.score}{unit}" + ("" if first.higher_is_better else " (lower is better)"), labelpad=2)


def _axes(axis: Axes, where: Places) -> None:
    """The places of taps, and the blocks behind them."""
    axis.set_xlim(where.low, where.high)
    if where.by_tap:
        names = json.loads(where.label_expression.removesuffix("[datum.value]"))
        axis.set_xticks(where.ticks, names, rotation=90)
    else:
        axis.set_xticks(where.ticks, [f"{tick:g}" for tick in where.ticks])
        axis.set_xlabel("relative depth" + (", then outputs" if where.blocks else ""), labelpad=2)
    for i, block in enumerate(where.blocks):
        if i % 2 == (len(where.blocks) > 1):
            axis.axvspan(block.start, block.end, color=style.SHADE, zorder=0, linewidth=0)
        middle = (block.start + block.end) / 2
        at: dict[str, Any] = {"xy": (middle, 1), "xycoords": ("data", "axes fraction"), "xytext": (0, 1.5)}
        axis.annotate(block.resolution, textcoords="offset points", ha="center", fontsize=5.5, color="0.3", **at)
    axis.spines[["top", "right"]].set_visible(False)


def _line(
    axis: Axes,
    found: Sequence[dict[str, Any]],
    colour: str,
    dashes: Sequence[int],
    resolutions: Mapping[str, tuple[str, str]],
    low: float,
    models: int,
) -> None:
    """One of so many models: a line per block, bars, marks."""
    by_model, faint = models > 1, 0.4 if models > CROWD else 1.0
    for _, block in groupby(found, key=lambda record: record["block"]):
        there = [record for record in block if record["value"] is not None]
        places_of, values = [r["place"] for r in there], [r["value"] for r in there]
        axis.plot(places_of, values, color=colour, linewidth=0.9, linestyle=_pattern(dashes), alpha=0.9, zorder=2)
    size = 3.6 if models == 1 else 3.0 if models <= CROWD else 2.2
    with_bars = [record for record in found if record["low"] is not None]
    bars = [colour if by_model else resolutions[r["resolution"]][0] for r in with_bars]
    at, lows, highs = ([r[key] for r in with_bars] for key in ("place", "low", "high"))
    axis.vlines(at, lows, highs, color=bars, linewidth=0.8, alpha=faint, zorder=2)
    for (rate, kind), alike in groupby(sorted(found, key=_look), key=_look):
        own, marker = resolutions[rate]
        own = colour if by_model else own
        records_alike = list(alike)
        at = [record["place"] for record in records_alike]
        if kind == REFUSED:
            axis.plot(at, [low] * len(at), "x", color=own, markersize=3.5, clip_on=False, zorder=4)
            continue
        hollow: dict[str, Any] = {"markerfacecolor": "white"} if kind == UNSURE else {}
        values = [record["value"] for record in records_alike]
        axis.plot(at, values, marker, color=own, markersize=size, markeredgewidth=0.7, zorder=3, **hollow)


def _look(record: Mapping[str, Any]) -> tuple[str, str]:
    """What decides how a mark looks."""
    return record["resolution"], record["kind"]


def _per_line(models: Sequence[str], width: str) -> int:
    """How many names of models stand side by side in a legend."""
    taken = 0.55 + 0.05 * max(map(len, models))  # inches: of a line, the room around it, and a letter
    return max(1, min(len(models), int(style.inches(width) / taken)))


def _legend(figure: Figure, rows: Sequence[Row], by_model: bool, width: str, zero: str) -> None:
    """What the marks are, below the panels."""
    from matplotlib.lines import Line2D

    dot: dict[str, Any] = {"linestyle": "", "markersize": 3.6}
    marks = [
        Line2D([], [], color="0.3" if by_model else colour, marker=marker, label=name, **dot)
        for name, (colour, marker) in style.resolution_styles(rows).items()
    ]
    if any(row.chance is not None for row in rows):
        marks.append(Line2D([], [], color=style.GREY, linestyle=(0, (4, 3)), linewidth=0.7, label=zero))
    hollow = ["little support"] * any(row.grey for row in rows) + ["with itself"] * any(row.trivial for row in rows)
    if hollow:
        marks.append(Line2D([], [], color="0.3", marker="o", markerfacecolor="white", label=", ".join(hollow), **dot))
    if any(row.value is None for row in rows):
        marks.append(Line2D([], [], color="0.3", marker="x", label="refused", **dot))
    count = min(len(marks), 6 if width == "page" else 4)
    figure.legend(handles=marks, loc="outside lower center", ncols=count, frameon=False, columnspacing=1.4)


def _legend_of_models(figure: Figure, models: Sequence[str], width: str, title: str) -> None:
    """The models, above the panels, below the title."""
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color=colour, linestyle=_pattern(dashes), linewidth=1.2, label=name)
        for name, (colour, dashes) in palette.model_styles(models).items()
    ]
    legend = figure.legend(
        handles=handles,
        loc="outside upper center",
        ncols=_per_line(models, width),
        frameon=False,
        handlelength=2.5,
        title=title,
        title_fontsize=style.TITLE,
    )
    legend.get_title().set_multialignment("center")


def _pattern(dashes: Sequence[int]) -> Any:
    """A dash of the palette as matplotlib has it."""
    return "-" if tuple(dashes) == (1, 0) else (0, tuple(0.6 * part for part in dashes))


def weights(
    models: Sequence[Row] | Mapping[str, Sequence[Row]], *, width: str = "page", title: str | None = None
) -> Figure:
    """Draw what the weighted sum of every task takes of each tap.

    Marks are means over the seeds of the heads, bars reach from the least to the largest; the dashed line is what equal
    weights would be. How much of a layer goes into a sum also depends on how large its values are.

    Args:
        models: the rows of one upstream, or name -> rows of several.
        width: "page" (three panels side by side) or "column" (below each other).
        title: above the panels; by default what a reader must know of the results.

    Raises:
        UserError: matplotlib is not installed, or no task learned weights.
    """
    named = models if isinstance(models, Mapping) else {models[0].upstream: models} if models else {}
    curves = {name: as_curves(rows) for name, rows in named.items()}
    tasks = dict.fromkeys(task for own in curves.values() for task in own)
    if not tasks:
        raise UserError("no weights to draw: no task with a weighted sum over several taps was run")
    panels = {f"{task}: weights": {name: own[task] for name, own in curves.items() if task in own} for task in tasks}
    return drawn(panels, list(named), width=width, title=title, zero="equal weights")
