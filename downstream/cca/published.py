"""The published protocol: regularised CCA and PWCCA as the reference tool computes them, from moments.

It is here to compare with published numbers. Its PWCCA changes with a feature's offset and with the signs of singular
vectors, and its folds split neighbouring frames: `downstream.cca.default` has none of this.

Reference:
    Pasad, Shi & Livescu 2023, "Comparative layer-wise analysis of self-supervised speech models", arXiv 2211.03929,
    as its public tool (github.com/ankitapasad/layerwise-analysis, c030f2a) executes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.linalg

from s3prl_plugin.analysis.statistics.view_moments import Array, Moments, ViewMoments
from s3prl_plugin.downstream.cca.canonical import Directions, correlations, varying
from s3prl_plugin.inference.refusal import Refused

Epsilon = tuple[float, float]
Mask = npt.NDArray[np.bool_]

EPSILONS: tuple[Epsilon, ...] = tuple((a, b) for a in (1e-9, 1e-10, 1e-11) for b in (1e-9, 1e-10, 1e-11))
PSEUDO_INVERSE_CUTOFF = 1e-15  # of the largest eigenvalue: below, a direction is left out


@dataclass(frozen=True, slots=True, eq=False)
class PublishedFit:
    """Directions over the dimensions that were kept.

    Attributes:
        directions: over kept dimensions only.
        kept_x: (d_x,) whether a dimension's variance over the largest one reaches epsilon.
        kept_y: (d_y,).
    """

    directions: Directions
    kept_x: Mask
    kept_y: Mask


@dataclass(frozen=True, slots=True, eq=False)
class PublishedScores:
    """What a fit scores on some rows.

    Attributes:
        correlations: (k,) per direction.
        score: PWCCA weighted by the view that kept fewer dimensions, by view y on a tie.
        pwcca_x, pwcca_y: weighted by either view.
    """

    correlations: Array
    score: float
    pwcca_x: float
    pwcca_y: float

    @property
    def mean_score(self) -> float:
        """The mean over both weightings (the tool's `mean_score`)."""
        return (self.pwcca_x + self.pwcca_y) / 2


class PublishedFitter:
    """Fits for several epsilons on the same training rows: one eigendecomposition per view, one SVD per epsilon.

    Args:
        train: joint moments of the training rows.

    Raises:
        Refused: a view is constant.
    """

    def __init__(self, train: Moments):
        self.train = train
        self._views = (_ScaledView(train.x), _ScaledView(train.y))

    def fit(self, epsilon: Epsilon) -> PublishedFit:
        """Directions for one pair of epsilons: dimensions below them are dropped, then they are added to the diagonal.

        Args:
            epsilon: for x and y, relative to the largest variance of the view.

        Raises:
            Refused: epsilon drops all of a view.
            LinAlgError: the decomposition does not converge.
        """
        kept, whitened = zip(*(view.whitening(e) for view, e in zip(self._views, epsilon, strict=True)), strict=True)
        scale = (self.train.n - 1) * np.sqrt(self._views[0].largest * self._views[1].largest)
        cross = self.train.xy[np.ix_(*kept)] / scale
        # The symmetric root, since PWCCA depends on the signs that the SVD of this very matrix gives.
        u, s, vt = np.linalg.svd(whitened[0] @ cross @ whitened[1], full_matrices=False)
        return PublishedFit(Directions(u.T @ whitened[0], vt @ whitened[1], s), *kept)


def evaluate(fit: PublishedFit, moments: Moments) -> PublishedScores:
    """Correlations and PWCCA of a fit on any rows, from their moments.

    Args:
        fit: on training rows.
        moments: of the rows to score.

    Raises:
        LinAlgError: there are fewer rows than directions, from which the tool's weights do not follow.
    """
    x, y = _kept(moments.x, fit.kept_x), _kept(moments.y, fit.kept_y)
    rows = Moments(x, y, moments.xy[np.ix_(fit.kept_x, fit.kept_y)])
    r = correlations(fit.directions, rows, floor=0.0)
    pwcca_x, pwcca_y = _weights(fit.directions.x, x) @ r, _weights(fit.directions.y, y) @ r
    return PublishedScores(r, float(pwcca_x if x.dim < y.dim else pwcca_y), float(pwcca_x), float(pwcca_y))


def cross_validate_published(
    folds: Sequence[Moments],
    trials: Sequence[tuple[int, int]],
    epsilons: Sequence[Epsilon] = EPSILONS,
) -> list[PublishedScores]:
    """The scores of every trial; the tool reports the mean of `score` over them.

    Args:
        folds: joint moments per fold.
        trials: (dev, test) folds; the others train.
        epsilons: the pairs tried, of which the one with the highest score on dev is taken; the tool draws six of
            `EPSILONS` for every trial.
    """
    results = []
    for dev, test in trials:
        fitter = PublishedFitter(Moments.merge([fold for i, fold in enumerate(folds) if i not in (dev, test)]))
        best = max((fitter.fit(epsilon) for epsilon in epsilons), key=lambda fit: evaluate(fit, folds[dev]).score)
        results.append(evaluate(best, folds[test]))
    return results


class _ScaledView:
    """A view's training covariance over its largest entry, and the eigenvectors of its kept part."""

    def __init__(self, view: ViewMoments):
        covariance = view.scatter / (view.n - 1)
        self.largest = float(np.abs(covariance).max())
        self.covariance = covariance / (self.largest or 1.0)
        if not varying(view).any():
            raise Refused("a view is constant over the training rows: it correlates with nothing")
        self._spectra: dict[bytes, tuple[Array, Array]] = {}
        self._whitenings: dict[float, tuple[Mask, Array]] = {}

    def whitening(self, epsilon: float) -> tuple[Mask, Array]:
        """Which dimensions are kept, and the symmetric inverse root of covariance + epsilon I over these."""
        if epsilon not in self._whitenings:
            self._whitenings[epsilon] = self._whiten(epsilon)
        return self._whitenings[epsilon]

    def _whiten(self, epsilon: float) -> tuple[Mask, Array]:
        kept = np.abs(np.diag(self.covariance)) >= epsilon
        if not kept.any():
            raise Refused(f"epsilon {epsilon:g} is above every variance of a view: nothing is left to correlate")
        key = kept.tobytes()
        if key not in self._spectra:
            self._spectra[key] = np.linalg.eigh(self.covariance[np.ix_(kept, kept)])
        values, vectors = self._spectra[key]
        values = values + epsilon
        usable = values > PSEUDO_INVERSE_CUTOFF * values.max()
        inverse_roots = np.where(usable, 1 / np.sqrt(np.where(usable, values, 1.0)), 0.0)
        return kept, (vectors * inverse_roots) @ vectors.T


def _kept(view: ViewMoments, kept: Mask) -> ViewMoments:
    """The moments of some dimensions."""
    return ViewMoments(view.n, view.mean[kept], view.scatter[np.ix_(kept, kept)])


def _weights(directions: Array, view: ViewMoments) -> Array:
    """The published PWCCA weights, normalised.

    The tool adds the mean of neuron i to direction i, orthogonalises the directions' outputs in order, and sums the
    absolute products with the first k neurons: rowsum |inv(L) (A_k S[:, :k] + n m_k m_k')| with
    L L' = A_k S A_k' + n m_k m_k', where m_k is the mean of the first k neurons.
    """
    k = len(directions)
    offsets = view.n * np.outer(view.mean[:k], view.mean[:k])
    projected = directions @ view.scatter
    gram = projected @ directions.T + offsets
    factor = np.linalg.cholesky((gram + gram.T) / 2)
    products = scipy.linalg.solve_triangular(factor, projected[:, :k] + offsets, lower=True)
    weights = np.abs(products).sum(axis=1)
    return weights / weights.sum()
