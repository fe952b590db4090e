"""The page as one HTML document: everything that it needs is inside."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from s3prl_plugin import __version__, results
from s3prl_plugin.inference import current
from s3prl_plugin.report.drawing.charts.needed import PACKAGES, require_altair
from s3prl_plugin.report.drawing.charts.palette import model_styles
from s3prl_plugin.report.page import figures, in_short, intervals, provenance, superb, tables
from s3prl_plugin.report.page.figures import Curves, Drawn
from s3prl_plugin.report.page.models import Model, read
from s3prl_plugin.report.page.panels import panels
from s3prl_plugin.report.page.summary import summary
from s3prl_plugin.report.page.tables import Table
from s3prl_plugin.report.sections import Contrast, Section

Asked = Callable[[Sequence[Path]], tuple[Sequence[Section], Sequence[str]]]

TEMPLATES = Path(__file__).with_name("templates")
FEW_TABLES = 3  # of a section that are shown unfolded
CHOSEN_FIRST = 6  # models that are shown at first; more lines than these are hard to read


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One section of the page, its own or that of another part of the report.

    Attributes:
        id: for links.
        title, verdict, notes: in words.
        lead: what is read first; above everything else.
        contrasts: each with its drawing.
        tables, curves, drawn: shown in this order.
        wide: whether figures have half the page each; else they are as small as they come.
    """

    id: str
    title: str
    verdict: str | None = None
    lead: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    contrasts: tuple[tuple[Contrast, intervals.Drawing | None], ...] = ()
    tables: tuple[Table, ...] = ()
    curves: tuple[Curves, ...] = ()
    drawn: tuple[Drawn, ...] = ()
    wide: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What the template shows."""

    title: str
    subtitle: str
    banners: tuple[str, ...]
    models: tuple[Model, ...]
    chosen: frozenset[str]
    styles: dict[str, Any] = field(default_factory=dict)
    parts: tuple[Part, ...] = ()


def write(expdirs: Sequence[str | Path], path: str | Path, asked: Asked | None = None) -> Path:
    """Write the page of some runs, whole or not at all.

    Args:
        expdirs: folders of runs or of studies.
        path: the file.
        asked: what the page says beside layers and tasks (`questions.asking.sections`): takes the folders, gives
            sections and why others are missing.

    Returns:
        The path.

    Raises:
        UserError: a package is not installed, or a folder has no results.
    """
    text = html(expdirs, asked)
    results.replace_file(Path(path), text.encode("utf-8"))
    return Path(path)


def html(expdirs: Sequence[str | Path], asked: Asked | None = None) -> str:
    """The page of some runs; see `write`."""
    require_altair(*PACKAGES)
    import jinja2
    import vl_convert
    from markupsafe import Markup

    models = read(expdirs)
    bundle = vl_convert.javascript_bundle()  # type: ignore[call-arg]  # its stub lacks the default
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["script_json"] = lambda value: Markup(script_json(value))
    environment.globals["inline"] = lambda name: Markup((TEMPLATES / name).read_text(encoding="utf-8"))
    page = _page(models, asked)
    return environment.get_template("page.html").render(
        page=page, vega=Markup(bundle), version=__version__, drawing=intervals
    )


def script_json(value: Any) -> str:
    """JSON that is safe inside a script element: no name or reason can end the element."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e").replace("\u2028", "\\u2028")


def _page(models: Sequence[Model], asked: Asked | None) -> Page:
    """What the page says, before it is HTML."""
    parts = _distinct([part for part in _parts(models, asked) if part is not None])
    names = [model.name for model in models]
    shown = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
    return Page(
        title=("What the layers hold: " if any(part.curves for part in parts) else "Scores of tasks: ")
        + (shown if len(names) <= 4 else f"{len(names)} models"),
        subtitle=_subtitle(models, shown),
        banners=tuple(provenance.banners(models)),
        models=tuple(models),
        chosen=frozenset(names[:CHOSEN_FIRST]),
        styles=model_styles(names),
        parts=tuple(parts),
    )


def _distinct(parts: Sequence[Part]) -> list[Part]:
    """With ids of their own, whatever others named theirs."""
    ids = [part.id for part in parts]
    return [replace(part, id=f"{part.id}-{i}" if ids.count(part.id) > 1 else part.id) for i, part in enumerate(parts)]


def _subtitle(models: Sequence[Model], shown: str) -> str:
    """What was run, in one line."""
    corpora = list(dict.fromkeys(row.corpus for model in models for row in model.rows if row.corpus))
    measures = {row.measure for model in models for row in model.rows if row.headline and row.tap is not None}
    tasks = {row.measure for model in models for row in model.rows if row.headline and row.tap is None}
    said = [f"{len(models)} models: {shown}" if len(models) > 4 else ""]
    said += [f"speech: {', '.join(corpora)}"] if corpora else []
    said += [f"{len(measures)} layer-wise measure{'s' * (len(measures) > 1)}"] if measures else []
    said += [f"tasks: {', '.join(sorted(tasks))}"] if tasks else []
    return " · ".join(part for part in said if part)


def _parts(models: Sequence[Model], asked: Asked | None) -> list[Part | None]:
    """The sections in the order in which they are read."""
    several, styles = len(models) > 1, model_styles([model.name for model in models])
    of_layers = panels(models)
    best = summary(of_layers)
    folders = list(dict.fromkeys(folder for model in models for folder in model.folders))
    found, silent = asked(folders) if asked else ([], [])
    boards, not_on_boards = superb.tables(models)
    learned, maps, grids = figures.weights(models, styles), figures.heat_maps(models), figures.grids(models)
    names = [model.name for model in models]
    return [
        Part(id="layers", title="What the layers hold", tables=tuple(in_short.tables(best, names)),
             lead=() if best else ("No layer-wise measure was run here; tables and figures of layers are left out.",),
             notes=(*(f"{score}: {what}" for score, what in in_short.scores_used(best)), *(_TAPS if best else ()))),
        Part(id="curves", title="Layer curves", curves=tuple(figures.layer_curves(of_layers, styles)),
             notes=_reading_curves(several)) if of_layers else None,
        Part(id="superb", title="SUPERB tasks", tables=tuple(boards), notes=tuple(not_on_boards))
        if boards or not_on_boards else None,
        Part(id="weights", title="What the tasks' weighted sums took", curves=tuple(learned), notes=_READING_WEIGHTS)
        if learned else None,
        Part(id="matrices", title="Tap by tap", drawn=tuple(maps), wide=False, notes=_READING_MAPS) if maps else None,
        Part(id="grid", title="How many segments a frame mixes", drawn=tuple(grids), wide=False, notes=_READING_GRID)
        if grids else None,
        *[_of_section(section) for section in found],
        Part(id="provenance", title="Where the numbers come from", tables=tuple(provenance.tables(models)),
             notes=(*current.notes(folders), *(f"not shown: {reason}" for reason in silent))),
    ]  # fmt: skip


def _reading_curves(several: bool) -> tuple[str, ...]:
    """How to read the curves."""
    of_several = (
        "Several models stand tap by tap where they have the same taps, else by relative depth, outputs last. "
        "Click a name in a legend to bring its line to the fore; choose models beside the page.",
    )
    return (
        "Bars: 95 % intervals over folds or speakers, of each value alone; whether two taps differ is tested in pairs, "
        "in the tables. Dashed line: chance. Hollow: a number that the data barely support, or of a tap with itself. "
        "×: refused. Point at a mark for its numbers; the menu beside a figure saves it as SVG or PNG.",
        *(of_several if several else ()),
    )


_TAPS = (
    "A tap is a place in the network where states are read. In a multi-resolution network enc, mid and dec are the "
    "blocks of encoder, middle and decoder, pre is what enters a block's first layer, layer0 what that layer gives, "
    "and res_out0, res_out1, ... are the model's outputs, one per resolution. ms: the time from one frame to the next.",
    "The command s3prl-plugin select FOLDER --task PR chooses a tap for a task, and writes the configuration for it.",
)
_READING_WEIGHTS = (
    "Weights of a task add up to 1 over the taps. Bars: least and largest over the seeds of the head. Dashed line: "
    "equal weights. How much of a layer goes into the sum also depends on how large its values are.",
)
_READING_MAPS = (
    "How alike two taps are, from sampled frames at common times: 1 for states that are linear maps of each other "
    "(CCA) or equal up to rotation and scale (CKA). Maps of one measure share their colours.",
)
_READING_GRID = (
    "What the frame grid alone does, whatever the model: the share of the analysed segments that have a frame in "
    "common with a neighbour, and of those whose frames reach beyond what is analysed of them. A tap of a low "
    "frame rate can hold no more than its grid lets through.",
)


def _of_section(section: Section) -> Part:
    """A section of another part of the report."""
    return Part(
        id=f"section-{section.name}",
        title=section.title,
        verdict=section.verdict,
        notes=section.notes,
        contrasts=tuple(zip(section.contrasts, intervals.drawings(section.contrasts), strict=True)),
        tables=tuple(replace(tables.plain(table), folded=len(section.tables) > FEW_TABLES) for table in section.tables),
        drawn=tuple(figures.of_section(figure) for figure in section.figures),
    )
