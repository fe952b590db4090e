"""Intervals around a score: Nadeau and Bengio's for cross-validation, and the delete-one jackknife; sums of scores.

Both use t quantiles of F - 1 degrees of freedom. Either says what every fold tells by itself (`Estimate.per_fold`), so
that sums and differences of scores over the same folds are formed fold by fold, and what the folds have in common
(speakers, sentences) cancels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
LEVEL = 0.95


@dataclass(frozen=True, slots=True, eq=False)
class Estimate:
    """A number with its standard error.

    Estimates over the same folds are added and subtracted; the standard error of a sum is that of the folds' sums.

    Attributes:
        value: the number.
        standard_error: of it.
        degrees: of freedom of the t quantile.
        per_fold: (F,) what every fold (speaker, seed) says by itself, whose mean is the number; None where the error is
            not theirs.
        replicates: (F,) the number without each fold in turn, where that is what the standard error comes from.
    """

    value: float
    standard_error: float
    degrees: int
    per_fold: Array | None = field(default=None, repr=False)
    replicates: Array | None = field(default=None, repr=False)

    def interval(self, level: float = LEVEL) -> tuple[float, float]:
        """(low, high): value -+ quantile * standard error."""
        from scipy.special import stdtrit  # as long to import as all of numpy

        reach = self.standard_error * float(stdtrit(self.degrees, (1 + level) / 2))
        return self.value - reach, self.value + reach

    @property
    def p_value(self) -> float:
        """Two-sided, of the hypothesis that the number is 0."""
        if self.standard_error == 0:
            return 1.0 if self.value == 0 else 0.0
        from scipy.special import stdtr

        return float(2 * stdtr(self.degrees, -abs(self.value) / self.standard_error))

    @property
    def deviations(self) -> Array:
        """(F,) how far each fold moves the number; the sum of their squares is that of the standard error."""
        folds = self.folds
        centred = folds - folds.mean()
        size = float(np.sqrt(np.square(centred).sum()))
        return centred * (self.standard_error / size) if size else np.zeros_like(centred)

    @property
    def without_each(self) -> Array:
        """(F,) the number without each fold in turn; where it was not computed anew, the mean of the other folds."""
        if self.replicates is not None:
            return self.replicates
        folds = self.folds
        return (len(folds) * self.value - folds) / (len(folds) - 1)

    @property
    def folds(self) -> Array:
        """`per_fold`, of a number that has it."""
        if self.per_fold is None:
            raise ValueError("what the folds of this number say is not known")
        return self.per_fold

    def __add__(self, other: Estimate) -> Estimate:
        return combined(((1.0, self), (1.0, other)))

    def __sub__(self, other: Estimate) -> Estimate:
        return combined(((1.0, self), (-1.0, other)))

    def __neg__(self) -> Estimate:
        return combined(((-1.0, self),))


def combined(terms: Sequence[tuple[float, Estimate]]) -> Estimate:
    """A sum of numbers over the same folds, each times a factor: a difference, a mean, a difference of differences.

    Args:
        terms: (factor, number) of each.

    Raises:
        ValueError: they are not over the same number of folds.
    """
    folds = [each.folds for _, each in terms]
    if len({len(each) for each in folds}) != 1:
        raise ValueError("a difference or sum needs numbers over the same folds")
    factors = [factor for factor, _ in terms]
    deviations = np.sum([factor * each.deviations for factor, each in terms], axis=0)
    return Estimate(
        value=sum(factor * each.value for factor, each in terms),
        standard_error=float(np.sqrt(np.square(deviations).sum())),
        degrees=min(each.degrees for _, each in terms),
        per_fold=np.array(factors) @ np.stack(folds),
    )


def mean_of_estimates(estimates: Sequence[Estimate]) -> Estimate:
    """The mean of numbers over the same folds, such as of several taps."""
    return combined([(1 / len(estimates), each) for each in estimates])


def jackknife(value: float, replicates: npt.ArrayLike) -> Estimate:
    """The delete-one jackknife.

    SE^2 = (F - 1) / F * sum_f (theta_-f - mean)^2, with t quantiles of F - 1 degrees of freedom. What a fold says by
    itself is its pseudo-value theta + (F - 1) (mean - theta_-f): the fold's own value where theta is their mean, else a
    first-order approximation.

    Args:
        value: theta, from all folds (or speakers).
        replicates: (F,) theta_-f, the same computed anew without fold f.

    Reference:
        Efron & Tibshirani 1993, "An Introduction to the Bootstrap", eq. 11.5 and 11.13.
    """
    thetas = np.asarray(replicates, dtype=np.float64)
    count = len(thetas)
    if count < 2:
        raise ValueError(f"{count} replicates: a jackknife needs at least two")
    moved = thetas.mean() - thetas
    error = float(np.sqrt((count - 1) / count * np.square(moved).sum()))
    return Estimate(float(value), error, count - 1, value + (count - 1) * moved, thetas)


def mean_of(values: npt.ArrayLike) -> Estimate:
    """The mean of independent numbers, such as one per training seed, with t quantiles of S - 1 degrees of freedom.

    Args:
        values: (S,), two or more.
    """
    each = np.asarray(values, dtype=np.float64)
    return Estimate(float(each.mean()), float(each.std(ddof=1) / np.sqrt(len(each))), len(each) - 1, each)


def holm(p_values: npt.ArrayLike) -> Array:
    """P values adjusted for their number, so that 5 % of all tables of true null hypotheses have one below 0.05.

    The smallest is multiplied by m, the next by m - 1, and so on; none is smaller than one before it, or above 1.

    Args:
        p_values: (m,) in any order.

    Returns:
        (m,) in the same order.

    Reference:
        Holm 1979, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6.
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(p[order] * (len(p) - np.arange(len(p)))))
    return adjusted


def nadeau_bengio(per_fold: npt.ArrayLike) -> Estimate:
    """The corrected resampled interval of a cross-validated mean: no further fits.

    SE = sd_F * sqrt(1/F + 1/(F - 1)), with t quantiles of F - 1 degrees of freedom: the second term is the share of
    test to training data, and stands for what the folds' training sets have in common.

    Args:
        per_fold: (F,) the score on each held-out fold.

    Reference:
        Nadeau & Bengio 2003, "Inference for the Generalization Error", Machine Learning 52, eq. 9.
    """
    scores = np.asarray(per_fold, dtype=np.float64)
    count = len(scores)
    if count < 2:
        raise ValueError(f"{count} folds: an interval needs at least two")
    error = scores.std(ddof=1) * np.sqrt(1 / count + 1 / (count - 1))
    return Estimate(float(scores.mean()), float(error), count - 1, scores)
