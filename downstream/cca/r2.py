"""R2_CCA, the mean squared canonical correlation of two views, estimated without bias by cross-validation.

    R2 = (1 / k) sum_i rho_i^2,  k the rank of the reference view

is the share of the whitened reference (mel, one-hot labels, a base layer) that the layer predicts linearly: from 0 to
1, and the same under any invertible map of either view. Directions that the layer does not have count 0.

The squared *training* correlations are too high, the more so the fewer rows there are. So each direction's training
correlation s_i is multiplied by the covariance c_i of the same two variates on the fold that is held out, in units of
the training variances. Neither knows of the other's noise. With T the moments of the training folds and f the fold,

    U_f = sum_i s_i c_i = <inv(Txx) Txy inv(Tyy), Sxy_f> (n_T - 1) / (n_f - 1)

needs no singular value decomposition: it is a regression of either view on the other, seen from the fold. What is left
is that held-out variances of whitened variates are above 1. That says how many independent rows the data are worth,
which need not be as many as there are (neighbouring frames):

    t_xf = <inv(Txx), Sxx_f> (n_T - 1) / (n_f - 1) / p,   1 / n_xf = (1 - 1 / t_xf) / p,   1 / n_yf likewise
    r2 = mean_f U_f / (1 + max(0, U_f) / n_f) / k,   1 / n_f = (1 / n_xf + 1 / n_yf) / 2

with p and q the ranks of x and y in training. Every fold goes by its own variances, so that one with a row far outside
of what training has seen (t may then be a hundred) does not decide alone, and a view with itself, whose U_f is p t_f,
has exactly 1. The estimate may come out slightly below 0, which is left as it is. The smaller of n_x / p and n_y / q,
with the means over folds of 1 - 1 / t, says whether the data suffice: refused below 1.3, grey below 3.

Planted truth (`python -m benchmarks.planted_r2 rows --draws 50`), 38 directions, layers of 64, 128 and 256
dimensions, independent rows: bias in % of the truth at 2, 3, 5 and 14 rows per dimension. Intervals over folds cover
the truth in 96 to 100 %.

    evenly from .95 to .15           +0.3 to +0.9     +0.1 to +0.2     -0.1 to +0.1      0.0 to +0.1
    all .55                          +0.4 to +1.1     -0.9 to +0.6     -0.1 to +0.2     -0.2 to +0.1
    .95 to .15, and 19 of 38 zero    -1.6 to +1.0     -0.1 to +0.4     -0.6 to +0.6     -0.1 to +0.3
    5 of .9 and 33 of .1             -1.6 to +0.6     -1.2 to -0.1     +0.3 to +1.0     -0.2, to d 128

The same signal in the same rows, in 256 dimensions less in 64 (`widths`, 400 draws, five spectra): +.0003 on average,
called different in 2 to 5 %. Labels of Zipf's frequencies, null directions, a condition of 1e6 with huge dimensions, as
many directions as dimensions and more (`hard`, 100 draws): -0.3 to +0.2 %. Frames that depend on each other (AR .8) of
24 and 40 speakers (`speakers`, 20 draws): -1.8 to +0.9 %, with speaker offsets of .33 sd in either view -0.3 to +4.2 %
of the pooled truth, which counts them as variance; of the truth within a speaker, which is higher, about -15 %. A
further factor for the mean that a fold takes off itself was tried: it moves the former to between 0 and +1.3 %, and
adds 1 to 3 % to the latter, so it is left out.

Reference:
    Kornblith, Norouzi, Lee & Hinton 2019, "Similarity of Neural Network Representations Revisited", table 1 (R2_CCA);
    Hooper 1959, "Simultaneous Equations and Canonical Correlation Theory", Econometrica 27 (trace correlation).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from s3prl_plugin.analysis.statistics.view_moments import Array
from s3prl_plugin.downstream.cca.pair import FoldedPair
from s3prl_plugin.downstream.cca.regression import R2Split
from s3prl_plugin.downstream.cca.validation import Validation
from s3prl_plugin.inference import intervals
from s3prl_plugin.inference.intervals import Estimate
from s3prl_plugin.inference.refusal import Verdict, effective_limit

LEAST_VARIANCE = 0.5  # t of a fold of a few rows that hardly vary


@dataclass(frozen=True, slots=True, eq=False)
class R2:
    """The mean squared canonical correlation of two views.

    Attributes:
        per_fold: (F,) what each held-out fold says; their mean is the estimate.
        k: the number of directions that it is a mean over.
        ranks: of x and y in training.
        n: rows scored, over all folds; n_train: rows of the smallest training set.
        n_eff_over_d: independent rows per dimension that the training rows are worth, of the view that has fewer.
        dropped: rows left out because their label is in too few folds.
    """

    per_fold: Array
    k: int
    ranks: tuple[int, int]
    n: int
    n_train: int
    n_eff_over_d: float
    dropped: int = 0

    @property
    def value(self) -> float:
        """The estimate."""
        return float(self.per_fold.mean())

    @property
    def estimate(self) -> Estimate:
        """With Nadeau and Bengio's standard error, which needs no further fits."""
        return intervals.nadeau_bengio(self.per_fold)

    def interval(self, level: float = intervals.LEVEL) -> tuple[float, float]:
        """(low, high), over folds."""
        return self.estimate.interval(level)

    @property
    def limit(self) -> Verdict:
        """Whether there are enough effective rows per dimension."""
        return effective_limit(self.n_eff_over_d)

    def turned(self) -> R2:
        """With x as the reference: the same sum, as a mean over the directions of x."""
        p, q = self.ranks
        return replace(self, per_fold=self.per_fold * self.k / p, k=p, ranks=(q, p))


def cross_validate(pair: FoldedPair, k: int | None = None) -> R2:
    """The mean squared canonical correlation, each fold held out in turn.

    Args:
        pair: of views; y is the reference.
        k: the number of directions to take the mean over; None for the rank of y in training.

    Raises:
        Refused: fewer than three folds have rows, or a view is constant.
    """
    validation = Validation(pair)
    splits = validation.whole(pair.regression)
    ranks = max(split.p for split in splits), max(split.q for split in splits)
    k = k or ranks[1]
    per_fold, n_eff_over_d = estimated(splits, k)
    sizes = [pair.sizes[i] for i in validation.scored]
    return R2(per_fold, k, ranks, sum(sizes), sum(pair.sizes) - max(sizes), n_eff_over_d)


def jackknife(pair: FoldedPair, found: R2) -> Estimate:
    """The same with a delete-one-fold jackknife: F (F - 1) / 2 further fits.

    Args:
        pair: of views.
        found: of the same pair.

    Raises:
        Refused: fewer than four folds have rows.
    """
    without = Validation(pair).without_each(pair.regression)
    return intervals.jackknife(found.value, [estimated(splits, found.k)[0].mean() for splits in without])


def estimated(splits: Sequence[R2Split], k: int) -> tuple[Array, float]:
    """(F,) the estimate of every fold, and the effective rows per dimension of the view that has fewer; see above.

    They are never more than the rows: of fewer rows than dimensions t says nothing, as all of them are fitted.

    Args:
        splits: one per held-out fold.
        k: the number of directions.
    """
    u = np.array([split.u for split in splits])
    p, q, n = (np.mean([getattr(split, name) for split in splits]) for name in ("p", "q", "n"))
    t = np.maximum([(split.t_x, split.t_y) for split in splits], LEAST_VARIANCE)
    d_over_n = 1 - 1 / t
    shrinkage = 1 + np.maximum(0.0, u) * (d_over_n / (p, q)).mean(axis=1)
    return u / shrinkage / k, float(1 / max(*d_over_n.mean(axis=0), p / n, q / n))
