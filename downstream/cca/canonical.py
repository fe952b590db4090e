"""Canonical correlation analysis from moments: whiten views, fit directions on training rows, score held-out ones.

Reference:
    Hotelling 1936, "Relations between two sets of variates".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.linalg

from s3prl_plugin.analysis.statistics.view_moments import Array, Moments, ViewMoments, mirrored

NULL_EIGENVALUE = 1e-10  # of the largest: a direction with less variance is rounding noise
LEFT_OVER = 1e-10  # of a dimension's variance, once others have explained the rest: it is their combination
CONSTANT = 1e-9  # standard deviation over mean: a dimension with less is a constant
UNSEEN_VARIANCE = 1e-12  # held-out over training scatter: with less, a direction has no correlation

Dimensions = npt.NDArray[np.intp]
NONE: Dimensions = np.array([], dtype=np.intp)


@dataclass(frozen=True, slots=True, eq=False)
class Whitening:
    """A linear map under which a view's training rows are uncorrelated.

    Attributes:
        map: (rank, d); map @ scatter @ map' = I when there is no ridge.
    """

    map: Array

    @property
    def rank(self) -> int:
        """The number of directions that have variance."""
        return self.map.shape[0]

    def precision(self) -> Precision:
        """The inverse of the scatter that it whitens."""
        return Precision(self.map.T @ self.map, self.rank)


@dataclass(frozen=True, slots=True, eq=False)
class Precision:
    """The inverse of a view's training scatter, over the directions that have variance.

    Attributes:
        matrix: (d, d) a generalised inverse; map' @ map of any whitening.
        rank: of the scatter.
    """

    matrix: Array
    rank: int


Whitener = Callable[[ViewMoments], Whitening]
"""A view's training moments -> one of the maps that whiten it."""


@dataclass(frozen=True, slots=True, eq=False)
class Directions:
    """Canonical directions, in order of falling training correlation.

    Attributes:
        x: (k, d_x); row i takes a row of view x to its i-th canonical variate.
        y: (k, d_y).
        correlations: (k,) singular values of the whitened cross scatter; without a ridge, the training correlations.
    """

    x: Array
    y: Array
    correlations: Array

    def first(self, k: int) -> Directions:
        """The first k of them, or all."""
        return Directions(self.x[:k], self.y[:k], self.correlations[:k])


def whiten(view: ViewMoments, ridge: float = 0.0) -> Whitening:
    """A whitening of one view: computed once, used with every partner.

    Dimensions are brought to unit variance first, so that "no variance" does not depend on their units; constant ones
    are left out, and so are directions whose eigenvalue is below 1e-10 of the largest. What is left has the same
    scores under any invertible map of the view, whichever whitening is taken: a triangular one where it is plain what
    is null (several times cheaper), else that of the eigenvectors.

    Args:
        view: training moments.
        ridge: added to the unit variance of every dimension. 0 in the default protocol: a ridge looks good on flat
            spectra and is wrong on steep ones.
    """
    live, scale, correlation = _correlation(view, ridge)
    if not live.size:
        return Whitening(np.zeros((0, view.dim)))
    whitening = _triangular(correlation)
    if whitening is None:
        whitening = _spectral(correlation)
    whole = np.zeros((len(whitening), view.dim))
    whole[:, live] = whitening * scale
    return Whitening(whole)


def determined(view: ViewMoments, ridge: float = 0.0) -> Dimensions:
    """The dimensions that others determine, as the last one of a layer normalisation is, for `precision`.

    Args:
        view, ridge: see `whiten`.
    """
    live, _, correlation = _correlation(view, ridge)
    factor, failed = scipy.linalg.lapack.dpotrf(correlation.T, lower=1, clean=0)
    if not live.size or (not failed and np.diag(factor).min() ** 2 >= LEFT_OVER):
        return live[:0]
    _, pivots, rank, _ = scipy.linalg.lapack.dpstrf(correlation, tol=LEFT_OVER, lower=1)
    return np.sort(live[pivots[rank:] - 1])


def precision(view: ViewMoments, ridge: float = 0.0, left_out: Dimensions = NONE) -> Precision:
    """`whiten(view, ridge).precision()`, by a plain inverse where it is plain which directions are null.

    Args:
        view, ridge: see `whiten`.
        left_out: dimensions that others determine in more rows than these, as `determined` finds them; where they are
            not all that others determine here, pivots are taken anew.
    """
    live, scale, correlation = _correlation(view, ridge)
    found = None
    if live.size:
        found = _inverse(correlation, np.flatnonzero(np.isin(live, left_out))) or _inverse_of_kept(correlation)
    if found is None:
        return whiten(view, ridge).precision()
    inverse, rank = found
    inverse *= scale
    inverse *= scale[:, None]
    if live.size == view.dim:
        return Precision(inverse, rank)
    whole = np.zeros((view.dim, view.dim))
    whole[np.ix_(live, live)] = inverse
    return Precision(whole, rank)


def _correlation(view: ViewMoments, ridge: float) -> tuple[Dimensions, Array, Array]:
    """The dimensions that are not constant, what brings them to unit variance, and their correlations with a ridge."""
    live = np.flatnonzero(varying(view))
    scatter = view.scatter if live.size == view.dim else view.scatter[np.ix_(live, live)]
    scale = 1 / np.sqrt(np.diag(scatter))
    correlation = scatter * scale
    correlation *= scale[:, None]
    correlation[np.diag_indices_from(correlation)] += ridge
    return live, scale, correlation


def _inverse(correlation: Array, left_out: Dimensions) -> tuple[Array, int] | None:
    """The plain inverse and the rank of a matrix that plainly has no null direction but in the dimensions left out,
    which others determine; None of any other."""
    kept = correlation
    if left_out.size:  # they become independent of all others
        kept = correlation.copy()
        kept[left_out] = kept[:, left_out] = 0.0
        kept[left_out, left_out] = 1.0
    factor, failed = scipy.linalg.lapack.dpotrf(kept.T, lower=1, clean=0)
    if failed or np.diag(factor).min() ** 2 < LEFT_OVER:
        return None
    inverse = _from_factor(factor, correlation)
    if inverse is None or not left_out.size:
        return None if inverse is None else (inverse, len(inverse))
    inverse[left_out, left_out] = 0.0
    cross = correlation[:, left_out]
    cross[left_out] = 0.0
    explained, _ = scipy.linalg.lapack.dtrtrs(factor, cross, lower=1)
    if not _are_null(np.diag(correlation)[left_out] - np.square(explained).sum(axis=0), correlation):
        return None
    return inverse, len(inverse) - left_out.size


def _inverse_of_kept(correlation: Array) -> tuple[Array, int] | None:
    """What `_triangular` gives as its product with itself, and the rank; None where that gives None."""
    factor, pivots, rank, _ = scipy.linalg.lapack.dpstrf(correlation, tol=LEFT_OVER, lower=1)
    inverse = _from_factor(factor[:rank, :rank], correlation)
    if inverse is None or not _left_out_are_null(factor, pivots, rank, correlation):
        return None
    whole = np.zeros_like(correlation)
    kept = pivots[:rank] - 1
    whole[np.ix_(kept, kept)] = inverse
    return whole, int(rank)


def _from_factor(factor: Array, correlation: Array) -> Array | None:
    """The inverse of the matrix whose Cholesky factor this is; None where one of its directions may be null."""
    lower, failed = scipy.linalg.lapack.dpotri(factor, lower=1)
    if failed:
        return None
    inverse = mirrored(lower.T)
    plain = np.linalg.norm(inverse) * np.linalg.norm(correlation) < 1 / NULL_EIGENVALUE
    if not plain and np.linalg.norm(inverse) * np.abs(correlation).sum(axis=1).max() >= 1 / NULL_EIGENVALUE:
        return None
    return inverse


def _left_out_are_null(factor: Array, pivots: Dimensions, rank: int, correlation: Array) -> bool:
    """Whether what is left over of the dimensions that the first `rank` pivots determine is plainly rounding."""
    variance = np.diag(correlation)[pivots[rank:] - 1]
    return _are_null(variance - np.square(factor[rank:, :rank]).sum(axis=1), correlation)


def _are_null(left_over: Array, correlation: Array) -> bool:
    """Whether the variances of dimensions that others do not explain are plainly rounding, (r,)."""
    largest_at_least = np.linalg.norm(correlation) ** 2 / np.trace(correlation)
    return bool(np.maximum(left_over, 0.0).sum() < NULL_EIGENVALUE * largest_at_least)


def varying(view: ViewMoments) -> npt.NDArray[np.bool_]:
    """(d,) which dimensions are not constants, up to rounding."""
    return np.diag(view.scatter) > view.n * np.square(CONSTANT * view.mean)


def fit(x: Whitening, y: Whitening, xy: Array) -> Directions:
    """The canonical directions of two whitened views.

    Args:
        x, y: whitenings from training moments.
        xy: (d_x, d_y) the training cross scatter.

    Returns:
        min(rank x, rank y) directions.
    """
    u, s, v = _svd(x.map @ xy @ y.map.T)
    return Directions(u.T @ x.map, v.T @ y.map, np.clip(s, 0.0, 1.0))


def correlations(directions: Directions, moments: Moments, floor: float = UNSEEN_VARIANCE) -> Array:
    """The correlation of each pair of canonical variates on any rows, with those rows' own mean.

    r_i = (A Sxy B')_ii / sqrt((A Sxx A')_ii (B Syy B')_ii). A direction along which these rows do not vary counts 0.

    Args:
        directions: fitted on training moments.
        moments: of the rows to score, held-out ones as a rule.
        floor: the scatter along a direction above which these rows vary; the default is for whitened directions, whose
            training scatter is one.

    Returns:
        (k,) values from -1 to 1.
    """
    covariance = np.einsum("ij,ij->i", directions.x @ moments.xy, directions.y)
    x_variance = np.einsum("ij,ij->i", directions.x @ moments.x.scatter, directions.x)
    y_variance = np.einsum("ij,ij->i", directions.y @ moments.y.scatter, directions.y)
    varies = (x_variance > floor) & (y_variance > floor)
    scale = np.sqrt(np.where(varies, x_variance * y_variance, 1.0))
    return np.clip(np.where(varies, covariance, 0.0) / scale, -1.0, 1.0)


def _triangular(correlation: Array) -> Array | None:
    """The inverse of a pivoted Cholesky factor, or None where it is not plain which directions are null.

    Dimensions that others determine are left out. With r of d kept, eigenvalue r of the whole is at least the smallest
    of the kept part, so at least 1 / |inverse|, and that at least 1 / |inverse factor|^2; eigenvalue r + 1 is at most
    the variance that is left over.
    """
    d = len(correlation)
    factor, pivots, rank, _ = scipy.linalg.lapack.dpstrf(correlation, tol=LEFT_OVER, lower=1)
    inverse, failed = scipy.linalg.lapack.dtrtri(np.tril(factor[:rank, :rank]), lower=1)
    largest_at_most = min(np.abs(correlation).sum(axis=1).max(), np.linalg.norm(correlation))
    kept_are_not_null = not failed and (
        np.square(inverse).sum() * largest_at_most < 1 / NULL_EIGENVALUE
        or np.linalg.norm(inverse @ inverse.T) * largest_at_most < 1 / NULL_EIGENVALUE
    )
    if not (kept_are_not_null and _left_out_are_null(factor, pivots, rank, correlation)):
        return None
    whole = np.zeros((rank, d))
    whole[:, pivots[:rank] - 1] = inverse
    return whole


def _spectral(correlation: Array) -> Array:
    """Eigenvectors over the roots of their eigenvalues, null directions left out."""
    values, vectors = np.linalg.eigh(correlation)
    kept = values > NULL_EIGENVALUE * values[-1]
    return (vectors[:, kept] / np.sqrt(values[kept])).T


def _svd(matrix: Array) -> tuple[Array, Array, Array]:
    """Singular vectors (columns) and values, by the eigenvectors of the smaller product: three times faster.

    Squaring blurs singular values below 1e-8; there the right vector still is the best partner of the left one.
    """
    if matrix.shape[0] < matrix.shape[1]:
        v, s, u = _svd(matrix.T)
        return u, s, v
    values, v = np.linalg.eigh(matrix.T @ matrix)
    v = v[:, ::-1]
    s = np.sqrt(np.maximum(values[::-1], 0.0))
    u = matrix @ v
    norm = np.linalg.norm(u, axis=0)
    return u / np.where(norm > 0, norm, 1.0), s, v
