"""The section of a report that sets what units tell against what they cost."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Sequence
from pathlib import Path

from s3prl_plugin.inference import current
from s3prl_plugin.questions.rates.points import CONTENT, ERROR, MEASURES, Point, best, cheapest, model_of, points
from s3prl_plugin.report.sections import Cell, Column, Figure, Section, Table
from s3prl_plugin.results import Row
from s3prl_plugin.strides import milliseconds, ms_text

NOTES = (
    "A score is what a single unit tells about the phone or word whose midpoint it covers, or about who speaks, "
    "adjusted for chance (0) and normalised by the entropy of the labels (1). A unit of a low rate hears more than one "
    "of a high rate; units of a high rate tell more together than one by one.",
    "Bits by entropy are what an ideal coder of single units takes, nominal ones are log2 K a unit; neighbours are "
    "taken as independent.",
)


def sections(folders: Iterable[str | Path]) -> tuple[Section, ...]:
    """One section for every corpus on which `-d rate` was run; none without such rows.

    Args:
        folders: of runs; those of other analyses are passed over.

    Raises:
        UserError: a folder has no results, or they cannot be read.
    """
    by_corpus: dict[str, list[Row]] = {}
    for folder in folders:
        for row in current.read(folder).rows:
            if row.measure in MEASURES:
                by_corpus.setdefault(row.corpus or "an unnamed corpus", []).append(row)
    return tuple(_section(corpus, rows, several=len(by_corpus) > 1) for corpus, rows in by_corpus.items())


def _section(corpus: str, rows: Sequence[Row], several: bool) -> Section:
    """What was found on one corpus."""
    found = points(rows, _names(rows))
    notes = [*NOTES]
    figures: list[Figure] = []
    if importlib.util.find_spec("altair") is None:
        notes.append("Figures need altair: pip install 's3prl_plugin[report]'.")
    else:
        from s3prl_plugin.questions.rates import chart

        drawn = [*(chart.content_figure(found, measure) for measure in CONTENT), chart.error_figure(found)]
        figures = [figure for figure in drawn if figure is not None]
    return Section(
        name="rates" + (f"-{corpus}" if several else ""),
        title="What is lost at which bitrate?" + (f" ({corpus})" if several else ""),
        verdict=_verdict(found),
        notes=tuple(notes),
        tables=(_table(found),),
        figures=tuple(figures),
    )


def _names(rows: Sequence[Row]) -> dict[str, str]:
    """How models are called: by their entry, with the checkpoint's sum where two have the same one."""
    models = {model_of(row): row.title for row in rows}
    random = {model_of(row): " (random weights)" if row.weights == "random" else "" for row in rows}
    unique = {model: name if list(models.values()).count(name) == 1 else model for model, name in models.items()}
    return {model: name + random[model] for model, name in unique.items()}


def _verdict(found: Sequence[Point]) -> str | None:
    """Who tells most of what, and how cheaply nearly as much is to be had."""
    said = []
    for measure, what in CONTENT.items():
        top, cheap = best(found, measure), cheapest(found, measure)
        if top is None or not top.entropy_bits_per_s:
            continue
        text = f"{what}: {top.value(measure):.2f} at {top.entropy_bits_per_s:.0f} bit/s, {top.name}"
        if cheap is not None and cheap is not top:
            text += f"; nine tenths of it from {cheap.entropy_bits_per_s:.0f} bit/s on, {cheap.name}"
        said.append(text)
    return f"What one unit tells at most, of {'. Of '.join(said)}." if said else None


def _table(found: Sequence[Point]) -> Table:
    """A line for every point."""
    scores = [Column(name, "number", decimals=3) for name in (*CONTENT.values(), "mel error, dB")]
    heads = ("model and units", "tap", "K", "ms", "bit/s, nominal", "bit/s, entropy", *scores)
    rows = tuple(
        (
            *(each.series, each.tap, next((row.clusters for row in each.rows.values() if row.clusters), None)),
            *(Cell(milliseconds(each.stride), text=ms_text(each.stride)), round(each.bits_per_s, 1)),
            None if each.entropy_bits_per_s is None else round(each.entropy_bits_per_s, 1),
            *(_cell(each.rows.get(measure)) for measure in (*CONTENT, ERROR)),
        )
        for each in found
    )
    note = "± half of the 95 % interval; -: not asked"
    return Table(title="Bits per second, and what they tell", columns=heads, rows=rows, note=note)


def _cell(row: Row | None) -> Cell:
    """A number with its interval."""
    return Cell(row.value, low=row.ci_low, high=row.ci_high, grey=row.grey, refused=row.refused) if row else Cell()
