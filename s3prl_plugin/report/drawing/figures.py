"""Figures for print: layer curves and weights, a panel per measure or task, and every figure of some runs as files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from s3prl_plugin.errors import UserError, did_you_mean
from s3prl_plugin.report.drawing import maps, palette
from s3prl_plugin.report.drawing.curves import POINTS, RATE, as_curves, curve, rates
from s3prl_plugin.report.drawing.needed import Data, models_of, require_altair
from s3prl_plugin.report.drawing.palette import PRINT
from s3prl_plugin.report.drawing.places import places, records
from s3prl_plugin.report.drawing.printed import (
    FORMATS,
    WIDTHS,
    as_svg,
    fitted,
    formats,
    heading,
    save,
    width_of,
    write_svg,
)
from s3prl_plugin.report.tables import WEIGHT, groups, in_matrices, label
from s3prl_plugin.results import Row

__all__ = ["FORMATS", "WIDTHS", "formats", "layer_curves", "named", "save", "weights", "write"]

PER_PAGE = 3  # panels side by side
HEIGHT, LOW = 92, 74  # points of a panel, and of one of many below each other
MANY = 3
Panels = Mapping[str, Mapping[str, Sequence[Row]]]


def layer_curves(
    data: Data | Mapping[str, Data],
    measures: Sequence[str] | None = None,
    *,
    width: str = "page",
    title: str | None = None,
) -> Any:
    """Draw the headline score of every measure over the taps, for print.

    Bars are 95 % intervals, hollow marks are numbers that the data barely support, crosses refused ones, the dashed
    line is chance, and shades tell the network's blocks. Models with different taps stand by relative depth.

    Args:
        data: a folder, what `load_results` returns, or rows; or name -> one of these for each of several models.
        measures: those that are drawn, as tables name them; by default all, of several models those that two have.
        width: "page" (three panels side by side) or "column" (below each other; always so for a single panel).
        title: above the panels; by default what a reader must know of the results.

    Returns:
        An altair chart, as wide as a column or a page of a paper; `save` writes it.

    Raises:
        UserError: altair or vl-convert is not installed, or there is nothing to draw.
    """
    curves = {name: [row for row in rows if row.headline and row.tap is not None]
              for name, rows in models_of(data).items()}  # fmt: skip
    shown = _chosen(curves, measures)
    panels = {
        measure: {name: own for name, rows in curves.items() if (own := [r for r in rows if label(r) == measure])}
        for measure in shown
    }
    return _drawn(panels, list(curves), width=width, title=title)


def weights(data: Data | Mapping[str, Data], *, width: str = "page", title: str | None = None) -> Any:
    """Draw what the weighted sum of every task takes of each tap, for print.

    Marks are means over the seeds of the heads, bars reach from the least to the largest; the dashed line is what equal
    weights would be. How much of a layer goes into a sum also depends on how large its values are.

    Args:
        data, width, title: as for `layer_curves`.

    Returns:
        An altair chart.

    Raises:
        UserError: altair or vl-convert is not installed, or no task learned weights.
    """
    models = models_of(data)
    curves = {name: as_curves(rows) for name, rows in models.items()}
    tasks = dict.fromkeys(task for own in curves.values() for task in own)
    if not tasks:
        raise UserError("no weights to draw: no task with a weighted sum over several taps was run")
    panels = {f"{task}: weights": {name: own[task] for name, own in curves.items() if task in own} for task in tasks}
    return _drawn(panels, list(models), width=width, title=title, zero="equal weights")


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
        _check(measure, whose)
    return list(measures or [name for name, models in whose.items() if len(models) > 1] or whose)


def _check(measure: str, there: Iterable[str]) -> None:
    """Refuse a measure of which there is no curve."""
    if measure not in there:
        raise UserError(f"no layer curve of {measure!r}: {did_you_mean(measure, there)}")


def _drawn(panels: Panels, models: Sequence[str], *, width: str, title: str | None, zero: str = "chance") -> Any:
    """The figure of some panels: title -> model -> a row per tap."""
    require_altair("altair", "vl_convert")
    import altair as alt

    if len(panels) == 1 and width == "page":
        width = "column"  # a panel as wide as a page is flat
    width_of(width)
    columns = min(PER_PAGE if width == "page" else 1, len(panels))
    lines = -(-len(panels) // columns)
    rows = [row for own in panels.values() for group in own.values() for row in group]
    by_model = len({name for own in panels.values() for name in own}) > 1
    styles = palette.model_styles(models) if by_model else None
    same = len({places(own).names for own in panels.values()}) == 1
    height = LOW if lines > MANY else HEIGHT
    head = heading(rows, models, width) if title is None else alt.TitleParams(title, anchor="start", fontSize=7.5)
    key = _key(panels, models, by_model, width, zero)

    panel = width_of(width) / columns - 40
    drawn, held = [], {}
    for i, (name, own) in enumerate(panels.items()):
        last = i + columns >= len(panels)
        held[f"{POINTS}{i}"] = records(own, places(own))
        drawn.append(
            curve(own, styles, width=panel, height=height, look=PRINT, heading=name, data=f"{POINTS}{i}",
                  above=i < columns or not same, below=last or not same)
        )  # fmt: skip
    grid = alt.concat(*drawn, columns=columns, align={"row": "each", "column": "all"}, title=head)
    apart = alt.Resolve(scale=dict.fromkeys(("color", "shape", "strokeDash"), "independent"))  # the key has its own
    grid.resolve = apart
    made = alt.vconcat(grid, key, spacing=4, datasets=held, resolve=apart)
    return fitted(made, made.vconcat[0].concat, columns, width)


def _key(panels: Panels, models: Sequence[str], by_model: bool, width: str, zero: str) -> Any:
    """What the marks are, below all panels: an empty chart with their legends, and a line of words."""
    import altair as alt

    rows = [row for own in panels.values() for group in own.values() for row in group]
    strides = sorted({row.stride or 0 for row in rows})
    values = [{"model": name, "resolution": palette.resolution(stride)} for name in models for stride in strides]
    base = alt.Chart(alt.InlineData(values=values))
    shown: dict[str, Any] = {"orient": "bottom", "symbolOpacity": 1, "labelLimit": 200, "direction": "horizontal"}
    every = [{"stride": stride} for stride in strides]
    legend = alt.Legend(**shown, columns=8)
    looks: dict[str, Any] = {"shape": alt.Shape("resolution:N", scale=rates(every, 1), title=RATE, legend=legend)}
    if not by_model:
        looks["color"] = alt.Color("resolution:N", scale=rates(every, 0), title=RATE, legend=legend)
    layers = [base.mark_point(filled=True, opacity=0, color=palette.NEUTRAL).encode(**looks)]
    if by_model:
        columns = max(1, int(width_of(width) / (26 + 3.6 * max(map(len, models)))))
        names = alt.Legend(**shown, columns=columns, symbolType="stroke", symbolSize=120, title=None)
        styles = palette.model_styles(models)
        colours, dashes = ([styles[name][i] for name in models] for i in (0, 1))
        line = base.mark_line(opacity=0).encode(
            color=alt.Color("model:N", legend=names, scale=alt.Scale(domain=list(models), range=colours)),
            strokeDash=alt.StrokeDash("model:N", legend=names, scale=alt.Scale(domain=list(models), range=dashes)),
        )
        layers.insert(0, line)
    said = [f"bars: {'95 % intervals' if zero == 'chance' else 'least to largest over seeds'}"]
    said += [f"dashed: {zero}"] if any(row.chance is not None for row in rows) else []
    hollow = ["little support"] * any(row.grey for row in rows) + ["with itself"] * any(row.trivial for row in rows)
    said += [f"hollow: {', '.join(hollow)}"] if hollow else []
    said += ["×: refused"] if any(row.value is None for row in rows) else []
    title = alt.TitleParams(
        "; ".join(said), orient="bottom", anchor="start", fontWeight="normal", fontSize=6.5, color="#444", offset=3
    )
    return alt.LayerChart(layer=layers, title=title, width=1, height=1)


def named(runs: Iterable[tuple[Path, Sequence[Row]]]) -> dict[str, Sequence[Row]]:
    """The models of some runs, by the names of their folders.

    Args:
        runs: folders and their rows.

    Returns:
        name -> rows; a number tells apart several models or corpora of a folder, and folders of one name.
    """
    found: dict[str, Sequence[Row]] = {}
    for folder, rows in runs:
        name = folder.resolve().name
        for group in groups(rows):
            taken = sum(other == name or other.rpartition("-")[0] == name for other in found)
            found[f"{name}-{taken + 1}" if taken else name] = group
    return found


def write(
    models: Mapping[str, Sequence[Row]],
    folder: str | Path,
    kinds: Sequence[str] = ("png",),
    *,
    width: str = "page",
    measures: Sequence[str] | None = None,
) -> Iterator[Path]:
    """Write every figure that there is something for: of each model, and of all of them together.

    Args:
        models: name -> rows.
        folder: where they go: NAME-layers, NAME-taps (matrices), NAME-weights, and all-layers, all-weights.
        kinds: formats.
        width: "page" or "column".
        measures: of the layer curves; then nothing else is drawn.

    Yields:
        The files, as they are written.

    Raises:
        UserError: there is nothing to draw, a format is not possible, or a package is not installed.
    """
    require_altair("altair", "vl_convert")
    there = {label(row) for rows in models.values() for row in _numbers(rows)}
    for measure in measures or ():
        _check(measure, there)
    wanted = [(f"{name}-{what}", make) for name, rows in models.items() for what, make in _of({name: rows}, measures)]
    if len(models) > 1:
        wanted += [(f"all-{what}", make) for what, make in _of(models, measures)]
    if not wanted:
        raise UserError(f"{folder}: no layer-wise number to draw; every measure was refused or none was computed")
    for name, make in wanted:
        drawn = as_svg(make(width=width))
        for kind in kinds:
            yield write_svg(drawn, Path(folder) / f"{name}.{formats(kind)[0]}")


def _of(
    models: Mapping[str, Sequence[Row]], measures: Sequence[str] | None
) -> Iterator[tuple[str, Callable[..., Any]]]:
    """The figures of one model, or of several together."""
    least = min(2, len(models))
    numbers = {name: {label(row) for row in _numbers(rows)} for name, rows in models.items()}
    chosen = [measure for measure in measures or () if any(measure in own for own in numbers.values())]
    curves = {name: rows for name, rows in models.items() if numbers[name] & set(chosen if measures else numbers[name])}
    if len(curves) >= least:
        yield "layers", partial(layer_curves, curves, chosen)
    if measures:
        return
    if least == 1 and any(row.value is not None for rows in models.values() for row in _cells(rows)):
        ((name, rows),) = models.items()
        yield "taps", partial(maps.heat_map, rows, name)
    weighed = {
        name: rows for name, rows in models.items() if any(row.score == WEIGHT and row.tap is not None for row in rows)
    }
    if len(weighed) >= least:
        yield "weights", partial(weights, weighed)


def _numbers(rows: Sequence[Row]) -> list[Row]:
    """Those that are a layer's number."""
    return [row for row in rows if row.headline and row.tap is not None and row.value is not None]


def _cells(rows: Sequence[Row]) -> Iterator[Row]:
    """Those of matrices."""
    for cells in in_matrices(rows).values():
        yield from cells
