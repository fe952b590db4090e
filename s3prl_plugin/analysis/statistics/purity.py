"""How well clusters of frames and phones agree, by the three numbers of the HuBERT paper.

With p(y, z) the share of frames of phone y in cluster z:

    phone purity    sum_z p(z) max_y p(y | z)    how often a frame has the commonest phone of its cluster
    cluster purity  sum_y p(y) max_z p(z | y)    how often a frame has the commonest cluster of its phone
    PNMI            I(y; z) / H(y)               the share of the phone's uncertainty that the cluster removes

More clusters raise phone purity and PNMI and lower cluster purity, so that only scores of the same number of clusters
are compared. All three are above zero by chance.

Reference:
    Hsu et al. 2021, "HuBERT: Self-Supervised Speech Representation Learning by Masked Prediction of Hidden Units",
    arXiv 2106.07447, section IV-C.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.stats

from s3prl_plugin.inference import intervals
from s3prl_plugin.inference.intervals import Estimate
from s3prl_plugin.inference.refusal import Refused

SCORES = ("pnmi", "phone_purity", "cluster_purity")


@dataclass(frozen=True, slots=True)
class Purity:
    """How well clusters and phones agree.

    Attributes:
        pnmi, phone_purity, cluster_purity: as above, from 0 to 1.
        n: frames.
        clusters, classes: how many occur.
    """

    pnmi: float
    phone_purity: float
    cluster_purity: float
    n: int
    clusters: int
    classes: int


def from_table(table: npt.ArrayLike) -> Purity:
    """The agreement of a contingency table.

    Args:
        table: (K, C) whole counts of frames; clusters and phones that do not occur are allowed.

    Raises:
        Refused: no frames, or of one phone only (its entropy is zero, so that nothing can be told about it).
    """
    counts = np.asarray(table)
    n = int(counts.sum())
    of_cluster, of_phone = counts.sum(axis=1), counts.sum(axis=0)
    classes = int((of_phone > 0).sum())
    if classes < 2:
        raise Refused(f"{n} frames of {classes} phones: at least two phones are needed")
    entropy, joint = float(scipy.stats.entropy(of_phone)), float(scipy.stats.entropy(counts, axis=None))
    mi = entropy + float(scipy.stats.entropy(of_cluster)) - joint
    return Purity(
        pnmi=min(max(mi / entropy, 0.0), 1.0),
        phone_purity=int(counts.max(axis=1).sum()) / n,
        cluster_purity=int(counts.max(axis=0).sum()) / n,
        n=n,
        clusters=int((of_cluster > 0).sum()),
        classes=classes,
    )


def table_of(cluster: np.ndarray, label: np.ndarray, clusters: int, classes: int) -> npt.NDArray[np.int64]:
    """How often each cluster meets each label, (K, C).

    Args:
        cluster: (n,) 0 <= number < `clusters`.
        label: (n,) 0 <= number < `classes`.
        clusters, classes: K, C.
    """
    cells = np.bincount(cluster * classes + label, minlength=clusters * classes)
    return cells.reshape(clusters, classes)


def jackknife(
    cluster: np.ndarray, label: np.ndarray, speaker: np.ndarray, clusters: int, classes: int
) -> dict[str, Estimate]:
    """Every score of `SCORES` with delete-one-speaker jackknife estimates, over the speakers that have frames.

    Args:
        cluster, label, clusters, classes: as for `table_of`.
        speaker: (n,) integers.

    Raises:
        Refused: fewer than two speakers, or one of them has all frames of all phones but one.
    """
    whole = table_of(cluster, label, clusters, classes)
    speakers = np.unique(speaker)
    if len(speakers) < 2:
        raise Refused(f"{len(speakers)} speakers: an interval over speakers needs at least two")
    without = []
    for each in speakers:
        mine = speaker == each
        without.append(from_table(whole - table_of(cluster[mine], label[mine], clusters, classes)))
    total = from_table(whole)
    return {s: intervals.jackknife(getattr(total, s), [getattr(one, s) for one in without]) for s in SCORES}
