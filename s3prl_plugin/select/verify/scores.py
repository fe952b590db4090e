"""What heads scored on one test split, and how far two of them differ: over new heads, and over new test utterances.

A difference of two scores has two sources of chance, which are added: the seeds of the heads (the mean of S of them),
and the utterances of the test split (a ratio of sums over U of them, linearised; of shares of right answers with one
pair of opposite outcomes and one of equal ones added, so that heads which agree on all of a few utterances are not
thought to agree on all others):

    SE^2 = var over seeds / S + var over utterances / U         degrees of freedom: Satterthwaite's

What heads and utterances do together is in both terms, so the interval is a little wide. Where what happened to single
utterances is not known, the interval is over seeds alone. Scores over the folds of a cross-validation have Nadeau's and
Bengio's.

Reference:
    Agresti & Min 2005, "Simple improved confidence intervals for comparing matched proportions", Statistics in Medicine
    24; Cochran 1977, "Sampling Techniques", section 6.4; Satterthwaite 1946, Biometrics Bulletin 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from s3prl_plugin.inference.intervals import Estimate, nadeau_bengio

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """What the heads of one tap scored, or a difference or mean of such; more is better.

    Attributes:
        seeds: (S,) of each head.
        errors: (U,) of every utterance, the mean over heads; of a difference how many fewer errors. None where that is
            not known.
        counts: (U,) the labels of every utterance.
        folds: whether `seeds` are the folds of a cross-validation instead.
    """

    seeds: Array
    errors: Array | None = None
    counts: Array | None = None
    folds: bool = False

    @property
    def value(self) -> float:
        """The mean over heads."""
        return float(self.seeds.mean())

    def less(self, other: Scores) -> Scores:
        """How much better these are than others on the same split."""
        errors = None if self.errors is None or other.errors is None else other.errors - self.errors
        return Scores(self.seeds - other.seeds, errors, self.counts if errors is not None else None, self.folds)

    def lead(self) -> Gain:
        """A difference with its interval."""
        count = len(self.seeds)
        if self.folds:
            return Gain(self.value, *nadeau_bengio(self.seeds).interval())
        parts = [(float(self.seeds.var(ddof=1)) / count, count - 1)] if count > 1 else []
        if self.errors is not None and self.counts is not None and len(self.errors) > 1:
            parts.append(_over_utterances(self.errors, self.counts))
        squared = sum(variance for variance, _ in parts)
        if not parts:
            return Gain(self.value, None, None)
        below = sum(variance**2 / degrees for variance, degrees in parts)
        degrees = int(squared**2 / below) if below else parts[0][1]
        return Gain(self.value, *Estimate(self.value, float(np.sqrt(squared)), max(degrees, 1)).interval())


@dataclass(frozen=True, slots=True)
class Gain:
    """A difference of scores with its 95 % interval; None of the ends where neither seeds nor utterances give one."""

    value: float
    ci_low: float | None
    ci_high: float | None


def mean_of(several: Sequence[Scores]) -> Scores:
    """The mean of scores on one split: of a tap drawn at random, or of several upstreams."""
    seeds = np.mean([each.seeds for each in several], axis=0)
    counts = several[0].counts
    if counts is None or any(each.counts is None or not np.array_equal(each.counts, counts) for each in several):
        return Scores(seeds, folds=several[0].folds)
    errors = [each.errors for each in several if each.errors is not None]
    return Scores(seeds, np.mean(errors, axis=0), counts)


def _over_utterances(errors: Array, counts: Array) -> tuple[float, int]:
    """The squared standard error of a difference of error rates, and its degrees of freedom."""
    size = len(errors)
    if np.all(counts == 1):  # shares of right answers
        mean = errors.sum() / (size + 2)
        return float(((errors**2).sum() + 1) / (size + 2) - mean**2) / (size + 2), size - 1
    residual = errors - errors.sum() / counts.sum() * counts
    return float(residual.var(ddof=1)) / size / float(counts.mean()) ** 2, size - 1
