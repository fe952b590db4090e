"""The default protocol: cross-validated CCA from fold moments, nothing regularised, nothing tuned.

With k directions, F folds, and for each held-out fold f the directions fitted on all the others:

    r         = mean over f and i of r_fi, the held-out correlations: a lower bound that rises with the amount of data
    corrected = sign(r) sqrt(s |r|), s = mean over f and i of s_fi, the same directions' training correlations: where
                the training correlation errs upwards, the held-out one errs downwards by as much (to first order)
    pwcca     = mean over f of sum_i w_fi r_fi / sum_i w_fi, w_f = rowsum |B_f Syy| from the training moments

`corrected` estimates the mean canonical correlation, whatever the variances of the views' dimensions, since nothing
depends on them; but how well depends on how the canonical correlations are spread. It comes out too high where they are
very unequal, as a product of means is not the mean of products, and too low where all are equal. Planted correlations
of 38 directions, layers of 128 dimensions, error against the true mean at 3, 5 and 14 rows per dimension:

                                     `corrected`             mean of `Scores.corrected_spectrum`
    evenly from .95 to .15             0,   0,   0 %          -2,  -2,   0 %
    all .55                           -6,  -4,  -1 %          -7,  -4,  -1 %
    .95 exp(-i / 10)                 +21, +15,  +9 %          +3,  -5,   0 %
    .95 to .15, and 19 of 38 zero    +34, +26, +19 %         +15,  +1,  +5 %
    5 of .9 and 33 of .1             +37, +23, +11 %         -13, -25,  -9 %

`spectrum: true` writes the spectra, which show which of these it is like.

k is fixed (classes - 1, or the reference view's dimension); directions that a view is too small to have count 0, since
dropping dimensions would otherwise raise the mean.

Reference:
    Pasad, Shi & Livescu 2023, "Comparative layer-wise analysis of self-supervised speech models", arXiv 2211.03929;
    Morcos, Raghu & Bengio 2018, "Insights on representational similarity in neural networks with canonical
    correlation", eq. 4 (the weights).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from s3prl_plugin.analysis import intervals
from s3prl_plugin.analysis.intervals import Estimate, signed_root
from s3prl_plugin.analysis.statistics.view_moments import Array, Moments
from s3prl_plugin.downstream.cca.folded_view import FoldedView
from s3prl_plugin.downstream.cca.pair import FoldedPair, PairOfViews
from s3prl_plugin.downstream.cca.split import Split
from s3prl_plugin.downstream.cca.validation import Validation


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """Cross-validated scores of one pair of views.

    Attributes:
        r, corrected, pwcca: see above.
        train_r: mean training correlation.
        correlations, train_correlations: (F, k) per held-out fold and direction.
        weights: (F, k) PWCCA's.
        per_fold_pwcca: (F,).
        n: rows scored, over all folds; n_train: rows of the smallest training set.
        n_over_d: training rows over the dimension of view x.
    """

    r: float
    corrected: float
    pwcca: float
    train_r: float
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
    def product(self) -> float:
        """Mean training times mean held-out correlation: `corrected` before the signed root; what tests are done on."""
        return self.train_r * self.r

    @property
    def per_fold_r(self) -> Array:
        """(F,) the mean correlation on each held-out fold."""
        return self.correlations.mean(axis=1)

    @property
    def spectrum(self) -> Array:
        """(k,) held-out correlation per direction, in order of falling training correlation."""
        return self.correlations.mean(axis=0)

    @property
    def corrected_spectrum(self) -> Array:
        """(k,) `corrected` per direction: sign(r_i) sqrt(s_i |r_i|), s_i and r_i means over folds."""
        return np.sign(self.spectrum) * np.sqrt(self.train_correlations.mean(axis=0) * np.abs(self.spectrum))

    def fast(self, score: str) -> Estimate:
        """`r` or `pwcca` with Nadeau and Bengio's interval, which needs no further fits."""
        per_fold = {"r": self.per_fold_r, "pwcca": self.per_fold_pwcca}
        if score not in per_fold:
            raise ValueError(f"no fast interval for {score!r}: only for r and pwcca, others need `jackknife`")
        return intervals.nadeau_bengio(per_fold[score])


@dataclass(frozen=True, slots=True, eq=False)
class Jackknifed:
    """Cross-validated scores with delete-one-fold jackknife estimates.

    Attributes:
        scores: from all folds.
        r, corrected, pwcca: with replicates, for `intervals.paired_difference`.
        product: `corrected` before the signed root.
    """

    scores: Scores
    r: Estimate
    corrected: Estimate
    pwcca: Estimate
    product: Estimate

    def interval(self, score: str, level: float = intervals.LEVEL) -> tuple[float, float]:
        """(low, high) of `corrected`, `r` or `pwcca`.

        That of `corrected` is the signed root of the product's, since the root turns a product near zero into +-.05.
        """
        if score == "corrected":
            return self.product.mapped_interval(signed_root, level)
        return {"r": self.r, "pwcca": self.pwcca}[score].interval(level)


def cross_validate(
    folds: Sequence[Moments],
    k: int,
    *,
    x: FoldedView | None = None,
    y: FoldedView | None = None,
    ridge: float = 0.0,
) -> Scores:
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


def cross_validate_pair(pair: FoldedPair, k: int) -> Scores:
    """`cross_validate` for any pair of views, such as one with something held constant."""
    return _scores(Validation(pair, k))


def jackknife_pair(pair: FoldedPair, k: int) -> Jackknifed:
    """`jackknife` for any pair of views, such as one with something held constant."""
    validation = Validation(pair, k)
    scores = _scores(validation)
    train_r, r, pwcca = np.array([_means(splits) for splits in validation.without_each()]).T
    product = train_r * r
    return Jackknifed(
        scores,
        intervals.jackknife(scores.r, r),
        intervals.jackknife(scores.corrected, np.array([signed_root(p) for p in product])),
        intervals.jackknife(scores.pwcca, pwcca),
        intervals.jackknife(scores.product, product),
    )


def _scores(validation: Validation) -> Scores:
    """Every fold held out in turn."""
    splits = validation.whole()
    train_r, r, pwcca = _means(splits)
    sizes = validation.pair.sizes
    scored = [sizes[i] for i in validation.scored]
    n_train = sum(sizes) - max(scored)
    return Scores(
        r=r,
        corrected=signed_root(train_r * r),
        pwcca=pwcca,
        train_r=train_r,
        correlations=np.stack([split.correlations for split in splits]),
        train_correlations=np.stack([split.train_correlations for split in splits]),
        weights=np.stack([split.weights for split in splits]),
        per_fold_pwcca=np.array([split.pwcca for split in splits]),
        n=sum(scored),
        n_train=n_train,
        n_over_d=n_train / validation.pair.d,
    )


def _means(splits: Sequence[Split]) -> tuple[float, float, float]:
    """Mean training correlation, mean held-out correlation and PWCCA over splits."""
    means = np.mean([(split.train_r, split.r, split.pwcca) for split in splits], axis=0)
    return float(means[0]), float(means[1]), float(means[2])
