"""A pair of views in folds: what a cross-validation fits, and what it scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from s3prl_plugin.analysis.statistics.view_moments import Moments
from s3prl_plugin.downstream.cca.canonical import Whitener, correlations
from s3prl_plugin.downstream.cca.folded_view import FoldedView, LeftOut
from s3prl_plugin.downstream.cca.regression import Regression
from s3prl_plugin.downstream.cca.split import Fitted, fit_whitened


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
        cross = Moments.merge_cross([fold for i, fold in enumerate(self.folds) if i not in left_out])
        y_training = self.y.training(left_out)
        fitted = fit_whitened(self.x.whitening(left_out), self.y.whitening(left_out), cross, y_training, k)
        if self.x.ridge or self.y.ridge:
            training = Moments(self.x.training(left_out), y_training, cross)
            fitted = replace(fitted, train_correlations=correlations(fitted.directions, training))
        return fitted

    def regression(self, left_out: LeftOut) -> Regression:
        """See `FoldedPair`."""
        training = [fold for i, fold in enumerate(self.folds) if i not in left_out]
        n = sum(fold.n for fold in training)
        x, y = self.x.precision(left_out), self.y.precision(left_out)
        return Regression.of(x, y, Moments.merge_cross(training), n)

    def held_out(self, fold: int, left_out: LeftOut) -> Moments:
        """See `FoldedPair`."""
        return self.folds[fold]

    def whitened_by(self, whitener: Whitener) -> PairOfViews:
        """See `FoldedPair`."""
        x, y = (FoldedView(view.folds, whitener=whitener) for view in (self.x, self.y))
        return PairOfViews(self.folds, x, y)
