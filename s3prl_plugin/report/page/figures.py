"""The charts of the page, in the groups in which they are shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from s3prl_plugin.report import matrices
from s3prl_plugin.report.drawing import charts
from s3prl_plugin.report.drawing.charts.curves import title_of, value_title
from s3prl_plugin.report.drawing.charts.grid import PREFIX
from s3prl_plugin.report.drawing.charts.marks import POINTS
from s3prl_plugin.report.drawing.charts.places import in_order, places
from s3prl_plugin.report.drawing.charts.records import domain, records
from s3prl_plugin.report.page.models import Model
from s3prl_plugin.report.page.panels import Panel
from s3prl_plugin.report.sections import Figure
from s3prl_plugin.results import Row

if TYPE_CHECKING:
    import altair as alt

SMALL = 150  # pixels: height of charts that stand side by side
Styles = Mapping[str, tuple[str, tuple[int, ...]]]  # model -> colour and dash
GRID = 270  # pixels: width of the charts of the grid


@dataclass(frozen=True, slots=True)
class Drawn:
    """A figure of the page.

    Attributes:
        title: for those who cannot see it, and the name of the saved file.
        spec: Vega-Lite.
        caption, remarks: below it.
        model: whose it is, where it is of one model of several; it is hidden where that is not chosen.
    """

    title: str
    spec: dict[str, Any]
    caption: str = ""
    remarks: tuple[str, ...] = ()
    model: str | None = None


@dataclass(frozen=True, slots=True)
class Curves:
    """The curves of one measure.

    Attributes:
        over: all models in one chart; of one model, its curve.
        beside: a chart per model; empty for one model.
        nothing: why there is no chart, where there is none.
    """

    title: str
    over: Drawn | None
    beside: tuple[Drawn, ...] = ()
    nothing: tuple[str, ...] = ()


def layer_curves(panels: Sequence[Panel], styles: Styles) -> list[Curves]:
    """One measure after the other.

    Args:
        panels: in their order.
        styles: of all models of the page, so that each looks alike in every chart.
    """
    return [_curves(panel, styles) for panel in panels]


def _curves(panel: Panel, styles: Styles) -> Curves:
    """One measure."""
    if not panel.drawable:
        return Curves(panel.title, None, nothing=tuple(panel.remarks))
    caption = panel.meaning.about if panel.meaning.about != panel.first.measure else ""
    if len(styles) == 1:
        ((name, rows),) = panel.models.items()
        return Curves(
            panel.title, Drawn(panel.title, spec(charts.layer_curve(rows, name)), caption, tuple(panel.remarks))
        )
    ends = domain(panel.rows)
    over = Drawn(panel.title, spec(charts.overlaid_curves(panel.models, styles)), caption, tuple(panel.remarks))
    beside = [
        Drawn(f"{panel.title} of {name}", each, model=name)
        for name, each in zip(panel.models, _beside(panel, ends), strict=True)
    ]
    return Curves(panel.title, over, tuple(beside))


def _beside(panel: Panel, ends: Sequence[float] | None) -> Iterator[dict[str, Any]]:
    """A chart per model; where taps and chance are the same, only data and title differ, and altair is slow."""
    made: dict[tuple[Any, ...], dict[str, Any]] = {}
    for name, rows in panel.models.items():
        where = places({name: rows})
        alike = (tuple((row.tap, row.stride, row.block, row.chance) for row in in_order(rows)), value_title(rows[0]))
        if alike not in made:
            made[alike] = spec(charts.layer_curve(rows, name, ends, height=SMALL))
        title = title_of(name, rows, where).to_dict()
        yield {**made[alike], "title": title, "datasets": {POINTS: records({name: rows}, where)}}


def weights(models: Sequence[Model], styles: Styles) -> list[Curves]:
    """What the tasks' weighted sums learned, a chart per task; see `layer_curves`."""
    found: dict[str, dict[str, list[Row]]] = {}
    for model in models:
        for task, rows in charts.as_curves(model.rows).items():
            found.setdefault(task, {})[model.name] = rows
    panels = [Panel(f"{task}, weights of the sum", own) for task, own in found.items()]
    return layer_curves(panels, styles)


def heat_maps(models: Sequence[Model]) -> list[Drawn]:
    """A heat map per model, measure and partner; those of a measure share their colours."""
    found: dict[tuple[str, str], dict[tuple[str, str | None], list[Row]]] = {}
    for model in models:
        for row in model.rows:
            if row.measure.endswith(matrices.SUFFIX) and row.score in matrices.SCORES and row.tap2 is not None:
                of_measure = found.setdefault((row.measure, row.score), {})
                of_measure.setdefault((model.name, row.upstream2), []).append(row)
    drawn = []
    for (measure, _), maps in found.items():
        values = [row.value for rows in maps.values() for row in rows if row.value is not None]
        ends = [round(min([0.0, *values]), 2), round(max([*values, 0.1]), 2)]
        for (name, other), rows in maps.items():
            title = f"{measure} of {name}" + (f" and {other}" if other else "")
            remarks = _matrix_remarks(rows)
            if all(row.value is None for row in rows):
                drawn.append(Drawn(title, {}, f"{title}: no number", remarks, name))
                continue
            drawn.append(Drawn(title, spec(charts.heat_map(rows, name, ends)), remarks=remarks, model=name))
    return drawn


def _matrix_remarks(rows: Sequence[Row]) -> tuple[str, ...]:
    """What is grey or refused in a matrix."""
    greys = dict.fromkeys(f"· barely supported: {row.grey}" for row in rows if row.grey)
    refusals = dict.fromkeys(f"× refused: {row.refused}" for row in rows if row.refused)
    return tuple([*greys, *refusals][:4])


def grids(models: Sequence[Model]) -> list[Drawn]:
    """How many segments a frame mixes, a chart per kind of segment and sample."""
    found: dict[tuple[Any, ...], list[Row]] = {}
    for model in models:
        for row in model.rows:
            if row.measure.startswith(PREFIX) and row.value is not None:
                found.setdefault((row.corpus, row.measure, row.segments, row.n), []).append(row)
    return [
        Drawn(f"{rows[0].measure} of {rows[0].n} segments", spec(charts.grid_mixing(rows, width=GRID)))
        for rows in found.values()
    ]


def of_section(figure: Figure) -> Drawn:
    """A section's figure."""
    return Drawn(figure.title, dict(figure.spec), figure.caption)


def spec(chart: alt.LayerChart) -> dict[str, Any]:
    """A chart as Vega-Lite; the theme is the page's."""
    made = chart.to_dict(validate=False)
    made.pop("config", None)
    made.pop("$schema", None)
    return made
