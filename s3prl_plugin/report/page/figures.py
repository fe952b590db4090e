"""The charts of the page, in the groups in which they are shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from s3prl_plugin.report.drawing.curves import POINTS, as_curves, layer_curve, overlaid_curves, title_of, value_title
from s3prl_plugin.report.drawing.maps import grid_mixing, matrix_chart
from s3prl_plugin.report.drawing.palette import Style
from s3prl_plugin.report.drawing.places import domain, in_order, places, records
from s3prl_plugin.report.page.models import Model
from s3prl_plugin.report.page.panels import Panel
from s3prl_plugin.report.sections import Figure
from s3prl_plugin.report.tables import GRID, in_matrices
from s3prl_plugin.results import Row

SMALL = 150  # pixels: height of charts that stand side by side
Styles = Mapping[str, Style]
GRID_WIDTH = 270  # pixels
MOST_REMARKS = 4


def layer_curves(panels: Sequence[Panel], styles: Styles) -> tuple[Figure, ...]:
    """One measure after the other: all models over each other and, of several, a chart per model.

    Args:
        panels: in their order.
        styles: of all models of the page, so that each looks alike in every chart.
    """
    return tuple(_curves(panel, styles) for panel in panels)


def _curves(panel: Panel, styles: Styles) -> Figure:
    """One measure."""
    remarks = tuple(panel.remarks)
    if not panel.drawable:
        return Figure(title=panel.title, spec={}, caption=f"{panel.title}: no number.", remarks=remarks)
    caption = panel.meaning.about if panel.meaning.about != panel.first.measure else ""
    if len(styles) == 1:
        ((name, rows),) = panel.models.items()
        return Figure(title=panel.title, spec=spec(layer_curve(rows, name)), caption=caption, remarks=remarks)
    beside = tuple(
        Figure(title=f"{panel.title} of {name}", spec=each, model=name)
        for name, each in zip(panel.models, _beside(panel, domain(panel.rows)), strict=True)
    )
    over = spec(overlaid_curves(panel.models, styles))
    return Figure(title=panel.title, spec=over, caption=caption, remarks=remarks, beside=beside)


def _beside(panel: Panel, ends: Sequence[float] | None) -> Iterator[dict[str, Any]]:
    """A chart per model; where taps and chance are the same, only data and title differ, and altair is slow."""
    made: dict[tuple[Any, ...], dict[str, Any]] = {}
    for name, rows in panel.models.items():
        where = places({name: rows})
        alike = (tuple((row.tap, row.stride, row.block, row.chance) for row in in_order(rows)), value_title(rows[0]))
        if alike not in made:
            made[alike] = spec(layer_curve(rows, name, ends, height=SMALL))
        title = title_of(name, rows, where).to_dict()
        yield {**made[alike], "title": title, "datasets": {POINTS: records({name: rows}, where)}}


def weights(models: Sequence[Model], styles: Styles) -> tuple[Figure, ...]:
    """What the tasks' weighted sums learned, a chart per task; see `layer_curves`."""
    found: dict[str, dict[str, list[Row]]] = {}
    for model in models:
        for task, rows in as_curves(model.rows).items():
            found.setdefault(task, {})[model.name] = rows
    return layer_curves([Panel(f"{task}, weights of the sum", own) for task, own in found.items()], styles)


def heat_maps(models: Sequence[Model]) -> tuple[Figure, ...]:
    """A heat map per model, measure and partner; those of a measure share their colours."""
    found: dict[tuple[str, str], dict[tuple[str, str | None], list[Row]]] = {}
    for model in models:
        for (measure, score, other), rows in in_matrices(model.rows).items():
            found.setdefault((measure, score), {})[model.name, other] = rows
    drawn = []
    for (measure, _), maps in found.items():
        values = [row.value for rows in maps.values() for row in rows if row.value is not None]
        ends = [round(min([0.0, *values]), 2), round(max([*values, 0.1]), 2)]
        for (name, other), rows in maps.items():
            title = f"{measure} of {name}" + (f" and {other}" if other else "")
            none = all(row.value is None for row in rows)
            greys = dict.fromkeys(f"· barely supported: {row.grey}" for row in rows if row.grey)
            refusals = dict.fromkeys(f"× refused: {row.refused}" for row in rows if row.refused)
            remarks = tuple([*greys, *refusals][:MOST_REMARKS])
            shown = {} if none else spec(matrix_chart(rows, name, ends))
            caption = f"{title}: no number" if none else ""
            drawn.append(Figure(title=title, spec=shown, caption=caption, remarks=remarks, model=name))
    return tuple(drawn)


def grids(models: Sequence[Model]) -> tuple[Figure, ...]:
    """How many segments a frame mixes, a chart per kind of segment and sample."""
    found: dict[tuple[Any, ...], list[Row]] = {}
    for model in models:
        for row in model.rows:
            if row.measure.startswith(GRID) and row.value is not None:
                found.setdefault((row.corpus, row.measure, row.segments, row.n), []).append(row)
    return tuple(
        Figure(title=f"{own[0].measure} of {own[0].n} segments", spec=spec(grid_mixing(own, width=GRID_WIDTH)))
        for own in found.values()
    )


def spec(chart: Any) -> dict[str, Any]:
    """A chart as Vega-Lite; the theme is the page's."""
    made = chart.to_dict(validate=False)
    made.pop("config", None)
    made.pop("$schema", None)
    return made
