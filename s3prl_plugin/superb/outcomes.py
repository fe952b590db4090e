"""What a task's head did with every utterance of the split that counts, read from the predictions that it left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from s3prl_plugin.superb.tasks import Task

Array = npt.NDArray[np.float64]
UNITS = {"fraction": 1.0, "percent": 100.0}
ROUNDING = 1e-4  # of a score, which s3prl logs in float32


@dataclass(frozen=True, slots=True, eq=False)
class Outcomes:
    """The errors of one head, in the order of its predictions.

    Attributes:
        errors: (U,) of every utterance: 1 for a wrong label, or insertions, deletions and substitutions.
        counts: (U,) the labels that it has. The error rate is the sum of errors over the sum of these.
    """

    errors: Array
    counts: Array


def read(task: Task, folder: Path, scalars: Mapping[str, float]) -> Outcomes | None:
    """The outcomes of a finished task.

    Args:
        task: which.
        folder: its own.
        scalars: what it scored.

    Returns:
        None for a task that is not scored utterance by utterance, or whose predictions do not give its score: they are
        of another evaluation, or it is not their error rate.
    """
    unit = UNITS.get(task.headline.unit)
    files = [list(folder.glob(name)) for name in task.predictions]
    if task.parts or unit is None or [len(found) for found in files] != [1, 1]:
        return None
    said, wanted = ([line.split() for line in found[0].read_text(encoding="utf-8").splitlines()] for found in files)
    if not said or any(line == [] for line in (*said, *wanted)):
        return None
    if [line[0] for line in said] != [line[0] for line in wanted]:
        return None
    pairs = [(a[1:], b[1:]) for a, b in zip(said, wanted, strict=True)]
    found = Outcomes(
        np.array([edits(a, b) for a, b in pairs], dtype=float), np.array([len(b) for _, b in pairs], dtype=float)
    )
    rate = found.errors.sum() / found.counts.sum() if found.counts.sum() else float("nan")
    score = unit * (1 - rate if task.headline.higher_is_better else rate)
    return found if abs(score - scalars[task.headline.tag]) <= unit * ROUNDING else None


def edits(one: list[str], other: list[str]) -> int:
    """The least number of insertions, deletions and substitutions that make one list the other."""
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        before, row[0] = row[0], i
        for j, b in enumerate(other, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (a != b))
    return row[-1]
