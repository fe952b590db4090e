"""Where the numbers come from: models, corpora and folds, what n counts, and the software that ran."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

from s3prl_plugin.analysis import token_counts
from s3prl_plugin.report.page.models import Model
from s3prl_plugin.report.sections import Cell, Column, Table
from s3prl_plugin.results import Row

FOLDS_FILE = "folds.tsv"


def speakers_of(model: Model) -> set[int]:
    """How many speakers were analysed: as the rows say, else as the folds of its runs do; empty where neither does."""
    said = {row.speakers for row in model.rows if row.speakers}
    return said or {count for count in (speakers(folder) for folder in model.folders) if count}


def speakers(folder: Path) -> int | None:
    """How many speakers the folds of a run have; None where that is not known."""
    path = folder / FOLDS_FILE
    if not path.is_file():
        return None
    with path.open(encoding="utf-8", newline="") as file:
        return len({line.get("speaker") for line in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)})


def tables(models: Sequence[Model]) -> tuple[Table, ...]:
    """Models, corpora and software."""
    found = (_models(models), _analyses(models), _tokens(models), _versions(models))
    return tuple(table.without_empty() for table in found if table.rows)


def _models(models: Sequence[Model]) -> Table:
    """One line per model."""
    heads = (
        "model", "upstream", "variant", "loaded from", "model type",
        Column("waveforms", hint="how they are scaled before the model hears them"), "checkpoint", "weights", "step",
        Column("M parameters", decimals=2),
        Column("G MACs for 1 s", hint="multiply-accumulates for one second of audio, alone", decimals=3),
        "pre-training data", Column("units", hint="the HuBERT iteration that made its target units"), "folder",
    )  # fmt: skip
    return Table(title="Models", columns=heads, rows=tuple(_model(model) for model in models))


def _model(model: Model) -> tuple[Cell, ...]:
    """One model."""
    row = model.first
    known = row.checkpoint_sha256 or next((r.weights_id for r in model.rows if r.weights_id), None)
    trained = row.weights == "trained"
    units = str(row.unit_iteration) if trained and row.unit_iteration is not None else ""
    return (
        Cell(model.name),
        *(
            Cell(said or "")
            for said in (row.upstream, row.variant, row.checkpoint, row.model_type, row.waveform_normalisation)
        ),
        Cell(known[:12] if known else "", hint=f"SHA-256 {known}" if row.checkpoint_sha256 else ""),
        Cell(row.weights or "none"),
        Cell(row.train_step if trained else None),
        Cell(row.params and row.params / 1e6),
        Cell(row.macs_per_s and row.macs_per_s / 1e9),
        Cell((row.pretraining or "") if trained else ""),
        Cell(units),
        Cell(", ".join(folder.name for folder in model.folders)),
    )


def _analyses(models: Sequence[Model]) -> Table:
    """One line per corpus, downstream and folds."""
    found: dict[tuple[object, ...], dict[str, list[Row]]] = {}
    for model in models:
        for row in model.rows:
            whole = (row.corpus, row.corpus_kind, row.split, row.training_data, row.downstream, row.protocol, row.folds,
                     row.split_by, row.folds_id)  # fmt: skip
            found.setdefault(whole, {}).setdefault(model.name, []).append(row)
    counts = {model.name: speakers_of(model) for model in models}
    rows = []
    for about, whose in found.items():
        corpus, kind, split, heard, downstream, protocol, folds, split_by, folds_id = about
        every = [row for rows_of in whose.values() for row in rows_of]
        number = {row.speakers for row in every if row.speakers} or {n for name in whose for n in counts[name] if folds}
        measures, seeds = listed(row.measure for row in every), listed(row.seed for row in every)
        heard = heard and str(heard).replace("_", " ")
        said = [corpus, kind, split, heard, listed(number), downstream, measures, protocol, folds, split_by,
                str(folds_id or "")[:8], seeds, _whose(whose, models)]  # fmt: skip
        rows.append(tuple("" if each is None else str(each) for each in said))
    heads = ("corpus", "speech", "split",
             Column("in training", hint="whether the models may have heard it, by the names of their training data"),
             "speakers", "downstream", "measures or tasks", "protocol", "folds",
             Column("folds by", hint="what is kept together in a fold"),
             Column("folds' id", hint="the same for paired comparisons"), "seeds", "models")  # fmt: skip
    return Table(title="Corpora and folds", columns=heads, rows=tuple(rows))


def _tokens(models: Sequence[Model]) -> Table:
    """What n counts: one line per measure, and per model where these differ."""
    found: dict[tuple[str, ...], list[str]] = {}
    notes: dict[str, None] = {}
    for model in models:
        for folder in model.folders:
            for records in token_counts.read(folder).values():
                notes |= dict.fromkeys(token_counts.notes(records))
                for cells in map(token_counts.cells, records):
                    whose = found.setdefault(cells, [])
                    whose += [model.name] if model.name not in whose else []
    heads = ("measure", "asked for", Column("found", hint="in the corpus"), "left out", "used",
             Column("learned from", hint="clusters are learned on these, and scored on the others"),
             Column("n", hint="scored: what n of its rows says"), "models")  # fmt: skip
    rows = tuple((*cells, _whose(whose, models)) for cells, whose in found.items())
    return Table(title="What n counts", columns=heads, rows=rows, notes=tuple(notes))


def _versions(models: Sequence[Model]) -> Table:
    """The software that ran; a package of which there were several versions has them all."""
    found: dict[str, dict[str, None]] = {}
    for row in (row for model in models for row in model.rows):
        for package, version in row.versions.items():
            found.setdefault(package, {})[version] = None
    rows = tuple((package, ", ".join(versions)) for package, versions in found.items())
    return Table(title="Software that ran", columns=("package", "version"), rows=rows)


def _whose(names: Iterable[str], models: Sequence[Model]) -> str:
    """Some of the models, in words."""
    names = list(names)
    return "all" if len(names) == len(models) > 1 else ", ".join(names)


def listed(values: Iterable[object]) -> str:
    """Every value once."""
    return ", ".join(str(value) for value in dict.fromkeys(values) if value is not None)
