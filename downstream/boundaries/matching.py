"""Boundaries that are found and boundaries that are there, matched one to one, and what follows from the counts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from s3prl_plugin.inference.refusal import Refused

TOLERANCE = 320  # samples: 20 ms, inclusive


def matched(references: Sequence[int], hypotheses: Sequence[int], tolerance: int) -> int:
    """How many can be matched at most, each with one other that is no further away.

    Both lists are sorted, so two pointers find the maximum.

    Args:
        references, hypotheses: sorted moments, in whole units of time.
        tolerance: in the same units, inclusive.
    """
    count = i = j = 0
    while i < len(references) and j < len(hypotheses):
        apart = hypotheses[j] - references[i]
        if apart > tolerance:
            i += 1
        elif apart < -tolerance:
            j += 1
        else:
            count, i, j = count + 1, i + 1, j + 1
    return count


@dataclass(frozen=True, slots=True)
class Counts:
    """Sums over utterances.

    Attributes:
        matched, references, hypotheses: how many.
    """

    matched: float
    references: float
    hypotheses: float

    @property
    def precision(self) -> float:
        """Matched over found.

        Raises:
            Refused: nothing was found.
        """
        if not self.hypotheses:
            raise Refused("no boundary was found; its frames hardly differ, or prominences are too high")
        return self.matched / self.hypotheses

    @property
    def recall(self) -> float:
        """Matched over those that are there."""
        return self.matched / self.references

    @property
    def f1(self) -> float:
        """The harmonic mean of both; 0 where nothing was found."""
        return 2 * self.matched / (self.hypotheses + self.references)

    @property
    def over_segmentation(self) -> float:
        """How many more are found than are there, over those that are: -1 and more, 0 is best.

        Raises:
            Refused: nothing was found.
        """
        if not self.matched and self.hypotheses:
            return self.hypotheses / self.references - 1
        return self.recall / self.precision - 1

    @property
    def r_value(self) -> float:
        """How near recall and over-segmentation are to those of the truth; 1 is best.

        Raises:
            Refused: nothing was found.

        Reference:
            Räsänen, Laine & Altosaar 2009, "An improved speech segmentation quality measure: the R-value", Interspeech.
        """
        beyond = self.over_segmentation
        first = math.hypot(1 - self.recall, beyond)
        second = (self.recall - 1 - beyond) / math.sqrt(2)
        return 1 - (abs(first) + abs(second)) / 2


def chosen_elsewhere(table: np.ndarray, fold: np.ndarray) -> tuple[Counts, np.ndarray]:
    """Every fold is scored with the setting that has the best F1 on all other folds.

    Args:
        table: (S, U, 3) matched, references and hypotheses of every setting and speaker.
        fold: (U,) of every speaker.

    Returns:
        The sums over folds, and (U,) the setting that each speaker was scored with.
    """
    setting = np.empty(len(fold), dtype=np.int64)
    for f in np.unique(fold):
        matched, references, hypotheses = table[:, fold != f].sum(axis=1).T
        setting[fold == f] = int(np.argmax(2 * matched / np.maximum(references + hypotheses, 1)))
    sums = table[setting, np.arange(len(fold))].sum(axis=0)
    return Counts(*map(float, sums)), setting
