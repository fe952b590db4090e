"""One training set and what its canonical directions score on held-out rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from s3prl_plugin.analysis.planning.sampling import stream
from s3prl_plugin.analysis.statistics.view_moments import Array, Moments, ViewMoments
from s3prl_plugin.downstream.cca.canonical import Directions, Whitening, correlations, fit
from s3prl_plugin.inference.refusal import Refused


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """The canonical directions of a training set, and what the scores need of it.

    Attributes:
        directions: at most k.
        train_correlations: of them.
        weights: PWCCA's, not normalised: rowsum |B Syy|, the sum over all dimensions of y of the covariances with each
            canonical variate of y. From training moments, so that test noise does not choose the weights.
        k: the number of directions that count.
    """

    directions: Directions
    train_correlations: Array
    weights: Array
    k: int

    def score(self, held_out: Moments) -> Split:
        """These directions on held-out rows."""
        r = correlations(self.directions, held_out)
        return Split(
            correlations=_padded(r, self.k),
            train_correlations=_padded(self.train_correlations, self.k),
            weights=_padded(self.weights, self.k),
            found=len(r),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Directions fitted on some folds and scored on one other; directions that are missing are zeros.

    Attributes:
        correlations: (k,) held-out.
        train_correlations: (k,).
        weights: (k,) of PWCCA, not normalised.
        found: the number of directions that exist.
    """

    correlations: Array
    train_correlations: Array
    weights: Array
    found: int

    @property
    def r(self) -> float:
        """The mean held-out correlation."""
        return float(self.correlations.mean())

    @property
    def pwcca(self) -> float:
        """The weighted mean of the held-out correlations; a missing direction has the mean weight of the others."""
        total = self.weights.sum()
        share = self.found / len(self.weights)
        return float(self.weights @ self.correlations / total * share) if total > 0 else 0.0


def fit_whitened(x: Whitening, y: Whitening, xy: Array, y_training: ViewMoments, k: int) -> Fitted:
    """The directions of two whitened views.

    Args:
        x, y: whitenings of the training rows.
        xy: (d_x, d_y) training cross scatter.
        y_training: training moments of y.
        k: the number of directions that count: classes - 1, or the dimension of y.

    Raises:
        Refused: a view is constant, or k is 0.
    """
    if k < 1:
        raise Refused("one class only: there is nothing to correlate with; at least two classes are needed")
    for name, view in (("first", x), ("second", y)):
        if not view.rank:
            raise Refused(f"the {name} view is constant over the training rows: it correlates with nothing")
    directions = fit(x, y, xy).first(k)
    weights = np.abs(directions.y @ y_training.scatter).sum(axis=1)
    return Fitted(directions, directions.correlations, weights, k)


def _padded(values: Array, k: int) -> Array:
    """Zeros for missing directions."""
    return np.pad(values, (0, k - len(values)))


def stratified(label: np.ndarray, folds: int, seed: int) -> np.ndarray:
    """(n,) random folds that share out every label as evenly as can be."""
    fold = np.empty(len(label), dtype=np.int64)
    draw = stream(seed, "published", "segments")
    for value in np.unique(label):
        mine = draw.permutation(np.flatnonzero(label == value))
        fold[mine] = (np.arange(len(mine)) + draw.integers(folds)) % folds
    return fold
