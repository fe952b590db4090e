"""Sums of scores with signs: one tap less another, a mean over taps, a difference of differences, with one interval.

Every score comes with its jackknife replicates over the same folds, so that what the folds have in common cancels.
`corrected` is the signed root of a product whose replicates the row keeps. Of a sum of such roots

    L = sum_i c_i g(p_i),   low = L - sqrt(sum_ij s_i s_j rho_ij d_i d_j)

where d_i is the distance from g(p_i) to that end of its own interval which lowers L, times |c_i|; s_i is the sign of
c_i, and rho_ij the correlation of the replicates. `high` likewise. This is Zou and Donner's method for more than two
terms: for two it is `intervals.difference_of_roots`, and without roots the jackknife's interval of the sum.

The p value is the level at which the interval just reaches 0, so the two never contradict each other.

Reference:
    Zou, Huang & Zhang 2009, "A note on confidence interval estimation for a linear function of binomial proportions",
    Computational Statistics & Data Analysis 53.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.optimize
import scipy.stats

from s3prl_plugin.analysis import intervals
from s3prl_plugin.analysis.intervals import signed_root
from s3prl_plugin.report.differences import ROOTED, estimate
from s3prl_plugin.results import Row

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Term:
    """A score, on the scale of its replicates.

    Attributes:
        value: of `corrected` the product, else the score.
        standard_error: of `value`.
        deviations: (F,) what each fold moves it by, up to a factor: they say how it is correlated with other scores.
        degrees: of freedom of the t quantile.
        rooted: the score is the signed root of `value`.
    """

    value: float
    standard_error: float
    deviations: Array
    degrees: int
    rooted: bool = False

    def score(self, reach: float = 0.0) -> float:
        """The score when `value` is `reach` standard errors higher."""
        value = self.value + reach * self.standard_error
        return signed_root(value) if self.rooted else value


@dataclass(frozen=True, slots=True, eq=False)
class Sum:
    """A sum of scores, each times a number.

    Attributes:
        terms: (number, score) of each.
    """

    terms: tuple[tuple[float, Term], ...]

    @property
    def value(self) -> float:
        """The sum."""
        return sum(number * term.score() for number, term in self.terms)

    @property
    def degrees(self) -> int:
        """Of freedom: the fewest of any term."""
        return min(term.degrees for _, term in self.terms)

    def interval(self, level: float = intervals.LEVEL) -> tuple[float, float]:
        """(low, high)."""
        quantile = float(scipy.stats.t.ppf((1 + level) / 2, self.degrees))
        return self.value - self._reach(quantile, -1), self.value + self._reach(quantile, 1)

    @property
    def p_value(self) -> float:
        """Two-sided, of the hypothesis that the sum is 0."""
        value = self.value
        if value == 0:
            return 1.0
        side = -1 if value > 0 else 1

        def left(quantile: float) -> float:
            return abs(value) - self._reach(quantile, side)

        far = 1.0
        while left(far) > 0:
            if far > 1e9:
                return 0.0
            far *= 4
        border = scipy.optimize.brentq(left, 0.0, far)
        return float(2 * scipy.stats.t.sf(border, self.degrees))

    def _reach(self, quantile: float, side: int) -> float:
        """How far the interval goes down (-1) or up (1) from the sum."""
        signed = np.array(
            [
                number * abs(term.score(math.copysign(quantile, side * number)) - term.score())
                for number, term in self.terms
            ]
        )
        return math.sqrt(max(0.0, float(signed @ self._correlations() @ signed)))

    def _correlations(self) -> Array:
        """(terms, terms) of their deviations; a term that never moves is correlated with none."""
        deviations = np.stack([term.deviations for _, term in self.terms])
        sizes = np.sqrt(np.square(deviations).sum(axis=1))
        unit = deviations / np.where(sizes > 0, sizes, 1.0)[:, None]
        return unit @ unit.T

    def __neg__(self) -> Sum:
        return Sum(tuple((-number, term) for number, term in self.terms))

    def __add__(self, other: Sum) -> Sum:
        return Sum((*self.terms, *other.terms))

    def __sub__(self, other: Sum) -> Sum:
        return self + -other


def of_row(row: Row) -> Sum:
    """The score of a row.

    Args:
        row: with a value and replicates; `Runs.row` refuses others.
    """
    found = estimate(row)
    assert found.replicates is not None
    deviations = found.replicates - found.replicates.mean()
    return Sum(((1.0, Term(found.value, found.standard_error, deviations, found.degrees, row.score == ROOTED)),))


def mean(sums: Sequence[Sum]) -> Sum:
    """The mean of some sums."""
    return Sum(tuple((number / len(sums), term) for each in sums for number, term in each.terms))
