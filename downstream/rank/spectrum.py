"""Effective rank: how many equally strong directions a spectrum is worth, exp of the entropy of its shares.

It is 1 where all frames lie on a line and d where they spread alike in all d dimensions, and it moves continuously
between the two; the algebraic rank does not, since noise makes it d. Two spectra of frames Z (N, d) are in use:

    effective_rank   the eigenvalues of the covariance: the shares are shares of the variance
    rankme           the singular values of Z itself, about the origin, as published: the square roots flatten the
                     spectrum, so that it is larger, and a large common offset counts as one strong direction

Both are functions of count, mean and scatter. Neither changes when frames are rotated or scaled, nor does
`effective_rank` when they are shifted; stretching single dimensions changes both.

References:
    Roy & Vetterli 2007, "The effective rank: a measure of effective dimensionality", EUSIPCO, eq. 4.
    Garrido et al. 2023, "RankMe: assessing the downstream performance of pretrained self-supervised representations by
    their rank", arXiv 2210.02885, eq. 1, without the constant that it adds to every share.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from s3prl_plugin.analysis.refusal import Refused
from s3prl_plugin.analysis.statistics.view_moments import Array, ViewMoments


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
