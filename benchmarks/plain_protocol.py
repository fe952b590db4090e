"""The published protocol done the plain way, from raw arrays: what one pass of statistics is measured against.

Every fit takes the covariance of all training rows anew, every evaluation projects all rows it scores, as the public
tool of the protocol does. It is written for this comparison only; `downstream.cca.published` computes the same scores.

Reference:
    Pasad, Shi & Livescu 2023, "Comparative layer-wise analysis of self-supervised speech models", arXiv 2211.03929.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Epsilon = tuple[float, float]


class PlainFit(NamedTuple):
    """Directions, (k, d) over the dimensions that were kept, and which these are."""

    x: Array
    y: Array
    kept_x: npt.NDArray[np.bool_]
    kept_y: npt.NDArray[np.bool_]


class PlainScores(NamedTuple):
    """Published PWCCA: weighted by the view that kept fewer dimensions (by y on a tie), and the mean of both sides."""

    score: float
    mean_score: float


def trial(
    x: Array, y: Array, fold: npt.NDArray[np.int64], dev: int, test: int, epsilons: Sequence[Epsilon]
) -> PlainScores:
    """The scores on the test fold, with the epsilons that score best on the dev fold.

    Args:
        x, y: (N, d) rows of the two views.
        fold: (N,).
        dev, test: folds; the others train.
        epsilons: tried in turn: a fit and an evaluation each.
    """
    train, on_dev, on_test = (fold != dev) & (fold != test), fold == dev, fold == test
    best, best_score = None, -np.inf
    for epsilon in epsilons:
        fitted = fit(x[train].T, y[train].T, epsilon)
        score = evaluate(fitted, x[on_dev].T, y[on_dev].T).score
        if score > best_score:
            best, best_score = fitted, score
    assert best is not None
    return evaluate(best, x[on_test].T, y[on_test].T)


def fit(x: Array, y: Array, epsilon: Epsilon) -> PlainFit:
    """Regularised CCA of (d, n) arrays: a covariance, two eigendecompositions and inverses, a full SVD."""
    d = len(x)
    covariance = np.cov(x, y)
    blocks = covariance[:d, :d], covariance[d:, d:]
    largest = [np.abs(block).max() for block in blocks]
    scaled = [block / size for block, size in zip(blocks, largest, strict=True)]
    cross = covariance[:d, d:] / np.sqrt(largest[0] * largest[1])
    kept = [np.abs(np.diagonal(block)) >= e for block, e in zip(scaled, epsilon, strict=True)]
    roots = []
    for block, keep, e in zip(scaled, kept, epsilon, strict=True):
        regular = block[np.ix_(keep, keep)] + e * np.eye(int(keep.sum()))
        roots.append(_root(np.linalg.pinv(regular)))
    u, _, vt = np.linalg.svd(roots[0] @ cross[np.ix_(*kept)] @ roots[1])
    k = min(len(roots[0]), len(roots[1]))
    return PlainFit(u.T[:k] @ roots[0], vt[:k] @ roots[1], kept[0], kept[1])


def evaluate(fitted: PlainFit, x: Array, y: Array) -> PlainScores:
    """The scores of a fit on (d, n) arrays."""
    x, y = x[fitted.kept_x], y[fitted.kept_y]
    on_x = fitted.x @ (x - x.mean(axis=1, keepdims=True))
    on_y = fitted.y @ (y - y.mean(axis=1, keepdims=True))
    correlations = (on_x * on_y).sum(axis=1) / np.sqrt((on_x**2).sum(axis=1) * (on_y**2).sum(axis=1))
    sides = [float(_weights(rows, projected) @ correlations) for rows, projected in ((x, on_x), (y, on_y))]
    return PlainScores(sides[0] if len(x) < len(y) else sides[1], sum(sides) / 2)


def _weights(rows: Array, projected: Array) -> Array:
    """(k,) how much the first k dimensions of a view lie along each direction; sums to one."""
    k = len(projected)
    offset = projected + rows.mean(axis=1, keepdims=True)[:k]  # the mean of dimension i is added to direction i
    basis, _ = np.linalg.qr(offset.T)
    weights = np.abs(basis.T @ rows[:k].T).sum(axis=1)
    return weights / weights.sum()


def _root(matrix: Array) -> Array:
    """The symmetric root of a positive semidefinite matrix."""
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
