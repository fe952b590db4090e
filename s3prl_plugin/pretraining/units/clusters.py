"""k-means of frames: learned from a sample, then applied to all of them."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from s3prl_plugin.errors import UserError

# Those of fairseq's simple_kmeans, but for fewer starts (`starts` below).
BATCH = 10_000
PASSES = 100
PATIENCE = 100  # batches without progress


@dataclass(frozen=True, eq=False)
class Clusters:
    """What k-means has learned.

    Attributes:
        mean: (D,) of the sample, taken off every frame first: |x|^2 - 2 x c + |c|^2 loses its digits otherwise.
        centres: (K, D), of frames less their mean.
    """

    mean: np.ndarray
    centres: np.ndarray

    def __len__(self) -> int:
        """K."""
        return len(self.centres)

    def nearest(self, frames: np.ndarray) -> np.ndarray:
        """The cluster of every frame, (T, D) -> (T,); the lower number on a tie."""
        centred = (frames - self.mean).astype(np.float32)
        with threadpool_limits(limits=1):
            distance = self.centres.astype(np.float64) ** 2
            score = centred @ self.centres.T - (distance.sum(axis=1) / 2).astype(np.float32)
        return score.argmax(axis=1)


def learn(frames: np.ndarray, clusters: int, seed: int, starts: int = 3) -> Clusters:
    """Learn clusters by mini-batches, from starts that k-means++ draws.

    It runs in one thread, so that the same frames and seed give the same clusters.

    Args:
        frames: (n, D) float32.
        clusters: K.
        seed: of the starts and the order of batches.
        starts: of which the best on a sample is taken.

    Raises:
        UserError: there are fewer frames than clusters.

    Reference:
        Sculley 2010, "Web-scale k-means clustering", as scikit-learn's MiniBatchKMeans implements it.
    """
    from sklearn.cluster import MiniBatchKMeans
    from sklearn.exceptions import ConvergenceWarning

    if len(frames) < clusters:
        raise UserError(f"{len(frames)} frames for {clusters} units; give more speech or fewer units")
    mean = frames.mean(axis=0, dtype=np.float64).astype(np.float32)
    kmeans = MiniBatchKMeans(
        n_clusters=clusters,
        init="k-means++",
        random_state=seed,
        batch_size=BATCH,
        max_iter=PASSES,
        max_no_improvement=PATIENCE,
        tol=0.0,
        n_init=starts,
        reassignment_ratio=0.0,
        compute_labels=False,
    )
    with threadpool_limits(limits=1), warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=ConvergenceWarning)
        kmeans.fit(frames - mean)
    return Clusters(mean, kmeans.cluster_centers_.astype(np.float32))
