"""Partial CCA: the correlation of two views that is left when something else is held constant.

What the control z explains of the views is taken out by regression, with coefficients from the training folds only:
Gamma = Swz inv(Szz) for w = [x; y], and the residual scatter of any rows is Sww - Gamma Szw - Swz Gamma' +
Gamma Szz Gamma'. All of it is a function of the folds' moments.

Reference:
    Rao 1969, "Partial canonical correlations"; Timm & Carlson 1976, "Part and bipartial canonical correlation
    analysis", Psychometrika 41.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from s3prl_plugin.analysis.planning.labels import one_hot, quantile_of
from s3prl_plugin.analysis.planning.plan import Plan
from s3prl_plugin.analysis.planning.sample import Sample
from s3prl_plugin.analysis.statistics.view_moments import Array, Moments, ViewMoments
from s3prl_plugin.downstream.cca.canonical import Whitener, whiten
from s3prl_plugin.downstream.cca.pair import LeftOut
from s3prl_plugin.downstream.cca.regression import Regression
from s3prl_plugin.downstream.cca.split import Fitted, fit_whitened

CONTROLS = ("duration", "speaker")


def control_view(names: Sequence[str], sample: Sample, rows: np.ndarray) -> Array:
    """The view z of some segments: the one-hot columns of every control side by side.

    "duration" is the decile of the log duration (which is the decile of the duration), so that no shape of its effect
    is assumed; the alignment's durations are coarse, and equal ones are never divided. "speaker" is the speaker.

    Args:
        names: some of `CONTROLS`.
        sample: of segments.
        rows: (n,) row numbers of the sample.

    Returns:
        (n, d_z) ones and zeros.
    """
    segment = sample.segment[rows]
    codes = {
        "duration": lambda: quantile_of(sample.alignment.end[segment] - sample.alignment.start[segment]),
        "speaker": lambda: sample.speaker[rows],
    }
    columns = [codes[name]() for name in names]
    return np.column_stack([one_hot(code, np.unique(code)) for code in columns])


def lacks_control(names: Sequence[str], plan: Plan) -> str | None:
    """Why something cannot be held constant under a plan's folds, if so.

    Args:
        names: some of `CONTROLS`.
        plan: the run's.
    """
    if "speaker" in names and plan.folds.split_by == "speaker":
        return (
            "folds are by speaker, so what a held-out speaker explains cannot be learned from the training folds; "
            "split_by: utterance would allow it (and would have speakers in training and test alike)"
        )
    return None


EXPLAINED = 1e-10  # share of a dimension's variance: with less left, the control determines it


class ControlledPair:
    """Two views less what a third one explains of them; a `FoldedPair`.

    A dimension that the control determines is left out like a constant one. Where a control is a function of the labels
    (the frequency of a word), the labels have one null direction more.

    Args:
        folds: joint moments per fold of w = [x; y], the layer's view and the reference side by side, with z.
        d: the dimension of x.
        whitener: whitens the residual views.
    """

    def __init__(self, folds: Sequence[Moments], d: int, whitener: Whitener = whiten):
        self.folds = tuple(folds)
        self._d = d
        self._whitener = whitener
        self._coefficients: dict[LeftOut, Array] = {}

    @property
    def sizes(self) -> list[int]:
        """See `FoldedPair`."""
        return [fold.n for fold in self.folds]

    @property
    def d(self) -> int:
        """See `FoldedPair`."""
        return self._d

    @property
    def k_max(self) -> int:
        """See `FoldedPair`."""
        return min(self._d, self.folds[0].x.dim - self._d)

    def fit(self, left_out: LeftOut, k: int) -> Fitted:
        """See `FoldedPair`."""
        pair = self._training(left_out)
        return fit_whitened(self._whitener(pair.x), self._whitener(pair.y), pair.xy, pair.y, k)

    def regression(self, left_out: LeftOut) -> Regression:
        """See `FoldedPair`."""
        pair = self._training(left_out)
        x, y = (self._whitener(view).precision() for view in (pair.x, pair.y))
        return Regression.of(x, y, pair.xy, pair.n)

    def _training(self, left_out: LeftOut) -> Moments:
        """The residual moments of all folds but those left out, whose coefficients are kept."""
        training = Moments.merge([fold for i, fold in enumerate(self.folds) if i not in left_out])
        self._coefficients[left_out] = gamma = _coefficients(training)
        variance = np.diag(training.x.scatter)
        rest = _residual(training, gamma)
        left = np.diag(rest.scatter) > EXPLAINED * variance
        return _pair(replace(rest, scatter=rest.scatter * np.outer(left, left)), self._d)

    def held_out(self, fold: int, left_out: LeftOut) -> Moments:
        """See `FoldedPair`; the coefficients are those of the last fit without these folds."""
        return _pair(_residual(self.folds[fold], self._coefficients[left_out]), self._d)

    def whitened_by(self, whitener: Whitener) -> ControlledPair:
        """See `FoldedPair`."""
        return ControlledPair(self.folds, self._d, whitener)


def _coefficients(training: Moments) -> Array:
    """(d_w, d_z) Swz inv(Szz), null directions of z left out."""
    whitening = whiten(training.y).map
    return training.xy @ whitening.T @ whitening


def _residual(moments: Moments, gamma: Array) -> ViewMoments:
    """The moments of w - Gamma z on some rows."""
    explained = gamma @ moments.xy.T
    scatter = moments.x.scatter - explained - explained.T + gamma @ moments.y.scatter @ gamma.T
    return ViewMoments(moments.n, moments.x.mean - gamma @ moments.y.mean, scatter)


def _pair(both: ViewMoments, d: int) -> Moments:
    """The moments of [x; y] as those of a pair."""
    x = ViewMoments(both.n, both.mean[:d], both.scatter[:d, :d])
    y = ViewMoments(both.n, both.mean[d:], both.scatter[d:, d:])
    return Moments(x, y, both.scatter[:d, d:])
