"""k-means as every part of the project runs it: learned on some rows, applied to others."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from s3prl_plugin.analysis.statistics.components import in_parts, reach
from s3prl_plugin.inference.refusal import Refused

ROWS_AT_ONCE = 8192  # bounds the memory of distances
MANY = 100  # clusters, from which on `start` pays
TABLED = 4096  # rows, up to which all their products are kept at once: 134 MB


@dataclass(frozen=True, slots=True)
class KMeansSettings:
    """How MiniBatchKMeans is run.

    Attributes:
        batch_size: rows per step.
        max_iter: passes over the rows, at most; it stops earlier when steps bring nothing.
        n_init: starts, of which the best on a sample is taken.
        patience: steps that bring nothing before it stops.
        reassignment_ratio: clusters with less than this share of the largest one's rows start anew.
    """

    batch_size: int
    max_iter: int
    n_init: int
    patience: int = 10
    reassignment_ratio: float = 0.01


DEFAULT = KMeansSettings(batch_size=1024, max_iter=100, n_init=1)


@dataclass(frozen=True, eq=False)
class Clusters:
    """What k-means has learned, of rows that are centred and scaled first.

    Attributes:
        mean: (D,) float64, taken off every row: |x|^2 - 2 x c + |c|^2 in float32 loses its digits otherwise.
        scale: (D,) float64, a power of two that brings rows near one; 0 for dimensions that are constant.
        centres: (K, D) float32, on that scale.
    """

    mean: np.ndarray
    scale: np.ndarray
    centres: np.ndarray

    def __len__(self) -> int:
        """K."""
        return len(self.centres)

    def nearest(self, rows: np.ndarray) -> np.ndarray:
        """The cluster of every row, (n, D) -> (n,); the lower number on a tie."""
        half = ((self.centres.astype(np.float64) ** 2).sum(axis=1) / 2).astype(np.float32)
        found = np.empty(len(rows), dtype=np.int64)
        with threadpool_limits(limits=1):
            for start in range(0, len(rows), ROWS_AT_ONCE):
                part = slice(start, start + ROWS_AT_ONCE)
                found[part] = (self.conditioned(rows[part]) @ self.centres.T - half).argmax(axis=1)
        return found

    def conditioned(self, rows: np.ndarray) -> np.ndarray:
        """Rows as k-means sees them, (n, D) float32."""
        return in_parts(lambda part: (part - self.mean) * self.scale, rows, rows.shape[1])


def learn(
    rows: np.ndarray, clusters: int, seed: int, settings: KMeansSettings = DEFAULT, what: str = "segments"
) -> Clusters:
    """Learn clusters by mini-batches, from starts that k-means++ draws.

    Runs in one thread: sums over threads come in any order, and a near-tie that flips changes the number. Neither an
    offset nor the scale of the rows matters. Where fewer rows differ than there are clusters, some stay empty.

    Args:
        rows: (n, D) float32.
        clusters: K.
        seed: decides the starts and the order of batches, so it is part of the number.
        settings: of the algorithm.
        what: the rows are, for messages.

    Raises:
        Refused: there are fewer rows than clusters.

    Reference:
        Sculley 2010, "Web-scale k-means clustering", as scikit-learn's MiniBatchKMeans implements it.
    """
    from sklearn.cluster import MiniBatchKMeans
    from sklearn.exceptions import ConvergenceWarning

    if len(rows) < clusters:
        raise Refused(f"{len(rows)} training {what} for {clusters} clusters; more speech or fewer clusters would help")
    kmeans = MiniBatchKMeans(
        n_clusters=clusters,
        random_state=seed,
        batch_size=settings.batch_size,
        max_iter=settings.max_iter,
        n_init=settings.n_init,
        max_no_improvement=settings.patience,
        reassignment_ratio=settings.reassignment_ratio,
        compute_labels=False,
        init=start if clusters >= MANY else "k-means++",  # the same draws
    )
    mean = rows.mean(axis=0, dtype=np.float64)
    learned = Clusters(mean, _scale(rows, mean), np.empty((0, rows.shape[1]), dtype=np.float32))
    with threadpool_limits(limits=1), warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=ConvergenceWarning)
        kmeans.fit(learned.conditioned(rows))
    return Clusters(learned.mean, learned.scale, kmeans.cluster_centers_.astype(np.float32))


def start(rows: np.ndarray, clusters: int, random_state: np.random.RandomState) -> np.ndarray:
    """k-means++ with the draws of scikit-learn, which computes the distance of every candidate to every row anew: here
    all are taken from one product of the rows with themselves, eight times as fast for 500 clusters, where the rows are
    so few that memory holds it.

    Args:
        rows: (n, D) float32.
        clusters: K.
        random_state: draws.

    Returns:
        (K, D) the centres to start with.

    Reference:
        Arthur & Vassilvitskii 2007, "k-means++: the advantages of careful seeding", with several candidates a step.
    """
    double = rows.astype(np.float64)
    products = double @ double.T if len(rows) <= TABLED else None
    norms = np.einsum("nd,nd->n", double, double) if products is None else np.diag(products)

    def squared_distances(to: np.ndarray) -> np.ndarray:
        found = double[to] @ double.T if products is None else products[to]
        found *= -2
        found += norms[to][:, None]
        found += norms
        found[range(len(to)), to] = 0
        return np.maximum(found, 0, out=found).astype(np.float32)

    candidates = 2 + int(np.log(clusters))
    weight = np.ones(len(rows), dtype=np.float32)
    chosen = [random_state.choice(len(rows), p=weight / weight.sum())]
    (nearest,) = squared_distances(np.array(chosen))
    potential = nearest @ weight
    for _ in range(1, clusters):
        drawn = np.searchsorted(np.cumsum(nearest), random_state.uniform(size=candidates) * potential)
        drawn = np.minimum(drawn, len(rows) - 1)
        nearest_with = np.minimum(nearest, squared_distances(drawn))
        potentials = nearest_with @ weight
        best = int(np.argmin(potentials))
        chosen.append(drawn[best])
        nearest, potential = nearest_with[best], potentials[best]
    return rows[chosen]


def predict(
    train: np.ndarray, scored: np.ndarray, clusters: int, seed: int, settings: KMeansSettings, what: str = "segments"
) -> np.ndarray:
    """Learn clusters and assign other rows to them.

    Args:
        train: (n_train, D) float32.
        scored: (n, D) float32.
        clusters, seed, settings, what: as `learn`.

    Returns:
        (n,) cluster numbers, 0 <= number < K.

    Raises:
        Refused: there are fewer training rows than clusters, or no rows to assign.
    """
    learned = learn(train, clusters, seed, settings, what)
    if not len(scored):
        raise Refused(f"no {what} in the folds that are scored; more speech would help")
    return learned.nearest(scored)


def _scale(rows: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """(D,) one power of two; 0 for dimensions that are constant."""
    far = reach(rows, mean)
    return np.where(far > 0, 2.0 ** -np.frexp(far.max())[1], 0)
