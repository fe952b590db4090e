"""What a verification found, as `verification.json` keeps it: every head's scores, and what measures had said."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from s3prl_plugin.errors import UserError
from s3prl_plugin.select.verify.plan import SUM
from s3prl_plugin.select.verify.scores import Array, Scores, mean_of
from s3prl_plugin.superb.outcomes import UNITS

FOLDER = "select"  # in the folder of a run
FILE_NAME = "verification.json"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trial:
    """The heads of one task on one upstream.

    Attributes:
        task: PR, SID, ...
        upstream: its name, for reading.
        folder: of the run that was analysed.
        score, unit, split: what the heads are scored by.
        higher_is_better: of the score.
        selected: the tap that was recommended.
        decided_by: the measures that recommended it.
        taps: that have heads of all seeds, in the order of the network.
        seeds: of the heads.
        steps: of their training.
        tried: learning rates.
        rates: tap or SUM -> the learning rate of its heads.
        dev: the same -> the mean of what is kept of dev; without those of a task that has no dev set.
        more_on_dev: whether more is better of that.
        test: the same -> (S,) the score on the test split.
        errors: the same -> (S, U) what every utterance of the test split adds to the error rate; empty where unknown.
        counts: (U,) the labels of these utterances.
        measures: measure -> tap -> its number, turned so that more is better.
        failed: tap or SUM -> why it has no score.
        folds: whether what is scored is no head, but a measure over folds: these stand where seeds do.
    """

    task: str
    upstream: str
    folder: str
    score: str
    unit: str
    split: str
    higher_is_better: bool
    selected: str
    decided_by: Sequence[str]
    taps: Sequence[str]
    seeds: Sequence[int]
    steps: int
    tried: Sequence[float]
    rates: Mapping[str, float | None]
    dev: Mapping[str, float]
    more_on_dev: bool
    test: Mapping[str, Sequence[float]]
    errors: Mapping[str, Sequence[Sequence[float]]]
    counts: Sequence[float]
    measures: Mapping[str, Mapping[str, float]]
    failed: Mapping[str, str]
    folds: bool = False

    @property
    def sign(self) -> int:
        """1 where more is better of the score, else -1."""
        return 1 if self.higher_is_better else -1

    def scores(self, subject: str) -> Scores:
        """Of a tap's heads, or the weighted sum's."""
        errors = self.errors.get(subject)
        if errors is None:
            return Scores(self.sign * np.asarray(self.test[subject], dtype=float), folds=self.folds)
        each = UNITS[self.unit] * np.asarray(errors, dtype=float).mean(axis=0)
        return Scores(self.sign * np.asarray(self.test[subject]), each, np.asarray(self.counts, dtype=float))

    @property
    def random(self) -> Scores:
        """Of a tap that is drawn at random."""
        return mean_of([self.scores(tap) for tap in self.taps])

    @property
    def has_sum(self) -> bool:
        """Whether the weighted sum of all taps was tried."""
        return SUM in self.test

    @property
    def best_on_dev(self) -> str | None:
        """The tap that is chosen without the test split; None where there is no dev set."""
        found = [tap for tap in self.taps if tap in self.dev]
        sign = 1 if self.more_on_dev else -1
        return max(found, key=lambda tap: sign * self.dev[tap]) if found else None

    @property
    def best(self) -> Scores | None:
        """Of the tap that is chosen without what scores it: on dev, or for every fold on all others."""
        if self.folds:
            each = np.array([self.scores(tap).seeds for tap in self.taps])
            others = each.sum(axis=1, keepdims=True) - each
            return Scores(each[others.argmax(axis=0), np.arange(each.shape[1])], folds=True)
        return None if self.best_on_dev is None else self.scores(self.best_on_dev)

    def best_by(self, measure: str) -> str:
        """The tap that a measure likes best, the first of equals."""
        own = self.measures[measure]
        return max((tap for tap in self.taps if tap in own), key=lambda tap: own[tap])

    def tap_errors(self, taps: Sequence[str]) -> Array | None:
        """(T, S, U) of these taps; None where it is not known what single utterances did."""
        if any(tap not in self.errors for tap in taps):
            return None
        return np.asarray([self.errors[tap] for tap in taps], dtype=float)

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {name: getattr(self, name) for name in self.__slots__}


def read(path: Path) -> Trial:
    """The trial that a verification's file keeps.

    Raises:
        UserError: it is none, or of an earlier version.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        found = Trial(**content)
        for tap in found.taps:
            found.scores(tap)
    except (OSError, UnicodeDecodeError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise UserError(
            f"{path}: not what this version's --verify keeps ({reason}); give the command of the verification again"
        ) from None
    return found


def file_of(folder: Path, task: str) -> Path:
    """Where the verification of a task is kept.

    Args:
        folder: of the run.
        task: its name.
    """
    return folder / FOLDER / task / FILE_NAME


def below(folder: Path) -> list[Trial]:
    """The finished verifications of a run, by their task's name.

    Args:
        folder: of the run.
    """
    return [read(path) for path in sorted(folder.glob(f"{FOLDER}/*/{FILE_NAME}"))]
