"""One view's moments in every fold, whitened once for every training set."""

from __future__ import annotations

from collections.abc import Sequence

from s3prl_plugin.analysis.statistics.view_moments import ViewMoments
from s3prl_plugin.downstream.cca.canonical import Precision, Whitener, Whitening, whiten

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

    def training(self, left_out: LeftOut) -> ViewMoments:
        """The moments of all folds but those left out: cheaper to merge again than to keep."""
        return ViewMoments.merge([fold for i, fold in enumerate(self.folds) if i not in left_out])

    def whitening(self, left_out: LeftOut) -> Whitening:
        """The whitening fitted on all folds but those left out."""
        if left_out not in self._whitening:
            self._whitening[left_out] = self._whiten(left_out)
        return self._whitening[left_out]

    def precision(self, left_out: LeftOut) -> Precision:
        """The inverse scatter of all folds but those left out; the whitening that it takes is not kept."""
        if left_out not in self._precision:
            known = self._whitening.get(left_out)
            self._precision[left_out] = (known or self._whiten(left_out)).precision()
        return self._precision[left_out]

    def _whiten(self, left_out: LeftOut) -> Whitening:
        training = self.training(left_out)
        return self._whitener(training) if self._whitener else whiten(training, self.ridge)
