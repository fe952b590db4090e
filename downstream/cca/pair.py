"""A pair of views in folds: what a cross-validation fits, and what it scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from threading import RLock
from typing import Protocol

from s3prl_plugin.analysis.statistics.view_moments import Array, Moments, ViewMoments
from s3prl_plugin.downstream.cca.canonical import (
    Dimensions,
    Precision,
    Whitener,
    Whitening,
    correlations,
    determined,
    precision,
    whiten,
)
from s3prl_plugin.downstream.cca.regression import Regression
from s3prl_plugin.downstream.cca.split import Fitted, fit_whitened

LeftOut = frozenset[int]


class FoldedView:
    """One view's moments in every fold, and what whitens them: computed once, used with every partner.

    Pass the same object to every pair that the view is in (a layer with mel and with the base layer; mel with every
    layer of one stride). It keeps a (d, d) matrix for every training set asked for, of either kind: F of them for a
    cross-validation, F (F - 1) / 2 more for a jackknife.

    Args:
        folds: per fold.
        ridge: see `canonical.whiten`.
        whitener: another way to whiten, which knows no ridge; None for `canonical.whiten`.
    """

    def __init__(self, folds: Sequence[ViewMoments], ridge: float = 0.0, whitener: Whitener | None = None):
        self.folds = tuple(folds)
        self.ridge = ridge
        self._whitener = whitener
        self._whitening: dict[LeftOut, Whitening] = {}
        self._precision: dict[LeftOut, Precision] = {}
        self._lock = RLock()  # taps that share a view are scored side by side

    @cached_property
    def whole(self) -> ViewMoments:
        """The moments of all folds."""
        return ViewMoments.merge(self.folds)

    def training(self, left_out: LeftOut) -> ViewMoments:
        """The moments of all folds but those left out: cheaper to take off the whole again than to keep."""
        found = self.whole.less([self.folds[i] for i in sorted(left_out)])
        return found or ViewMoments.merge([fold for i, fold in enumerate(self.folds) if i not in left_out])

    def whitening(self, left_out: LeftOut) -> Whitening:
        """The whitening fitted on all folds but those left out."""
        with self._lock:
            if left_out not in self._whitening:
                self._whitening[left_out] = self._whiten(left_out)
            return self._whitening[left_out]

    def precision(self, left_out: LeftOut) -> Precision:
        """The inverse scatter of all folds but those left out; the whitening that it takes is not kept."""
        with self._lock:
            if left_out not in self._precision:
                known = self._whitening.get(left_out)
                if known or self._whitener:
                    self._precision[left_out] = (known or self._whiten(left_out)).precision()
                else:
                    self._precision[left_out] = precision(self.training(left_out), self.ridge, self._determined)
            return self._precision[left_out]

    @cached_property
    def _determined(self) -> Dimensions:
        """The dimensions that others determine in all rows, and so in those of any training set."""
        return determined(self.whole, self.ridge)

    def _whiten(self, left_out: LeftOut) -> Whitening:
        training = self.training(left_out)
        return self._whitener(training) if self._whitener else whiten(training, self.ridge)


class FoldedPair(Protocol):
    """A pair of views whose folds can be left out of training and scored.

    Attributes:
        sizes: rows per fold.
        d: the dimension of view x.
        k_max: directions that there can be, of the smaller view.
    """

    @property
    def sizes(self) -> list[int]: ...

    @property
    def d(self) -> int: ...

    @property
    def k_max(self) -> int: ...

    def fit(self, left_out: LeftOut, k: int) -> Fitted:
        """The canonical directions of all folds but those left out.

        Args:
            left_out: numbers of folds.
            k: the number of directions that count.

        Raises:
            Refused: a view is constant, or k is 0.
        """
        ...

    def regression(self, left_out: LeftOut) -> Regression:
        """Both views regressed on each other over all folds but those left out.

        Raises:
            Refused: a view is constant.
        """
        ...

    def held_out(self, fold: int, left_out: LeftOut) -> Moments:
        """The moments that a fold of `left_out` is scored on."""
        ...

    def whitened_by(self, whitener: Whitener) -> FoldedPair:
        """The same pair, whitened another way."""
        ...


class PairOfViews:
    """Two views as they are.

    Args:
        folds: joint moments per fold; x is the layer's view, y the reference.
        x, y: the views' whitenings, shared with other pairs; made here when absent.
        ridge: of whitenings that are made here.
    """

    def __init__(
        self, folds: Sequence[Moments], x: FoldedView | None = None, y: FoldedView | None = None, ridge: float = 0.0
    ):
        self.folds = tuple(folds)
        self.x = x or FoldedView([fold.x for fold in folds], ridge)
        self.y = y or FoldedView([fold.y for fold in folds], ridge)

    @property
    def sizes(self) -> list[int]:
        """See `FoldedPair`."""
        return [fold.n for fold in self.folds]

    @property
    def d(self) -> int:
        """See `FoldedPair`."""
        return self.folds[0].x.dim

    @property
    def k_max(self) -> int:
        """See `FoldedPair`."""
        return min(self.folds[0].x.dim, self.folds[0].y.dim)

    def fit(self, left_out: LeftOut, k: int) -> Fitted:
        """See `FoldedPair`."""
        cross = self._training_cross(left_out)
        y_training = self.y.training(left_out)
        fitted = fit_whitened(self.x.whitening(left_out), self.y.whitening(left_out), cross, y_training, k)
        if self.x.ridge or self.y.ridge:
            training = Moments(self.x.training(left_out), y_training, cross)
            fitted = replace(fitted, train_correlations=correlations(fitted.directions, training))
        return fitted

    def regression(self, left_out: LeftOut) -> Regression:
        """See `FoldedPair`."""
        n = sum(fold.n for i, fold in enumerate(self.folds) if i not in left_out)
        return Regression.of(self.x.precision(left_out), self.y.precision(left_out), self._training_cross(left_out), n)

    def held_out(self, fold: int, left_out: LeftOut) -> Moments:
        """See `FoldedPair`."""
        return self.folds[fold]

    @cached_property
    def _whole(self) -> Moments:
        """The moments of all folds."""
        return Moments(self.x.whole, self.y.whole, Moments.merge_cross(self.folds))

    def _training_cross(self, left_out: LeftOut) -> Array:
        """The cross scatter of all folds but those left out."""
        return self._whole.cross_less([self.folds[i] for i in sorted(left_out)])

    def whitened_by(self, whitener: Whitener) -> PairOfViews:
        """See `FoldedPair`."""
        x, y = (FoldedView(view.folds, whitener=whitener) for view in (self.x, self.y))
        return PairOfViews(self.folds, x, y)
