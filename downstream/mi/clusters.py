"""Clusters of segment means: k-means learned on one half of the folds, applied to the other."""

from __future__ import annotations

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


DEFAULT = Settings(batch_size=1024, max_iter=100, n_init=3)


def predict(train: np.ndarray, scored: np.ndarray, clusters: int, seed: int, settings: Settings) -> np.ndarray:
    """Learn clusters and assign other rows to them.

    Runs in one thread: sums over threads come in any order, and a near-tie that flips changes the number.

    Args:
        train: (n_train, D) float32.
        scored: (n, D) float32.
        clusters: K.
        seed: decides the starts and the order of batches, so it is part of the number.
        settings: of the algorithm.

    Returns:
        (n,) cluster numbers, 0 <= number < K.

    Raises:
        Refused: there are fewer training rows than clusters.

    Reference:
        Sculley 2010, "Web-scale k-means clustering", as scikit-learn's MiniBatchKMeans implements it.
    """
    from sklearn.cluster import MiniBatchKMeans

    if len(train) < clusters:
        raise Refused(
            f"{len(train)} training segments for {clusters} clusters; more speech or fewer clusters would help"
        )
    kmeans = MiniBatchKMeans(
        n_clusters=clusters,
        random_state=seed,
        batch_size=settings.batch_size,
        max_iter=settings.max_iter,
        n_init=settings.n_init,
    )
    with threadpool_limits(limits=1):
        return kmeans.fit(train).predict(scored)
