"""Where the numbers come from, and what must be known before they are believed."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

from s3prl_plugin.analysis import token_counts
from s3prl_plugin.report.page.models import Model
from s3prl_plugin.report.page.tables import Shown, Table, cell, columns, without_empty
from s3prl_plugin.results import Row

FOLDS_FILE = "folds.tsv"
WANTED_SPEAKERS = 40
CHECK = "A check of the software, not a finding"


def banners(models: Sequence[Model]) -> list[str]:
    """Why nothing on the page is a finding, where that is so, and which models are none."""
    reasons = []
    generated = sorted({str(r.corpus) for m in models for r in m.rows if r.corpus_kind == "generated"})
    if generated:
        reasons.append(
            "speech is generated" if generated == ["generated"] else f"speech is generated ({', '.join(generated)})"
        )
    random = [model.name for model in models if model.first.weights == "random"]
    if random and len(random) == len(models):
        reasons.append("weights are random")
    few = {count for model in models for count in speakers_of(model)}
    few = {count for count in few if count < WANTED_SPEAKERS}
    if few:
        reasons.append(f"there are {min(few)} speakers, fewer than {WANTED_SPEAKERS}")
    found = [f"{CHECK}: {'; '.join(reasons)}."] if reasons else []
    if random and len(random) < len(models):  # the controls of a study, say: they take nothing from the others
        whose = f"{len(random)} of {len(models)} models ({', '.join(random)})"
        found.append(f"The weights of {whose} are random: these show what the architecture alone gives.")
    return found


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


def tables(models: Sequence[Model]) -> list[Table]:
    """Models, corpora and software."""
    found = [without_empty(_models(models)), without_empty(_analyses(models)), _tokens(models), _versions(models)]
    return [table for table in found if table.rows]


def _models(models: Sequence[Model]) -> Table:
    """One line per model."""
    head = ["model", "upstream", "variant", "loaded from", "model type",
            ("waveforms", "how they are scaled before the model hears them"), "checkpoint", "weights", "step",
            ("M parameters", ""), ("G MACs for 1 s", "multiply-accumulates for one second of audio, alone"),
            "pre-training data",
            ("units", "the HuBERT iteration that made its target units"), "folder"]  # fmt: skip
    return Table("Models", columns(head), tuple(_model(model) for model in models))


def _model(model: Model) -> tuple[Shown, ...]:
    """One model."""
    row = model.first
    known = row.checkpoint_sha256 or next((r.weights_id for r in model.rows if r.weights_id), None)
    trained = row.weights == "trained"
    return (
        Shown(model.name),
        Shown(row.upstream),
        Shown(row.variant or ""),
        Shown(row.checkpoint or ""),
        Shown(row.model_type or ""),
        Shown(row.waveform_normalisation or ""),
        Shown(known[:12] if known else "", hint=f"SHA-256 {known}" if row.checkpoint_sha256 else ""),
        Shown(row.weights or "none"),
        cell(row.train_step) if trained else Shown(""),
        cell(None if row.params is None else round(row.params / 1e6, 2)),
        cell(None if row.macs_per_s is None else round(row.macs_per_s / 1e9, 3)),
        Shown((row.pretraining or "") if trained else ""),
        Shown(str(row.unit_iteration) if trained and row.unit_iteration is not None else ""),
        Shown(", ".join(folder.name for folder in model.folders)),
    )


def _analyses(models: Sequence[Model]) -> Table:
    """One line per corpus, downstream and folds."""
    found: dict[tuple[object, ...], dict[str, list[Row]]] = {}
    for model in models:
        for row in model.rows:
            whole = (row.corpus, row.corpus_kind, row.split, row.downstream, row.protocol, row.folds, row.split_by,
                     row.folds_id)  # fmt: skip
            found.setdefault(whole, {}).setdefault(model.name, []).append(row)
    counts = {model.name: speakers_of(model) for model in models}
    head = ["corpus", "speech", "split", "speakers", "downstream", "measures or tasks", "protocol", "folds",
            ("folds by", "what is kept together in a fold"), ("folds' id", "the same for paired comparisons"),
            "seeds", "models"]  # fmt: skip
    rows = []
    for about, whose in found.items():
        corpus, kind, split, downstream, protocol, folds, split_by, folds_id = about
        every = [row for rows_of in whose.values() for row in rows_of]
        number = {row.speakers for row in every if row.speakers} or {n for name in whose for n in counts[name] if folds}
        models_said = "all" if len(whose) == len(models) and len(models) > 1 else ", ".join(whose)
        rows.append(
            (
                Shown(_text(corpus)), Shown(_text(kind)), Shown(_text(split)), Shown(_listed(number)),
                Shown(_text(downstream)), Shown(_listed(row.measure for row in every)), Shown(_text(protocol)),
                Shown(_text(folds)), Shown(_text(split_by)), Shown(_text(folds_id)[:8]),
                Shown(_listed(row.seed for row in every)), Shown(models_said),
            )
        )  # fmt: skip
    return Table("Corpora and folds", columns(head), tuple(rows))


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
    rows = tuple(
        (*map(Shown, cells), Shown("all" if len(whose) == len(models) and len(models) > 1 else ", ".join(whose)))
        for cells, whose in found.items()
    )
    head = ["measure", "asked for", ("found", "in the corpus"), "left out", "used",
            ("learned from", "clusters are learned on these, and scored on the others"),
            ("n", "scored: what n of its rows says"), "models"]  # fmt: skip
    return without_empty(Table("What n counts", columns(head), rows, tuple(notes)))


def _versions(models: Sequence[Model]) -> Table:
    """The software that ran; a package of which there were several versions has them all."""
    found: dict[str, dict[str, None]] = {}
    for model in models:
        for row in model.rows:
            for package, version in row.versions.items():
                found.setdefault(package, {})[version] = None
    rows = tuple((Shown(package), Shown(", ".join(versions))) for package, versions in found.items())
    return Table("Software that ran", columns(["package", "version"]), rows)


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _listed(values: Iterable[object]) -> str:
    """Every value once."""
    return ", ".join(str(value) for value in dict.fromkeys(values) if value is not None)
