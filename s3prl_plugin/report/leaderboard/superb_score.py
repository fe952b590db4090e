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
        published: upstream -> its published score; empty for a column that does not enter superb_s.
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


def superb_s(scores: Mapping[str, float]) -> float | None:
    """The SUPERB score, before it is rounded to a whole number.

    1000 / |T| * sum over the ten tasks T of the mean over a task's scores of (score - FBANK) / (best - FBANK).

    Args:
        scores: column name -> score in that column's unit, on the published corpora.

    Returns:
        None where a score of a task is missing.
    """
    if missing_tasks(scores):
        return None
    return 1000 * fmean(
        fmean(c.share(scores[c.name]) for c in reference_columns() if c.task == task) for task in reference_tasks()
    )


def missing_tasks(scores: Mapping[str, Any]) -> tuple[str, ...]:
    """The tasks of superb_s of which a column has no score."""
    absent = {column.task for column in reference_columns() if column.name not in scores}
    return tuple(task for task in reference_tasks() if task in absent)


def reference_tasks() -> tuple[str, ...]:
    """The ten tasks of superb_s."""
    return tuple(dict.fromkeys(column.task for column in reference_columns()))


def reference_columns() -> tuple[Column, ...]:
    """The columns that enter superb_s."""
    return tuple(column for column in columns() if column.published)


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
            published=dict(zip(upstreams, said["published"], strict=True)) if "published" in said else {},
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
    """The file: source, formula, columns."""
    return yaml.safe_load(PUBLISHED.read_text(encoding="utf-8"))
