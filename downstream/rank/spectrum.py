"""How many equally strong directions a spectrum is worth.

It is 1 where all frames lie on a line and d where they spread alike in all d dimensions, and it moves continuously
between the two; the algebraic rank does not, since noise makes it d. For frames Z (N, d) with covariance C:

    participation_ratio   tr(C)^2 / tr(C C), each product over two different folds, so that it does not depend on N
    effective_rank        exp of the entropy of the shares of C's eigenvalues in their sum: rises with N
    rankme                the same of the singular values of Z itself, about the origin, as published: the square roots
                          flatten the spectrum, so that it is larger, and a large common offset is one strong direction

Of 128 equally strong directions the first finds 128.2 and 128.0 at 2 and 14 frames per dimension, the second 99.6 and
123.5 (`tests/downstream/rank/test_spectrum.py`). All are functions of count, mean and scatter per fold. None changes
when frames are rotated or scaled, nor do the first two when they are shifted; stretching single dimensions changes all.

References:
    Gao et al. 2017, "A theory of multineuronal dimensionality, dynamics and measurement", bioRxiv 214262 (participation
    ratio).
    Roy & Vetterli 2007, "The effective rank: a measure of effective dimensionality", EUSIPCO, eq. 4.
    Garrido et al. 2023, "RankMe: assessing the downstream performance of pretrained self-supervised representations by
    their rank", arXiv 2210.02885, eq. 1, without the constant that it adds to every share.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from s3prl_plugin.analysis.cka import between_folds, covariance_products
from s3prl_plugin.analysis.statistics.view_moments import Array, ViewMoments
from s3prl_plugin.inference.intervals import Estimate, jackknife
from s3prl_plugin.inference.refusal import Refused


def participation_ratio(folds: Sequence[ViewMoments]) -> float:
    """tr(C)^2 / tr(C C), from products over pairs of different folds.

    With C_f the covariance of fold f: mean of tr(C_f) tr(C_g) over mean of tr(C_f C_g), f != g. The sampling noise of
    two folds has nothing in common, so that the denominator is not inflated by it.

    Args:
        folds: moments of the frames of each fold; those of fewer than two frames are left out.

    Returns:
        From about 1 to about d.

    Raises:
        Refused: fewer than two folds have frames, or they vary too little, or too differently.
    """
    return _participation(*_products(folds))


def jackknifed_participation(folds: Sequence[ViewMoments]) -> Estimate:
    """The same with its delete-one-fold jackknife; three folds at least.

    Args, Raises: as `participation_ratio`.
    """
    traces, products = _products(folds)
    if len(traces) < 3:
        raise Refused(f"{len(traces)} folds with frames: a jackknife over folds needs 3")
    kept = [np.delete(np.arange(len(traces)), f) for f in range(len(traces))]
    without = [_participation(traces[np.ix_(k, k)], products[np.ix_(k, k)]) for k in kept]
    return jackknife(_participation(traces, products), without)


def _products(folds: Sequence[ViewMoments]) -> tuple[Array, Array]:
    """(F, F) tr(C_f) tr(C_g), and tr(C_f C_g)."""
    kept = [fold for fold in folds if fold.n > 1]
    if len(kept) < 2:
        raise Refused(f"{len(kept)} folds with frames, 2 needed; more utterances would help")
    traces = np.array([np.trace(fold.scatter) / (fold.n - 1) for fold in kept])
    products = covariance_products([fold.scatter for fold in kept], [fold.n for fold in kept])
    return np.outer(traces, traces), products


def _participation(traces: Array, products: Array) -> float:
    """From products over folds."""
    size, concentration = between_folds(traces), between_folds(products)
    if not (size > 0 and concentration > 0):
        raise Refused("the frames of this tap do not vary; it holds nothing, or the network is broken there")
    return size / concentration


def effective_rank(frames: npt.ArrayLike | ViewMoments) -> float:
    """exp of the entropy of the shares of the variance: of the covariance's eigenvalues over their sum.

    Args:
        frames: (N, d), or their moments.

    Returns:
        From 1 to min(N - 1, d).

    Raises:
        Refused: the frames do not vary.
    """
    return _worth(_eigenvalues(_moments(frames).scatter))


def rankme(frames: npt.ArrayLike | ViewMoments) -> float:
    """exp of the entropy of the singular values of the frames, as they are, over their sum.

    Args:
        frames: (N, d), or their moments.

    Returns:
        From 1 to min(N, d).

    Raises:
        Refused: all frames are zero.
    """
    moments = _moments(frames)
    about_origin = moments.scatter + moments.n * np.outer(moments.mean, moments.mean)
    return _worth(np.sqrt(_eigenvalues(about_origin)))


def _moments(frames: npt.ArrayLike | ViewMoments) -> ViewMoments:
    return frames if isinstance(frames, ViewMoments) else ViewMoments.of(frames)


def _eigenvalues(scatter: Array) -> Array:
    """(d,) of a symmetric matrix; what rounding makes negative is 0."""
    return np.maximum(np.linalg.eigvalsh(scatter), 0.0)


def _worth(spectrum: Array) -> float:
    """exp of the entropy of a spectrum's shares; 0 log 0 is 0."""
    total = spectrum.sum()
    if not total > 0:
        raise Refused("the frames of this tap do not vary; it holds nothing, or the network is broken there")
    shares = spectrum[spectrum > 0] / total
    return float(np.exp(-(shares * np.log(shares)).sum()))
