"""Canonical correlations on held-out folds: scores that stand beside R2_CCA on request, nothing regularised or tuned.

With k directions, F folds, and for each held-out fold f the directions fitted on all the others:

    r     = mean over f and i of r_fi, the held-out correlations: a lower bound that rises with the amount of data
    pwcca = mean over f of sum_i w_fi r_fi / sum_i w_fi, w_f = rowsum |B_f Syy| from the training moments

Neither can be compared between layers of different width or corpora of different size; `r2` can. k is that of `r2`;
directions that a view is too small to have count 0, since dropping dimensions would otherwise raise the mean.

Reference:
    Pasad, Shi & Livescu 2023, "Comparative layer-wise analysis of self-supervised speech models", arXiv 2211.03929;
    Morcos, Raghu & Bengio 2018, "Insights on representational similarity in neural networks with canonical
    correlation", eq. 4 (the weights).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from s3prl_plugin.analysis.statistics.view_moments import Array, Moments
from s3prl_plugin.downstream.cca.pair import FoldedPair, FoldedView, LeftOut, PairOfViews
from s3prl_plugin.downstream.cca.split import Fitted, Split
from s3prl_plugin.downstream.cca.validation import Validation
from s3prl_plugin.inference import intervals
from s3prl_plugin.inference.intervals import Estimate


@dataclass(frozen=True, slots=True, eq=False)
class HeldOutScores:
    """Cross-validated scores of one pair of views.

    Attributes:
        r, pwcca: see above.
        correlations, train_correlations: (F, k) per held-out fold and direction.
        weights: (F, k) PWCCA's.
        per_fold_pwcca: (F,).
        n: rows scored, over all folds; n_train: rows of the smallest training set.
        n_over_d: training rows over the dimension of view x.
    """

    r: float
    pwcca: float
    correlations: Array
    train_correlations: Array
    weights: Array
    per_fold_pwcca: Array
    n: int
    n_train: int
    n_over_d: float

    @property
    def k(self) -> int:
        """The number of directions."""
        return self.correlations.shape[1]

    @property
    def per_fold_r(self) -> Array:
        """(F,) the mean correlation on each held-out fold."""
        return self.correlations.mean(axis=1)

    @property
    def spectrum(self) -> Array:
        """(k,) held-out correlation per direction, in order of falling training correlation."""
        return self.correlations.mean(axis=0)

    def over_folds(self, score: str) -> Estimate:
        """`r` or `pwcca` with Nadeau and Bengio's interval, which needs no further fits."""
        return intervals.nadeau_bengio({"r": self.per_fold_r, "pwcca": self.per_fold_pwcca}[score])


@dataclass(frozen=True, slots=True, eq=False)
class Jackknifed:
    """Cross-validated scores with delete-one-fold jackknife estimates.

    Attributes:
        scores: from all folds.
        r, pwcca: with replicates.
    """

    scores: HeldOutScores
    r: Estimate
    pwcca: Estimate


def cross_validate(
    folds: Sequence[Moments],
    k: int,
    *,
    x: FoldedView | None = None,
    y: FoldedView | None = None,
    ridge: float = 0.0,
) -> HeldOutScores:
    """Scores of a pair of views, each fold held out in turn.

    Args:
        folds: joint moments per fold; x is the layer's view, y the reference (label, mel, base layer), whose
            dimensions weight PWCCA. Folds of fewer than two rows are trained on and not scored.
        k: the number of directions: classes - 1, or the dimension of y.
        x, y: the views' whitenings, shared with other pairs; made here when absent.
        ridge: of whitenings that are made here; name it beside the scores.

    Raises:
        Refused: fewer than three folds have rows, or a view is constant.
    """
    return cross_validate_pair(PairOfViews(folds, x, y, ridge), k)


def jackknife(
    folds: Sequence[Moments],
    k: int,
    *,
    x: FoldedView | None = None,
    y: FoldedView | None = None,
    ridge: float = 0.0,
) -> Jackknifed:
    """Scores with delete-one-fold jackknife estimates: the whole cross-validation anew without each fold.

    Every training set without two folds is fitted once and scored on both: F (F - 1) / 2 fits beside the F of
    `cross_validate`.

    Args, Raises: as `cross_validate`; four folds at least.
    """
    return jackknife_pair(PairOfViews(folds, x, y, ridge), k)


def cross_validate_pair(pair: FoldedPair, k: int) -> HeldOutScores:
    """`cross_validate` for any pair of views, such as one with something held constant."""
    return _scores(Validation(pair), k)


def jackknife_pair(pair: FoldedPair, k: int) -> Jackknifed:
    """`jackknife` for any pair of views, such as one with something held constant."""
    validation = Validation(pair)
    scores = _scores(validation, k)
    without = validation.without_each(_fit(pair, k))
    r, pwcca = np.array([_means(splits) for splits in without]).T
    return Jackknifed(scores, intervals.jackknife(scores.r, r), intervals.jackknife(scores.pwcca, pwcca))


def _fit(pair: FoldedPair, k: int) -> Callable[[LeftOut], Fitted]:
    """How a pair is fitted to training folds."""
    return lambda left_out: pair.fit(left_out, k)


def _scores(validation: Validation, k: int) -> HeldOutScores:
    """Every fold held out in turn."""
    splits = validation.whole(_fit(validation.pair, k))
    r, pwcca = _means(splits)
    sizes = validation.pair.sizes
    scored = [sizes[i] for i in validation.scored]
    n_train = sum(sizes) - max(scored)
    return HeldOutScores(
        r=r,
        pwcca=pwcca,
        correlations=np.stack([split.correlations for split in splits]),
        train_correlations=np.stack([split.train_correlations for split in splits]),
        weights=np.stack([split.weights for split in splits]),
        per_fold_pwcca=np.array([split.pwcca for split in splits]),
        n=sum(scored),
        n_train=n_train,
        n_over_d=n_train / validation.pair.d,
    )


def _means(splits: Sequence[Split]) -> tuple[float, float]:
    """Mean held-out correlation and PWCCA over splits."""
    r, pwcca = np.mean([(split.r, split.pwcca) for split in splits], axis=0)
    return float(r), float(pwcca)
