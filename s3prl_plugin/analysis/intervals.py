"""Intervals around a score: the delete-one jackknife and its paired form, and Nadeau and Bengio's for cross-validation.

What they are intervals for is the expected score at this amount of data and these folds, not the population's value.

Both use t quantiles of F - 1 degrees of freedom. Simulated with 8 folds (16 and 40 speakers with offsets, phone-like
labels and mel-like frames, 2 to 300 rows per dimension, 600 runs each), nominal 95 % intervals covered:

    jackknife, t          94.2 to 98.7 %; paired null differences rejected in 0.2 to 4.3 %
    jackknife, normal     90.5 to 97.5 %; rejected in up to 9.5 %
    Nadeau-Bengio, t      94.5 to 98.3 % for r; 94.0 to 97.3 % for pwcca, but 89.7 % with 300 rows per dimension
    Nadeau-Bengio, normal 90.5 to 96.0 % for r; 81.7 to 95.0 % for pwcca

The jackknife errs on the wide side (its standard error is 1.0 to 1.5 times the true one, more where most canonical
correlations are zero, and there it covers up to 99 %).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import scipy.stats

Array = npt.NDArray[np.float64]
LEVEL = 0.95


@dataclass(frozen=True, slots=True, eq=False)
class Estimate:
    """A number with its standard error.

    Attributes:
        value: the number.
        standard_error: of it.
        degrees: of freedom of the t quantile.
        replicates: (F,) the number without each of the folds (or speakers) in turn, for paired differences; None where
            the standard error came another way.
    """

    value: float
    standard_error: float
    degrees: int
    replicates: Array | None = field(default=None, repr=False)

    def interval(self, level: float = LEVEL) -> tuple[float, float]:
        """(low, high): value -+ quantile * standard error."""
        reach = self.standard_error * float(scipy.stats.t.ppf((1 + level) / 2, self.degrees))
        return self.value - reach, self.value + reach

    def mapped_interval(self, increasing: Callable[[float], float], level: float = LEVEL) -> tuple[float, float]:
        """The interval of an increasing function of the number: that function of the ends, with the same coverage."""
        low, high = self.interval(level)
        return increasing(low), increasing(high)


def jackknife(value: float, replicates: npt.ArrayLike) -> Estimate:
    """The delete-one jackknife.

    SE^2 = (F - 1) / F * sum_f (theta_-f - mean)^2, with t quantiles of F - 1 degrees of freedom.

    Args:
        value: theta, from all folds (or speakers).
        replicates: (F,) theta_-f, the same computed anew without fold f.

    Reference:
        Efron & Tibshirani 1993, "An Introduction to the Bootstrap", eq. 11.5.
    """
    thetas = np.asarray(replicates, dtype=np.float64)
    count = len(thetas)
    if count < 2:
        raise ValueError(f"{count} replicates: a jackknife needs at least two")
    squares = np.square(thetas - thetas.mean()).sum()
    return Estimate(float(value), float(np.sqrt((count - 1) / count * squares)), count - 1, thetas)


def paired_difference(a: Estimate, b: Estimate) -> Estimate:
    """The difference a - b of two jackknifed numbers from the same folds.

    What the folds have in common (speakers, sentences) cancels: the standard error is that of the differences
    theta_-f(a) - theta_-f(b), not the sum of both.

    Args:
        a, b: with replicates that leave out the same folds in the same order: two taps, two models, two measures.
    """
    if a.replicates is None or b.replicates is None or len(a.replicates) != len(b.replicates):
        raise ValueError("a paired difference needs the replicates of both numbers, over the same folds")
    return jackknife(a.value - b.value, a.replicates - b.replicates)


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
    return Estimate(float(scores.mean()), float(error), count - 1)
