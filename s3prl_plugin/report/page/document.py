"""The page as one HTML document: everything that it needs is inside."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from s3prl_plugin import __version__, results
from s3prl_plugin.errors import UserError
from s3prl_plugin.inference import current
from s3prl_plugin.report import cautions
from s3prl_plugin.report.drawing.needed import PACKAGES, require_altair
from s3prl_plugin.report.drawing.palette import model_styles
from s3prl_plugin.report.leaderboard import sections as boards_as_sections
from s3prl_plugin.report.leaderboard import standings
from s3prl_plugin.report.page import figures, layers, methods, provenance
from s3prl_plugin.report.page.models import Model, read
from s3prl_plugin.report.page.panels import panels
from s3prl_plugin.report.sections import Cell, Column, Section, Table, said_once, written
from s3prl_plugin.report.tables import WEIGHT

Asked = Callable[[Sequence[Path]], tuple[Sequence[Section], Sequence[str]]]

TEMPLATES = Path(__file__).with_name("templates")
FEW_TABLES = 3  # of a section that are shown unfolded
CHOSEN_FIRST = 6  # models that are shown at first; more lines than these are hard to read
BAR = 150  # pixels: the width of a drawn interval
MARGIN = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What the template shows."""

    title: str
    subtitle: str
    banners: tuple[str, ...]
    models: tuple[Model, ...]
    chosen: frozenset[str]
    styles: dict[str, Any] = field(default_factory=dict)
    parts: tuple[Section, ...] = ()


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
    import vl_convert
    from markupsafe import Markup

    models = read(expdirs)
    bundle = vl_convert.javascript_bundle()  # type: ignore[call-arg]  # its stub lacks the default
    page = _page(models, asked)
    return (
        _environment()
        .get_template("page.html")
        .render(page=page, vega=Markup(bundle), version=__version__, lines=lines, bar=BAR, check=cautions.CHECK)
    )


def fragment(sections: Sequence[Section]) -> str:
    """Sections as a notebook shows them, without figures; "" where jinja2 is not installed."""
    if importlib.util.find_spec("jinja2") is None:
        return ""
    return _environment().get_template("fragment.html").render(sections=sections, lines=lines, bar=BAR)


def _environment() -> Any:
    """jinja2's, in which all that is inserted is text unless it is marked otherwise."""
    import jinja2
    from markupsafe import Markup

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["script_json"] = lambda value: Markup(script_json(value))
    environment.globals["inline"] = lambda name: Markup((TEMPLATES / name).read_text(encoding="utf-8"))
    return environment


def script_json(value: Any) -> str:
    """JSON that is safe inside a script element: no name or reason can end the element."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e").replace("\u2028", "\\u2028")


@dataclass(frozen=True, slots=True)
class Shown:
    """A cell as the template writes it.

    Attributes:
        text, small, hint: in words.
        kind: of CSS.
        sort: what a column is sorted by; None for the text.
        bar: of a drawn interval, where its marks stand in pixels.
    """

    text: str
    small: str
    hint: str
    kind: str
    sort: float | str | None
    bar: Mapping[str, Any] | None = None


def lines(table: Table) -> list[list[Shown]]:
    """The rows of a table as the template writes them."""
    heads, cells = table.heads, table.cells
    reach: dict[str, float] = {}  # one scale for the bars of a measure, which stands in the second column
    for row in cells:
        for cell, head in zip(row, heads, strict=True):
            if head.kind == "bar":
                ends = [abs(v) for v in (cell.value, cell.low, cell.high) if isinstance(v, int | float)]
                place = f"{row[1].value} {row[1].small}"
                reach[place] = max([reach.get(place, 0.0), *ends])
    return [
        [
            _bar(cell, reach[f"{row[1].value} {row[1].small}"]) if head.kind == "bar" else _shown(cell, head)
            for cell, head in zip(row, heads, strict=True)
        ]
        for row in cells
    ]


def _shown(cell: Cell, head: Column) -> Shown:
    """A cell in words."""
    number = head.kind != "text"
    nothing = cell.value is None and cell.text is None
    if cell.refused:
        short, cut, _ = cell.refused.partition("; ")  # what would help is told when it is pointed at
        hint = "; ".join(said for said in (cell.refused if cut else "", cell.hint) if said)
        return Shown("refused", short, hint, "refused", float("-inf"))
    text = written(cell, head, "–")
    hint = "; ".join(said for said in (cell.grey, cell.caveat, cell.hint) if said)
    kind = " ".join(["grey"] * bool(cell.grey) + ["best"] * cell.star + ["number"] * number)
    sort = float("-inf") if nothing and number else cell.value if number else None
    return Shown(f"({text})" if cell.grey else text, cell.small, hint, kind or "text", sort)


def _bar(cell: Cell, reach: float) -> Shown:
    """An interval drawn from -reach to reach."""
    if not isinstance(cell.value, int | float):
        return Shown("", "", "", "", None)

    def place(value: float | None) -> float | None:
        return None if value is None else round(BAR / 2 + (value / reach * (BAR / 2 - MARGIN) if reach else 0.0), 1)

    low, high = cell.low, cell.high
    differs = low is not None and high is not None and (low > 0 or high < 0)
    bar = {"low": place(low), "high": place(high), "value": place(cell.value), "differs": differs}
    return Shown("", "", "", "", None, bar)


def _page(models: Sequence[Model], asked: Asked | None) -> Page:
    """What the page says, before it is HTML."""
    parts = _distinct(said_once([part for part in _parts(models, asked) if part is not None]))
    names = [model.name for model in models]
    shown = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
    about = "What the layers hold: " if any(part.name == "curves" for part in parts) else "Scores of tasks: "
    speakers = {model.name: provenance.speakers_of(model) for model in models}
    return Page(
        title=about + (shown if len(names) <= 4 else f"{len(names)} models"),
        subtitle=_subtitle(models, shown),
        banners=cautions.banners({model.name: model.rows for model in models}, speakers),
        models=tuple(models),
        chosen=frozenset(names[:CHOSEN_FIRST]),
        styles=model_styles(names),
        parts=tuple(parts),
    )


def _distinct(parts: Sequence[Section]) -> list[Section]:
    """With names of their own, whatever others named theirs."""
    names = [part.name for part in parts]
    return [
        replace(part, name=f"{part.name}-{i}" if names.count(part.name) > 1 else part.name)
        for i, part in enumerate(parts)
    ]


def _subtitle(models: Sequence[Model], shown: str) -> str:
    """What was run, in one line."""
    headlines = [row for model in models for row in model.rows if row.headline]
    corpora = list(dict.fromkeys(row.corpus for model in models for row in model.rows if row.corpus))
    measures = {row.measure for row in headlines if row.tap is not None}
    tasks = {row.measure for row in headlines if row.tap is None}
    said = [f"{len(models)} models: {shown}" if len(models) > 4 else ""]
    said += [f"speech: {', '.join(corpora)}"] if corpora else []
    said += [f"{len(measures)} layer-wise measure{'s' * (len(measures) > 1)}"] if measures else []
    said += [f"tasks: {', '.join(sorted(tasks))}"] if tasks else []
    return " · ".join(part for part in said if part)


def _parts(models: Sequence[Model], asked: Asked | None) -> list[Section | None]:
    """The sections in the order in which they are read."""
    styles = model_styles([model.name for model in models])
    of_layers = panels(models)
    best = layers.summary(of_layers)
    folders = list(dict.fromkeys(folder for model in models for folder in model.folders))
    found, silent = asked(folders) if asked else ([], [])
    names = [model.name for model in models]
    used = tuple(f"{score}: {what}" for score, what in layers.scores_used(best))
    notes = (*current.notes(folders), *(f"not shown: {reason}" for reason in silent))
    charts = {
        "curves": (figures.layer_curves(of_layers, styles), "Layer curves", _reading_curves(len(models) > 1)),
        "weights": (figures.weights(models, styles), "What the tasks' weighted sums took", _READING_WEIGHTS),
        "matrices": (figures.heat_maps(models), "Tap by tap", _READING_MAPS),
        "grid": (figures.grids(models), "How many segments a frame mixes", _READING_GRID),
    }
    drawn = {
        name: Section(name=name, title=title, figures=own, notes=reading, wide=name in ("curves", "weights"))
        for name, (own, title, reading) in charts.items()
        if own
    }
    return [
        Section(name="layers", title="What the layers hold", tables=tuple(layers.tables(best, names)),
                lead=() if best else (NO_LAYERS,),
                notes=(*used, *((_TAPS,) if best else ()))),
        drawn.get("curves"), _superb(models), drawn.get("weights"), drawn.get("matrices"), drawn.get("grid"),
        *(_of_others(section) for section in found),
        methods.section(models, [row for panel in of_layers for row in panel.rows]),
        Section(name="provenance", title="Where the numbers come from", tables=provenance.tables(models), notes=notes),
    ]  # fmt: skip


def _of_others(section: Section) -> Section:
    """A section of another part of the report; tables of many are folded."""
    folded = len(section.tables) > FEW_TABLES
    return replace(
        section,
        name=f"section-{section.name}",
        tables=tuple(replace(table, folded=table.folded or folded) for table in section.tables),
    )


def _superb(models: Sequence[Model]) -> Section | None:
    """SUPERB's tasks: a table per board, and what is not in them."""
    scores = [(model, row) for model in models for row in model.rows if row.tap is None and row.headline]
    notes = [f"{model.name}, {row.measure}: refused: {row.refused}" for model, row in scores if row.refused]
    tables: list[Table] = []
    if any(row.value is not None for _, row in scores):
        names = {model.first.model: model.name for model in models}
        try:
            boards = standings.boards([(model.folders[0], model.rows) for model in models])
        except UserError as error:
            boards, notes = [], [*notes, str(error)]
        else:
            on_boards = {column.task for board in boards for column in board.columns}
            notes += [f"{model.name}, {row.measure} ({row.score}): {row.value:.4f}" for model, row in scores
                      if row.value is not None and row.measure not in on_boards and row.score != WEIGHT]  # fmt: skip
            notes += boards_as_sections.reading(boards)
        for board in boards:
            own = boards_as_sections.board_table(board, names)
            tables.append(
                replace(own, title=boards_as_sections.banner(board), notes=tuple(boards_as_sections.notes(board)))
            )
    if not (tables or notes):
        return None
    return Section(name="superb", title="SUPERB tasks", tables=tuple(tables), notes=tuple(notes))


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


NO_LAYERS = "No layer-wise measure was run here; tables and figures of layers are left out."
_TAPS = (
    "A tap is a place in the network where states are read. In a multi-resolution network enc, mid and dec are the "
    "blocks of encoder, middle and decoder, pre is what enters a block's first layer, layer0 what that layer gives, "
    "and res_out0, res_out1, ... are the model's outputs, one per resolution. ms: the time from one frame to the next."
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
