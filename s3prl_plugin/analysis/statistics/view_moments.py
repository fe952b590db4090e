"""The first two moments of a view and of a pair of views: exact to merge, and all that CCA and CKA need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
BLOCK = 128  # columns of a matrix that lie in the cache
TOLD_BY_ROUNDING = 1e-3  # of a dimension's scatter: with less left, what was taken off it is rounded too coarsely


@dataclass(frozen=True, slots=True, eq=False)
class ViewMoments:
    """The first two moments of one view.

    Attributes:
        n: rows.
        mean: (d,) their mean; zeros where there are none.
        scatter: (d, d) the sum of (row - mean)(row - mean)'.
    """

    n: int
    mean: Array
    scatter: Array

    @property
    def dim(self) -> int:
        """The view's dimension."""
        return self.mean.shape[0]

    @classmethod
    def of(cls, rows: npt.ArrayLike) -> ViewMoments:
        """The moments of an array.

        Args:
            rows: (n, d).
        """
        centred, mean = _centred(rows)
        return cls(len(centred), mean, centred.T @ centred)

    @staticmethod
    def merge(parts: Sequence[ViewMoments]) -> ViewMoments:
        """The moments of all parts' rows together.

        Args:
            parts: at least one; empty ones (n = 0) are allowed.

        Reference:
            Chan, Golub & LeVeque 1983, "Algorithms for computing the sample variance", eq. 2.1, for many parts.
        """
        n, mean, deviations = _pooled_mean(parts)
        return ViewMoments(n, mean, _sum([part.scatter for part in parts]) + deviations.T @ deviations)

    def less(self, parts: Sequence[ViewMoments]) -> ViewMoments | None:
        """The moments of the rows that are not in `parts`, which these are the moments of, too.

        Returns:
            None where a dimension varies a thousand times less without them: rounding would tell, `merge` those left.
        """
        n, mean, deviations = _left(self, parts)
        scatter = self.scatter - parts[0].scatter
        for part in parts[1:]:
            scatter -= part.scatter
        scatter -= deviations.T @ deviations
        if (np.diag(scatter) < TOLD_BY_ROUNDING * np.diag(self.scatter)).any():
            return None
        return ViewMoments(n, mean, scatter)


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """The joint moments of two views of the same rows.

    The views are held apart, so that pairs with a view in common share its moments (and what is computed from them).

    Attributes:
        x: the layer's view.
        y: the other one: label, mel, base layer.
        xy: (d_x, d_y) the sum of (x - mean_x)(y - mean_y)'.
    """

    x: ViewMoments
    y: ViewMoments
    xy: Array

    @property
    def n(self) -> int:
        """The number of rows."""
        return self.x.n

    @property
    def mean(self) -> Array:
        """The mean of [x, y], (d_x + d_y,)."""
        return np.concatenate([self.x.mean, self.y.mean])

    @property
    def scatter(self) -> Array:
        """The centred scatter of [x, y], (d_x + d_y, d_x + d_y)."""
        return np.block([[self.x.scatter, self.xy], [self.xy.T, self.y.scatter]])

    @classmethod
    def of(cls, x: npt.ArrayLike, y: npt.ArrayLike) -> Moments:
        """The joint moments of two arrays.

        Args:
            x: (n, d_x).
            y: (n, d_y), of the same rows.
        """
        x_centred, x_mean = _centred(x)
        y_centred, y_mean = _centred(y)
        n = len(x_centred)
        if len(y_centred) != n:
            raise ValueError(f"{n} rows of x and {len(y_centred)} of y: the views must be of the same rows")
        return cls(
            ViewMoments(n, x_mean, x_centred.T @ x_centred),
            ViewMoments(n, y_mean, y_centred.T @ y_centred),
            x_centred.T @ y_centred,
        )

    @staticmethod
    def merge(parts: Sequence[Moments]) -> Moments:
        """The joint moments of all parts' rows together; see `ViewMoments.merge`."""
        return Moments(
            ViewMoments.merge([part.x for part in parts]),
            ViewMoments.merge([part.y for part in parts]),
            Moments.merge_cross(parts),
        )

    @staticmethod
    def merge_cross(parts: Sequence[Moments]) -> Array:
        """The cross scatter of all parts' rows together, (d_x, d_y): `merge` where both views are merged already."""
        _, _, x_deviations = _pooled_mean([part.x for part in parts])
        _, _, y_deviations = _pooled_mean([part.y for part in parts])
        return _sum([part.xy for part in parts]) + x_deviations.T @ y_deviations

    def cross_less(self, parts: Sequence[Moments]) -> Array:
        """The cross scatter of the rows that are not in `parts`, (d_x, d_y); see `ViewMoments.less`."""
        _, _, x_deviations = _left(self.x, [part.x for part in parts])
        _, _, y_deviations = _left(self.y, [part.y for part in parts])
        cross = self.xy - parts[0].xy
        for part in parts[1:]:
            cross -= part.xy
        cross -= x_deviations.T @ y_deviations
        return cross


def _centred(rows: npt.ArrayLike) -> tuple[Array, Array]:
    """Rows as float64 about their mean, and the mean."""
    array = np.asarray(rows, dtype=np.float64)
    if array.ndim != 2:
        raise ValueError(f"a view is an array (rows, dimensions), not one of shape {array.shape}")
    mean = array.mean(axis=0) if len(array) else np.zeros(array.shape[1])
    return array - mean, mean


def _pooled_mean(parts: Sequence[ViewMoments]) -> tuple[int, Array, Array]:
    """All rows, their mean, and per part sqrt(n) times its mean's deviation from it."""
    counts = np.array([part.n for part in parts], dtype=np.float64)
    means = np.stack([part.mean for part in parts])
    n = int(counts.sum())
    mean = counts @ means / max(n, 1)
    return n, mean, np.sqrt(counts)[:, None] * np.where(counts[:, None] > 0, means - mean, 0.0)


def _left(whole: ViewMoments, parts: Sequence[ViewMoments]) -> tuple[int, Array, Array]:
    """The rows that are not in `parts`, their mean, and sqrt(n) times the deviation of theirs and the parts' means."""
    n = whole.n - sum(part.n for part in parts)
    mean = (whole.n * whole.mean - sum(part.n * part.mean for part in parts)) / max(n, 1)
    means, counts = np.stack([mean, *(part.mean for part in parts)]), np.array([n, *(part.n for part in parts)])
    return n, mean * (n > 0), np.sqrt(counts)[:, None] * np.where(counts[:, None] > 0, means - whole.mean, 0.0)


def mirrored(matrix: Array) -> Array:
    """A square matrix whose numbers below the diagonal become those above it, in place."""
    d = len(matrix)
    for start in range(0, d, BLOCK):
        stop = min(start + BLOCK, d)
        corner = np.triu(matrix[start:stop, start:stop])
        matrix[start:stop, start:stop] = corner + np.triu(corner, 1).T
        matrix[stop:, start:stop] = matrix[start:stop, stop:].T
    return matrix


def _sum(matrices: Sequence[Array]) -> Array:
    """The sum, in order, in one new matrix."""
    total = matrices[0].copy()
    for matrix in matrices[1:]:
        total += matrix
    return total
