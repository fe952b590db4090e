"""Mutual information of clusters and labels, and what chance alone would give.

Reference:
    Pasad, Shi & Livescu 2023, "Comparative layer-wise analysis of self-supervised speech models", arXiv 2211.03929
    (MI / H(label)); Vinh, Epps & Bailey 2010, "Information theoretic measures for clusterings comparison", JMLR 11
    (the expectation under chance, eq. 24a, and adjusting for it).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln, xlogy

from s3prl_plugin.errors import UserError
from s3prl_plugin.inference import intervals
from s3prl_plugin.inference.intervals import Estimate
from s3prl_plugin.inference.refusal import Refused

CLUSTERS = (50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000)
TERMS_AT_ONCE = 1_000_000  # of the expectation; bounds its memory
CHANCE_SHARE = 0.25  # of the label entropy, to first order: K is chosen so that chance gives no more

Array = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Information:
    """What clusters tell about labels; entropies and information in nats.

    Attributes:
        mi: sum_kc p(k, c) log(p(k, c) / (p(k) p(c))).
        label_entropy: H(label).
        cluster_entropy: H(cluster).
        expected_mi: the mean of `mi` over all ways to pair the same clusters with the same labels (EMI): exact.
        n: tokens.
        clusters, classes: how many occur.
    """

    mi: float
    label_entropy: float
    cluster_entropy: float
    expected_mi: float
    n: int
    clusters: int
    classes: int

    @property
    def mi_over_h(self) -> float:
        """MI / H(label), as published: from 0 to 1, but above 0 by chance alone."""
        return self.mi / self.label_entropy

    @property
    def adjusted(self) -> float:
        """(MI - EMI) / (H(label) - EMI): "adjusted, normalised by label entropy"; 0 by chance, 1 when labels follow.

        Raises:
            Refused: chance alone gives everything (as many clusters as tokens).
        """
        room = self.label_entropy - self.expected_mi
        if room <= 1e-9 * self.label_entropy:
            raise Refused(
                f"{self.clusters} clusters for {self.n} tokens tell every token's label by chance; fewer would help"
            )
        return (self.mi - self.expected_mi) / room

    @property
    def chance_share(self) -> float:
        """EMI / H(label): MI / H of independent clusters; see `analysis.refusal.chance_limit`."""
        return self.expected_mi / self.label_entropy


@dataclass(frozen=True, slots=True, eq=False)
class JackknifedInformation:
    """Mutual information with delete-one-speaker jackknife estimates.

    Attributes:
        information: from all speakers.
        adjusted, mi_over_h: with replicates, for `intervals.paired_difference`.
    """

    information: Information
    adjusted: Estimate
    mi_over_h: Estimate


def mutual_information(clusters: npt.ArrayLike, labels: npt.ArrayLike) -> Information:
    """The mutual information of two labellings of the same tokens.

    Args:
        clusters: (n,) of any comparable type.
        labels: (n,).

    Raises:
        UserError: not two lists of the same length.
        Refused: no tokens, or one class only (its entropy is zero, so nothing can be told about it).
    """
    clusters, labels = np.asarray(clusters), np.asarray(labels)
    if clusters.ndim != 1 or clusters.shape != labels.shape:
        raise UserError(f"clusters {clusters.shape} and labels {labels.shape}: give two lists of the same length")
    return from_table(contingency(clusters, labels))


def contingency(clusters: npt.ArrayLike, labels: npt.ArrayLike) -> Counts:
    """How often each cluster meets each label: (K, C), over those that occur, sorted."""
    _, rows = np.unique(np.asarray(clusters), return_inverse=True)
    _, columns = np.unique(np.asarray(labels), return_inverse=True)
    table = np.zeros((rows.max(initial=-1) + 1, columns.max(initial=-1) + 1), dtype=np.int64)
    np.add.at(table, (rows, columns), 1)
    return table


def from_table(table: npt.ArrayLike) -> Information:
    """The mutual information of a contingency table.

    Args:
        table: (K, C) counts; clusters and classes that do not occur are allowed.

    Raises, Reference: as `mutual_information`.
    """
    counts = _counts(table, 2)
    n = int(counts.sum())
    of_cluster, of_class = counts.sum(axis=1), counts.sum(axis=0)
    of_cluster, of_class = of_cluster[of_cluster > 0], of_class[of_class > 0]
    if n == 0:
        raise Refused("no tokens: there is nothing to compute mutual information from")
    if len(of_class) < 2:
        raise Refused(f"one class only in {n} tokens: its entropy is zero; at least two classes are needed")
    cluster_entropy, label_entropy = _entropy(of_cluster, n), _entropy(of_class, n)
    joint_entropy = _entropy(counts[counts > 0], n)
    mi = min(max(cluster_entropy + label_entropy - joint_entropy, 0.0), label_entropy, cluster_entropy)
    expected = expected_mutual_information(of_cluster, of_class)
    return Information(mi, label_entropy, cluster_entropy, expected, n, len(of_cluster), len(of_class))


def conditional(tables: npt.ArrayLike) -> Information:
    """The mutual information given a stratum, I(cluster; label | stratum).

    Everything is the mean over strata, weighted by their tokens: MI, H(label | stratum), and the expected MI of
    clusters paired anew with labels within each. A stratum of one class has nothing to tell.

    Args:
        tables: (S, K, C) counts.

    Raises:
        Refused: no stratum has two classes.
    """
    counts = _counts(tables, 3)
    told = [(table.sum(), from_table(table)) for table in counts if (table.sum(axis=0) > 0).sum() > 1]
    if not told:
        raise Refused("one class only in every stratum: nothing is left to be told; more tokens would help")
    n = int(counts.sum())

    def mean(name: str) -> float:
        return float(sum(count * getattr(each, name) for count, each in told) / n)

    entropies = mean("label_entropy"), mean("cluster_entropy")
    seen = counts.sum(axis=0)
    sizes = int(seen.any(axis=1).sum()), int(seen.any(axis=0).sum())
    return Information(mean("mi"), *entropies, mean("expected_mi"), n, *sizes)


def expected_mutual_information(of_cluster: npt.ArrayLike, of_class: npt.ArrayLike) -> float:
    """The mean MI, in nats, over all pairings of clusters of these sizes with classes of these sizes.

    EMI = sum_ij sum_m (m / n) log(n m / (a_i b_j)) P(m), with m, the tokens that cluster i and class j share, from the
    hypergeometric distribution: P(m) = C(a_i, m) C(n - a_i, b_j - m) / C(n, b_j). Equal sizes are computed once.

    Args:
        of_cluster: (K,) tokens per cluster, a_i.
        of_class: (C,) tokens per class, b_j; the same sum n.

    Reference:
        Vinh, Epps & Bailey 2010, eq. 24a.
    """
    a, a_times = np.unique(np.asarray(of_cluster, dtype=np.int64), return_counts=True)
    b, b_times = np.unique(np.asarray(of_class, dtype=np.int64), return_counts=True)
    n = int(a @ a_times)
    size_a, size_b = (grid.ravel() for grid in np.meshgrid(a, b, indexing="ij"))
    times = np.outer(a_times, b_times).ravel()
    fewest, most = np.maximum(1, size_a + size_b - n), np.minimum(size_a, size_b)
    log_factorial = gammaln(np.arange(n + 1) + 1.0)
    blocks = np.cumsum(most - fewest + 1) // TERMS_AT_ONCE
    total = 0.0
    for block in np.unique(blocks):
        pairs = slice(*np.searchsorted(blocks, [block, block + 1]))
        total += _expected_terms(size_a[pairs], size_b[pairs], times[pairs], fewest[pairs], most[pairs], log_factorial)
    return total


def choose_clusters(n: int, classes: int, entropy: float) -> int:
    """The number of clusters K, chosen before anything is fitted.

    The largest of 50, 100, 200, 500, 1000, ... with (K - 1)(C - 1) / (2 n H) <= 0.25, which is the first-order share of
    the label entropy that chance alone gives (EMI / H then comes out near 0.2); never fewer than 50: where even these
    are too many, `analysis.refusal.chance_limit` says so.

    Args:
        n: tokens that are scored.
        classes: C.
        entropy: H(label) in nats.

    Raises:
        Refused: no tokens, or one class only.
    """
    if n < 1 or classes < 2 or entropy <= 0:
        raise Refused(f"{n} tokens of {classes} classes: mutual information needs tokens of at least two classes")
    within = [k for k in CLUSTERS if (k - 1) * (classes - 1) / (2 * n * entropy) <= CHANCE_SHARE]
    return max(within, default=CLUSTERS[0])


def label_entropy(labels: npt.ArrayLike) -> float:
    """H(label) in nats, of (n,) labels; 0 for none."""
    _, counts = np.unique(np.asarray(labels), return_counts=True)
    return _entropy(counts, int(counts.sum()))


def jackknife(tables: npt.ArrayLike) -> JackknifedInformation:
    """Mutual information with intervals over speakers, t quantiles of U - 1 degrees of freedom.

    Every speaker is left out in turn, and chance is computed anew. Never a bootstrap: rows drawn twice look like
    information.

    Args:
        tables: (U, K, C) a contingency table per speaker, or (S, U, K, C) given a stratum; speakers without tokens are
            ignored.

    Raises:
        Refused: fewer than two speakers, or a table without one of them has one class only.
    """
    counts = _counts(tables, 4 if np.ndim(tables) == 4 else 3)
    whole, speakers = (conditional, 1) if counts.ndim == 4 else (from_table, 0)
    counts = np.moveaxis(counts, speakers, 0)
    counts = counts[counts.reshape(len(counts), -1).any(axis=1)]
    if len(counts) < 2:
        raise Refused(f"{len(counts)} speakers: an interval over speakers needs at least two")
    total = counts.sum(axis=0)
    information = whole(total)
    without = [whole(total - table) for table in counts]
    return JackknifedInformation(
        information,
        intervals.jackknife(information.adjusted, [each.adjusted for each in without]),
        intervals.jackknife(information.mi_over_h, [each.mi_over_h for each in without]),
    )


def _counts(table: Any, dimensions: int) -> Counts:
    """Counts as integers; anything else is refused."""
    counts = np.asarray(table)
    if counts.ndim != dimensions or (counts.size and (counts.min() < 0 or (counts != np.floor(counts)).any())):
        raise UserError(f"a table of {counts.shape} {counts.dtype}: give whole counts in {dimensions} dimensions")
    return counts.astype(np.int64)


def _entropy(counts: npt.NDArray[Any], n: int) -> float:
    """-sum p log p of positive counts that sum to n."""
    p = counts / max(n, 1)
    return max(0.0, float(-xlogy(p, p).sum()))


def _expected_terms(a: Counts, b: Counts, times: Counts, fewest: Counts, most: Counts, f: Array) -> float:
    """The expectation of (m / n) log(n m / (a b)) over the hypergeometric m, summed over pairs of sizes a, b."""
    n = len(f) - 1
    terms = most - fewest + 1
    m = np.arange(terms.sum()) + np.repeat(fewest - (np.cumsum(terms) - terms), terms)
    log_ways = np.repeat(f[a] + f[b] + f[n - a] + f[n - b] - f[n], terms)
    a, b, times = np.repeat(a, terms), np.repeat(b, terms), np.repeat(times, terms)
    log_p = log_ways - (f[m] + f[a - m] + f[b - m] + f[n - a - b + m])
    return float((times * (m / n) * np.log(n / a * m / b)) @ np.exp(log_p))
