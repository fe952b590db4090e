"""The sections of a report that show how layers change during pre-training."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from s3prl_plugin.inference.differences import reference
from s3prl_plugin.inference.intervals import LEVEL
from s3prl_plugin.questions.trajectories import numbers, runs
from s3prl_plugin.questions.trajectories.numbers import KINDS, Number, peak
from s3prl_plugin.questions.trajectories.runs import Run
from s3prl_plugin.report.sections import Contrast, Figure, Section, Table, Value, span
from s3prl_plugin.results import Row

NOTES = {
    "peak": "A peak's interval reaches from the first to the last tap that could be the highest in truth: no other one "
    "is higher beyond what the folds explain.",
    "drop": "A drop is a little too large where several taps are nearly as high, since the highest was found on the "
    "same folds.",
    "return": "Return to the input: how much more of the spectrum (cca_mel) or of the first tap (cca_intra) the last "
    "decoder tap has than the middle. Where the two have different frame rates, part of it is the grid; "
    "`pool_to` in the study's options takes that away.",
    "output": "The model's output (res_out) has a skip from the encoder built in, so it is shown apart.",
    "rank": "The effective rank is how many equally strong directions the frames' variance is worth.",
}


def sections(folders: Iterable[str | Path], figures: bool = True) -> tuple[Section, ...]:
    """One section for all runs whose checkpoints were analysed, and one with the maps of each run.

    Args:
        folders: of the study over checkpoints, one each (`inference.folders.folders(expdir)`); others are passed over.
        figures: whether they are made.

    Returns:
        None where no run has two checkpoints.

    Raises:
        UserError: a folder has no results, or they cannot be read.
    """
    found, left_out = runs.find(folders)
    if not found:
        return ()
    per_run = {run.name: _numbers(run) for run in found}
    kinds = [kind for kind in KINDS if any(n.kind == kind for each in per_run.values() for ns in each for n in ns)]
    notes = [NOTES[kind] for kind in kinds]
    notes += [f"Not shown: {sentence}." for sentence in left_out]
    notes.append("One training run each: intervals are over folds of the corpus and speak of these checkpoints.")
    drawn: tuple[Figure, ...] = ()
    maps: list[Section] = []
    if figures and importlib.util.find_spec("altair") is None:
        notes.append("Figures need altair: pip install 's3prl_plugin[report]'.")
    elif figures:
        from s3prl_plugin.questions.trajectories import charts

        drawn = tuple(charts.curves(kind, found, per_run) for kind in kinds)
        maps = [
            Section(
                name=f"layers-{run.name}", title=f"{run.name}: layers over updates", figures=tuple(charts.maps(run))
            )
            for run in found
        ]
    overview = Section(
        name="trajectories",
        title="How do the layers change during pre-training?",
        notes=tuple(notes),
        contrasts=tuple(contrast for run in found for contrast in changes(run)),
        tables=tuple(
            _table(run, kind, per_run[run.name]) for run in found for kind in kinds if _has(run, kind, per_run)
        ),
        figures=drawn,
    )
    return (overview, *maps)


def _numbers(run: Run) -> list[list[Number]]:
    """Per checkpoint, its summary numbers."""
    return [numbers.of_checkpoint(checkpoint, run.measures) for checkpoint in run.checkpoints]


def _has(run: Run, kind: str, per_run: dict[str, list[list[Number]]]) -> bool:
    return any(n.kind == kind for ns in per_run[run.name] for n in ns)


def _table(run: Run, kind: str, found: list[list[Number]]) -> Table:
    """One kind of number: updates down, measures across, each with its interval."""
    measures = list(dict.fromkeys(n.measure for ns in found for n in ns if n.kind == kind))
    columns = ["update", *(name for measure in measures for name in (measure, "95 % interval"))]
    rows = []
    for checkpoint, own in zip(run.checkpoints, found, strict=True):
        here = {n.measure: n for n in own if n.kind == kind}
        cells: list[Value] = [checkpoint.update]
        for measure in measures:
            n = here.get(measure)
            cells += [
                None if n is None or n.value is None else round(n.value, 4),
                span(n.low, n.high, ".3f") if n else "",
            ]
        rows.append(tuple(cells))
    reasons = dict.fromkeys(n.refused for ns in found for n in ns if n.kind == kind and n.refused)
    note = "; ".join(f"no number: {reason}" for reason in reasons if reason)
    return Table(title=f"{run.name}: {KINDS[kind]}", columns=tuple(columns), rows=tuple(rows), note=note)


def changes(run: Run) -> list[Contrast]:
    """The changes of a run's summary numbers, exploratory all of them.

    Args:
        run: its first and last checkpoint are compared.
    """
    first, last = run.checkpoints[0], run.checkpoints[-1]
    before = {(n.kind, n.measure): n for n in numbers.of_checkpoint(first, run.measures)}
    after = {(n.kind, n.measure): n for n in numbers.of_checkpoint(last, run.measures)}
    when = f"update {last.update} less update {first.update}"
    found = []
    for key in (key for key in after if key in before):
        old, new = before[key], after[key]
        label = f"{run.name}: {KINDS[new.kind]}"
        said: dict[str, Any] = {"label": label, "isolates": when, "measure": new.measure, "score": _score(new)}
        if old.value is None or new.value is None:
            reason = new.refused or old.refused
            found.append(Contrast(**said, refused=reason))
            continue
        if len({reference(row) for _, row in (*new.terms, *old.terms)}) > 1:
            found.append(Contrast(**said, refused="each checkpoint has a reference of its own"))
            continue
        if new.kind == "peak":
            value, low, high = _moved(first.of(new.measure), last.of(new.measure))
        else:
            value, low, high = numbers.weighted([*new.terms, *((-weight, row) for weight, row in old.terms)])
        grey = next((row.grey for _, row in (*new.terms, *old.terms) if row.grey), None)
        found.append(Contrast(**said, value=value, ci_low=low, ci_high=high, grey=grey))
    return found


def _moved(before: list[Row], after: list[Row]) -> tuple[float, float | None, float | None]:
    """By how much the peak moved; its interval has all moves from a candidate of the one to one of the other."""
    half = 1 - (1 - LEVEL) / 2  # both must hold at once
    old, new = peak(before, half), peak(after, half)
    if old is None or new is None:
        raise ValueError("a peak is where there are numbers")
    if old.low is None or old.high is None or new.low is None or new.high is None:
        return new.depth - old.depth, None, None
    return new.depth - old.depth, new.low - old.high, new.high - old.low


def _score(number: Number) -> str:
    """The score of a summary number."""
    return "relative depth" if number.kind == "peak" else number.terms[0][1].score if number.terms else ""
