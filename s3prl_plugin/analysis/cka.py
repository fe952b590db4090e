"""Linear CKA from fold moments, without the bias of rows that resemble their neighbours.

Reference:
    Kornblith, Norouzi, Lee & Hinton 2019, "Similarity of Neural Network Representations Revisited", eq. 3 and 4.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from s3prl_plugin.analysis.statistics.view_moments import Array, Moments
from s3prl_plugin.inference import intervals
from s3prl_plugin.inference.intervals import Estimate
from s3prl_plugin.inference.refusal import Refused

MIN_FOLDS = 3  # each is left out once, and two must be left


def linear_cka(folds: Sequence[Moments]) -> Estimate:
    """Linear CKA of two views with its delete-one-fold jackknife: 1 when they agree up to rotation and scale, 0 when
    they are independent.

    CKA = HSIC(x, y) / sqrt(HSIC(x, x) HSIC(y, y)), with HSIC(x, y) = |Cov(x, y)|_F^2 estimated across folds: the mean
    of <C_f, C_g> over pairs of different folds f, g, C_f = Sxy_f / (n_f - 1). A product of two covariances from
    different folds has no noise in common, so it is zero on average for independent views, also where a frame resembles
    the next one; the usual estimators say .26 there.

    Args:
        folds: joint moments per fold; folds of fewer than two rows are left out.

    Raises:
        Refused: fewer than three folds have rows, or a view's covariances disagree so much between folds that it has no
            size to normalise by (it is constant, or the rows are too few).
    """
    kept = [fold for fold in folds if fold.n > 1]
    n = [fold.n for fold in kept]
    matrices = ([fold.xy for fold in kept], [fold.x.scatter for fold in kept], [fold.y.scatter for fold in kept])
    return jackknife_of_products(*(covariance_products(scatters, n) for scatters in matrices))


def jackknife_of_products(xy: Array, xx: Array, yy: Array) -> Estimate:
    """Linear CKA with its delete-one-fold jackknife, from inner products that may be shared with other pairs.

    Args:
        xy, xx, yy: (F, F) what `covariance_products` gives for the cross scatters and for each view's own.

    Raises:
        Refused: as `linear_cka`.
    """
    products = (xy, xx, yy)
    count = len(xy)
    if count < MIN_FOLDS:
        raise Refused(f"{count} folds with rows, {MIN_FOLDS} needed; more utterances would help")
    without = [np.delete(np.arange(count), f) for f in range(count)]
    replicates = [_cka(*(product[np.ix_(kept, kept)] for product in products)) for kept in without]
    return intervals.jackknife(_cka(*products), replicates)


def covariance_products(scatters: Sequence[Array], n: Sequence[int]) -> Array:
    """(F, F) Frobenius inner products <C_f, C_g> of the folds' covariances C_f = S_f / (n_f - 1).

    Args:
        scatters: per fold, of one shape.
        n: rows per fold, two at least.
    """
    products = np.zeros((len(scatters), len(scatters)))
    for f, g in itertools.combinations_with_replacement(range(len(scatters)), 2):
        products[f, g] = products[g, f] = np.vdot(scatters[f], scatters[g]) / ((n[f] - 1) * (n[g] - 1))
    return products


def _cka(xy: Array, xx: Array, yy: Array) -> float:
    """CKA from inner products between folds."""
    hsic, of_x, of_y = (between_folds(products) for products in (xy, xx, yy))
    if of_x <= 0 or of_y <= 0:
        raise Refused("a view varies too little, or differs too much between folds; more data would help")
    return float(hsic / np.sqrt(of_x * of_y))


def between_folds(products: Array) -> float:
    """The mean of (F, F) products over pairs of different folds."""
    count = len(products)
    return float((products.sum() - np.trace(products)) / (count * (count - 1)))
