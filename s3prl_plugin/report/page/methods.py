"""How the numbers of a page came about: commands, a paragraph for a paper, and the references that it needs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from s3prl_plugin import __version__
from s3prl_plugin.analysis import about
from s3prl_plugin.report.page.models import Model
from s3prl_plugin.report.page.provenance import listed, speakers_of
from s3prl_plugin.report.sections import Section, Table
from s3prl_plugin.report.tables import GRID
from s3prl_plugin.results import Row
from s3prl_plugin.strides import ms_text

LOG = "log.txt"
_COMMAND = re.compile(r"^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) ---- (.*)$", re.MULTILINE)
_ARGUMENTS = re.compile(r"args_(\d{4}-\d\d-\d\d)-(\d\d)-(\d\d)-(\d\d)\.yaml")
_FLAGS = {
    "mode": "-m",
    "downstream": "-d",
    "config": "-c",
    "upstream": "-u",
    "upstream_ckpt": "-k",
    "upstream_model_config": "-g",
    "override": "-o",
    "seed": "--seed",
    "expdir": "-p",
}
_HEARD = {
    "heard": "heard {} in training",
    "other_part": "heard other parts of {} in training",
    "unknown": "may have heard {} in training, as far as names tell",
}
_WORDS = 3  # models that a sentence names


def section(models: Sequence[Model], rows: Sequence[Row]) -> Section:
    """What was run, how it is described, and what is to be cited.

    Args:
        models: of the page.
        rows: layer-wise headline numbers that it shows.
    """
    runs = [(model.name, folder, *run) for model in models for folder in model.folders for run in runs_in(folder)]
    table = Table(
        title="What was run",
        columns=("model", "folder", "date", "command", "configuration"),
        rows=tuple((name, folder.name, *said) for name, folder, *said in runs),
    )
    bibtex = references(models, rows)
    return Section(
        name="methods",
        title="Methods and references",
        lead=(" ".join(sentences(models, rows)),),
        tables=(table.without_empty(),) if runs else (),
        code="\n\n".join(bibtex),
        notes=() if bibtex else ("No references are known for what was used.",),
    )


def runs_in(folder: Path) -> list[tuple[str, str, str]]:
    """(date, command, configuration) of the newest run in a folder, as its log or its arguments say."""
    arguments = max((path for path in folder.glob("args_*.yaml") if _ARGUMENTS.fullmatch(path.name)), default=None)
    said = _read(arguments) if arguments else {}
    log = folder / LOG
    commands = _COMMAND.findall(log.read_text(encoding="utf-8", errors="replace")) if log.is_file() else []
    configuration = Path(str(said.get("config") or "")).name
    if commands:
        return [(*commands[-1], configuration)]
    if arguments is None:
        return []
    flags = [f"{flag} {said[name]}" for name, flag in _FLAGS.items() if said.get(name) not in (None, "")]
    date, *time = _ARGUMENTS.fullmatch(arguments.name).groups()  # type: ignore[union-attr]
    return [(f"{date} {':'.join(time)}", " ".join(["s3prl-plugin run", *flags]), configuration)]


def _read(path: Path) -> dict[str, Any]:
    """A YAML file's mapping; empty where it is none."""
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return {}
    return found if isinstance(found, dict) else {}


def sentences(models: Sequence[Model], rows: Sequence[Row]) -> Iterator[str]:
    """A paragraph on methods, with the numbers of these results."""
    every = [row for model in models for row in model.rows]
    tasks = [row for row in every if row.tap is None and row.headline and not row.measure.startswith(GRID)]
    names = [model.name for model in models]
    who = ", ".join(names[:_WORDS]) + (f" and {len(names) - _WORDS} more" if len(names) > _WORDS else "")
    versions = listed(row.versions.get("s3prl_plugin") for row in every) or __version__
    if rows:
        speakers = {count for model in models for count in speakers_of(model)}
        where = listed(
            f"generated speech ({row.corpus})" if row.corpus_kind == "generated" else row.corpus for row in rows
        )
        crowd = f" ({listed(sorted(speakers))} speakers)" if speakers else ""
        strides = sorted({row.stride for row in rows if row.stride})
        taps = {len({row.tap for row in model.rows if row.tap and row.headline}) for model in models} - {0}
        yield (
            f"We measured the layers of {who} with s3prl_plugin {versions} on {where or 'an unnamed corpus'}{crowd}: "
            f"{_range(taps)} taps, with frames every {', '.join(ms_text(stride) for stride in strides)} ms."
        )
    yield from _heard(models)
    if rows:
        yield f"A layer's states were compared with {'; '.join(dict.fromkeys(_views(rows)))}."
    for score, own in _by_score(rows).items():
        known = about.score_of(own[0].measure, score)
        if known:
            yield f"{score} ({listed(row.measure for row in own)}): {known.says}."
    folds = {row.folds for row in rows if row.folds}
    if folds:
        by = listed(row.split_by for row in rows)
        kinds = ["Nadeau and Bengio's corrected t"] * any(row.per_fold for row in rows)
        kinds += ["the jackknife's"] * any(row.replicates for row in rows)
        yield (
            f"Scores are over {_range(folds)} folds{f' by {by}' if by else ''}; intervals are 95 % intervals"
            f"{f' ({said})' if (said := ' and '.join(kinds)) else ''}. Taps are compared by differences "
            "paired over folds, two-sided, with p values adjusted by Holm's method for all pairs of taps."
        )
    refused = sum(row.value is None for row in rows)
    if refused:
        yield f"{refused} of {len(rows)} numbers were refused, since the data could not carry them."
    if tasks:
        seeds = {row.seed for row in tasks}
        yield (
            f"The SUPERB tasks {listed(row.measure for row in tasks)} were run with s3prl"
            f"{f' {s3prl}' if (s3prl := listed(row.versions.get('s3prl') for row in tasks)) else ''} "
            f"on {listed(row.corpus for row in tasks)}, with {len(seeds)} seed{'s' * (len(seeds) > 1)} of the head."
        )


def _heard(models: Sequence[Model]) -> Iterator[str]:
    """Which corpora models have heard in training, or may have."""
    found: dict[str, dict[str, None]] = {}
    for model in models:
        for row in model.rows:
            if row.training_data in _HEARD and row.corpus:
                found.setdefault(_HEARD[row.training_data].format(row.corpus), {})[model.name] = None
    for said, names in found.items():
        yield f"{', '.join(names)} {said}."


def _views(rows: Iterable[Row]) -> Iterator[str]:
    """What every measure compares a layer with, and on how many frames or segments."""
    by_measure: dict[str, list[Row]] = {}
    for row in rows:
        by_measure.setdefault(row.measure, []).append(row)
    for measure, own in by_measure.items():
        known = about.everything().get(measure)
        counts = {row.n for row in own if row.n is not None}
        said = f"{measure}{f', n = {_range(counts)}' if counts else ''}"
        yield f"{known.view} ({said})" if known else said


def _by_score(rows: Iterable[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row.score, []).append(row)
    return found


def _range(numbers: Iterable[int]) -> str:
    """One number, or from the least to the largest."""
    ends = sorted(set(numbers))
    return " to ".join(f"{end:,}" for end in dict.fromkeys((ends[0], ends[-1]))) if ends else "no"


def references(models: Sequence[Model], rows: Sequence[Row]) -> list[str]:
    """BibTeX of the measures, models and tasks that were used, as the `about.yaml` of each says."""
    known = about.bibtex()
    scores = [about.score_of(row.measure, row.score) for row in rows]
    used = [score.source for score in scores if score]
    for row in (model.first for model in models):
        used += [f"model {name}" for name in (row.upstream, row.model_type, row.checkpoint) if name]
    used += ["SUPERB"] * any(row.tap is None and row.headline for model in models for row in model.rows)
    text = "\n".join(dict.fromkeys(used))
    return list(dict.fromkeys(entry.strip() for words, entry in known.items() if words in text))
