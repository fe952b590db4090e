"""Clusters of segment means: k-means learned on one half of the folds, applied to the other."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from s3prl_plugin.analysis.refusal import Refused


@dataclass(frozen=True, slots=True)
class Settings:
    """How MiniBatchKMeans is run.

    Attributes:
        batch_size: rows per step.
        max_iter: passes over the rows, at most; it stops earlier when steps bring nothing.
        n_init: starts, of which the best is taken.
    """

    batch_size: int
    max_iter: int
    n_init: int


ROUNDING = 4 * float(np.finfo(np.float32).eps)  # relative, of an average of frames

DEFAULT = Settings(batch_size=1024, max_iter=100, n_init=1)


def predict(
    train: np.ndarray, scored: np.ndarray, clusters: int, seed: int, settings: Settings, what: str = "segments"
) -> np.ndarray:
    """Learn clusters and assign other rows to them.

    Runs in one thread: sums over threads come in any order, and a near-tie that flips changes the number. Neither an
    offset nor the scale of the rows matters: distances are computed from rows that are centred and near one. Where
    fewer rows differ than there are clusters, some clusters stay empty.

    Args:
        train: (n_train, D) float32.
        scored: (n, D) float32.
        clusters: K.
        seed: decides the starts and the order of batches, so it is part of the number.
        settings: of the algorithm.
        what: the rows are, for messages.

    Returns:
        (n,) cluster numbers, 0 <= number < K.

    Raises:
        Refused: there are fewer training rows than clusters, or no rows to assign.

    Reference:
        Sculley 2010, "Web-scale k-means clustering", as scikit-learn's MiniBatchKMeans implements it.
    """
    from sklearn.cluster import MiniBatchKMeans
    from sklearn.exceptions import ConvergenceWarning

    if len(train) < clusters:
        raise Refused(f"{len(train)} training {what} for {clusters} clusters; more speech or fewer clusters would help")
    if not len(scored):
        raise Refused(f"no {what} in the folds that are scored; more speech would help")
    kmeans = MiniBatchKMeans(
        n_clusters=clusters,
        random_state=seed,
        batch_size=settings.batch_size,
        max_iter=settings.max_iter,
        n_init=settings.n_init,
    )
    train, scored = _conditioned(train, scored)
    with threadpool_limits(limits=1), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Number of distinct clusters", ConvergenceWarning)
        return kmeans.fit(train).predict(scored)


def _conditioned(train: np.ndarray, scored: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both less the mean of the first, over a power of two: |x|^2 - 2 x c + |c|^2 in float32 is lost otherwise.

    Dimensions that vary by no more than the rounding of their mean are constant: 0.
    """
    mean = train.mean(axis=0, dtype=np.float64)
    reach = np.maximum(train.max(axis=0) - mean, mean - train.min(axis=0))
    reach[reach <= ROUNDING * np.abs(mean)] = 0
    scale = np.where(reach > 0, 2.0 ** -np.frexp(reach.max())[1], 0)
    centred = [((rows - mean) * scale).astype(np.float32) for rows in (train, scored)]
    return centred[0], centred[1]
