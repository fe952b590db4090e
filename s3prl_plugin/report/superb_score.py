"""superb_s: one number for an upstream over SUPERB's tasks, between that of FBANK (0) and the best published (1000)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import fmean
from typing import Any

import yaml

from s3prl_plugin.errors import UserError

PUBLISHED = Path(__file__).with_name("published_scores.yaml")


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the published table.

    Attributes:
        name: "PR PER", ...
        task, score: of the results rows that belong there.
        unit: "%", or empty for MTWV.
        higher_is_better: which way.
        published: upstream -> its published score.
    """

    name: str
    task: str
    score: str
    unit: str
    higher_is_better: bool
    published: Mapping[str, float]

    @property
    def decimals(self) -> int:
        """How many the published table prints."""
        return 2 if self.unit == "%" else 4

    def converted(self, value: float, unit: str | None) -> float:
        """A score in this column's unit.

        Args:
            value: the score.
            unit: its own: fraction, percent, or MTWV.

        Raises:
            UserError: the unit is another one.
        """
        if self.unit == "%" and unit in ("fraction", "percent"):
            return round(100 * value, 10) if unit == "fraction" else value
        if not self.unit and unit == "MTWV":
            return value
        raise UserError(f"{self.task} {self.score} in {unit!r} is no score of {self.name}; run the task again")

    def share(self, value: float) -> float:
        """How far from FBANK (0) to the best (1) a score is; beyond either it is below 0 or above 1."""
        zero, best = self.published[zero_upstream()], self.published[best_upstream()]
        return (value - zero) / (best - zero)


def superb_s(scores: Mapping[str, float]) -> tuple[float, tuple[str, ...]] | None:
    """The SUPERB score over the tasks that are there.

    1000 / |T| * sum over tasks of the mean over a task's scores of (score - FBANK) / (best - FBANK).

    Args:
        scores: column name -> score in that column's unit, on the published corpora.

    Returns:
        The score, and the tasks T that it is over: those of which every column is there. None where there is none.
    """
    tasks = complete_tasks(scores)
    if not tasks:
        return None
    shares = [fmean(c.share(scores[c.name]) for c in columns() if c.task == task) for task in tasks]
    return 1000 * fmean(shares), tasks


def complete_tasks(scores: Mapping[str, Any]) -> tuple[str, ...]:
    """The tasks of which every column has a score."""
    tasks = dict.fromkeys(column.task for column in columns())
    return tuple(task for task in tasks if all(c.name in scores for c in columns() if c.task == task))


@cache
def columns() -> tuple[Column, ...]:
    """The columns, in the order of the published table."""
    upstreams = about()["upstreams"]
    return tuple(
        Column(
            name=said["name"],
            task=said["task"],
            score=said["score"],
            unit=said["unit"],
            higher_is_better=said["better"] == "higher",
            published=dict(zip(upstreams, said["published"], strict=True)),
        )
        for said in about()["columns"]
    )


def zero_upstream() -> str:
    """The upstream that scores 0."""
    return about()["zero"]


def best_upstream() -> str:
    """The upstream that scores 1000."""
    return about()["best"]


@cache
def about() -> dict[str, Any]:
    """The file: source, caution, formula, columns."""
    return yaml.safe_load(PUBLISHED.read_text(encoding="utf-8"))
