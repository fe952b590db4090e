"""The sections of a report that show how layers change during pre-training."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Sequence
from pathlib import Path

from s3prl_plugin.questions.trajectories import changes, numbers, runs
from s3prl_plugin.questions.trajectories.numbers import KINDS, Number
from s3prl_plugin.questions.trajectories.runs import Run
from s3prl_plugin.report.sections import Figure, Section, Table, Value

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
        from s3prl_plugin.questions.trajectories import curves
        from s3prl_plugin.questions.trajectories import maps as heat

        drawn = tuple(curves.figure(kind, found, per_run) for kind in kinds)
        maps = [_maps(run, heat.figures(run)) for run in found]
    overview = Section(
        name="trajectories",
        title="How do the layers change during pre-training?",
        notes=tuple(notes),
        contrasts=tuple(contrast for run in found for contrast in changes.of_run(run)),
        tables=tuple(
            _table(run, kind, per_run[run.name]) for run in found for kind in kinds if _has(run, kind, per_run)
        ),
        figures=drawn,
    )
    return (overview, *maps)


def _maps(run: Run, figures: Sequence[Figure]) -> Section:
    """The maps of one run."""
    return Section(name=f"layers-{run.name}", title=f"{run.name}: layers over updates", figures=tuple(figures))


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
            cells += [None if n is None or n.value is None else round(n.value, 4), _interval(n)]
        rows.append(tuple(cells))
    reasons = dict.fromkeys(n.refused for ns in found for n in ns if n.kind == kind and n.refused)
    note = "; ".join(f"no number: {reason}" for reason in reasons if reason)
    return Table(title=f"{run.name}: {KINDS[kind]}", columns=tuple(columns), rows=tuple(rows), note=note)


def _interval(n: Number | None) -> str:
    if n is None or n.low is None or n.high is None:
        return ""
    return f"{n.low:.3f} to {n.high:.3f}"
