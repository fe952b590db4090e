"""The principal components of a view: how much the first one holds, and the view without their differences in size.

k-means, CKA and every other measure that goes by distances see the largest directions of a layer first. Where one
component holds most of the variance, such a measure is about that component.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.linalg

from s3prl_plugin.inference.refusal import Refused

Array = npt.NDArray[np.float64]
Single = npt.NDArray[np.float32]
ROWS_AT_ONCE = 1024
ROUNDING = 4 * float(np.finfo(np.float32).eps)  # relative, of an average of frames
NULL = 1e-10  # of the largest eigenvalue: directions below carry rounding
DOMINANT = 0.5  # of the variance: above, a measure that goes by distances is about one direction
ROWS_PER_DIMENSION = 2.0  # below, whitened training rows lie on a shell, and held-out rows far outside it


@dataclass(frozen=True, eq=False)
class RowWhitening:
    """A map that gives the training rows of a view unit variance in every direction.

    Attributes:
        mean: (D,) of the training rows.
        map: (D, R) to the R directions that are not null.
    """

    mean: Array
    map: Array

    @classmethod
    def of(cls, rows: npt.NDArray[np.floating], spread: Array | None = None) -> RowWhitening:
        """From training rows, (n, D).

        Args:
            rows: of the view.
            spread: their `covariance`, where it is known.

        Raises:
            Refused: fewer than two rows per dimension, or rows that do not vary.
        """
        n, d = rows.shape
        if n < ROWS_PER_DIMENSION * d:
            raise Refused(
                f"limited by data: {n} training rows for {d} dimensions to whiten ({n / d:.1f} per dimension, "
                f"{ROWS_PER_DIMENSION:g} needed); more tokens would help"
            )
        mean = rows.mean(axis=0, dtype=np.float64)
        values, vectors = np.linalg.eigh(covariance(rows) if spread is None else spread)
        if values[-1] <= 0:
            raise Refused("the rows do not vary: there is nothing to whiten")
        kept = values > NULL * values[-1]
        return cls(mean, vectors[:, kept] / np.sqrt(values[kept]))

    def __call__(self, rows: npt.NDArray[np.floating]) -> Single:
        """(n, D) -> (n, R)."""
        return in_parts(lambda part: (part - self.mean) @ self.map, rows, self.map.shape[1])


def in_parts(of: Callable[[npt.NDArray[Any]], Array], rows: npt.NDArray[np.floating], width: int) -> Single:
    """What a function that looks at every row by itself gives, (n, D) -> (n, width) float32, without all of it in
    float64, whose memory costs as much as the arithmetic."""
    found = np.empty((len(rows), width), dtype=np.float32)
    for start in range(0, len(rows), ROWS_AT_ONCE):
        part = slice(start, start + ROWS_AT_ONCE)
        found[part] = of(rows[part])
    return found


def covariance(rows: npt.NDArray[np.floating]) -> Array:
    """(D, D), of (n, D) rows about their mean, in float64; 0 for dimensions that are constant up to rounding."""
    mean = rows.mean(axis=0, dtype=np.float64)
    centred = (rows - mean) * (reach(rows, mean) > 0)
    return centred.T @ centred / max(len(rows) - 1, 1)


def reach(rows: npt.NDArray[np.floating], mean: Array) -> Array:
    """(D,) how far (n, D) rows go from their mean; 0 for dimensions that vary by no more than its rounding."""
    found = np.maximum(rows.max(axis=0) - mean, mean - rows.min(axis=0))
    return np.where(found > ROUNDING * np.abs(mean), found, 0.0)


def first_component(scatter: Array) -> float | None:
    """The share of the variance that the first principal component holds.

    Args:
        scatter: (D, D) covariance or scatter about the mean.

    Returns:
        From 1 / D to 1; None where nothing varies.
    """
    total = float(np.trace(scatter))
    if total <= 0:
        return None
    last = len(scatter) - 1
    (largest,) = scipy.linalg.eigh(scatter, eigvals_only=True, subset_by_index=[last, last])
    return min(float(largest) / total, 1.0)


def caveat(share: float | None, what: str) -> str | None:
    """What a reader must know of a number where one component dominates; None where none does.

    Args:
        share: what `first_component` says.
        what: sees little else, such as "k-means units".
    """
    if share is None or share <= DOMINANT:
        return None
    return f"one component holds {100 * share:.0f} % of this tap's variance: {what} see little else"


def dominance(
    rows: npt.NDArray[np.floating], what: str = "k-means units", spread: Array | None = None
) -> dict[str, Any]:
    """The row fields on how much of the variance of (n, D) rows one direction holds.

    Args:
        rows: of the view.
        what: sees little else where it holds much.
        spread: their `covariance`, where it is known.
    """
    share = first_component(covariance(rows) if spread is None else spread) if len(rows) > 1 else None
    return {"first_component": share, "caveat": caveat(share, what)}
