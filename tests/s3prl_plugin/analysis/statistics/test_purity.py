"""Purity and PNMI against their definitions over frames, scikit-learn, and limits."""

from collections import Counter

import numpy as np
import pytest
import scipy.stats
from sklearn.metrics import homogeneity_score

from s3prl_plugin.analysis.statistics.purity import SCORES, from_table, jackknife, table_of
from s3prl_plugin.inference.refusal import Refused


def draw(seed, n=400, clusters=12, classes=5, noise=0.5):
    """Clusters that follow the label, up to noise."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, classes, n)
    return np.where(rng.random(n) < noise, rng.integers(0, clusters, n), label), label


def purity(of, group):
    """The share of frames that have the commonest `of` of their `group`, counted one by one."""
    commonest = {g: Counter(of[group == g].tolist()).most_common(1)[0][1] for g in set(group.tolist())}
    return sum(commonest.values()) / len(of)


@pytest.mark.parametrize("seed", range(4))
def test_it_is_the_definition(seed):
    cluster, label = draw(seed)
    found = from_table(table_of(cluster, label, 12, 5))
    assert found.phone_purity == pytest.approx(purity(label, cluster))
    assert found.cluster_purity == pytest.approx(purity(cluster, label))
    # Homogeneity is 1 - H(class | cluster) / H(class), which is I / H.
    assert found.pnmi == pytest.approx(homogeneity_score(label, cluster))
    assert (found.n, found.clusters, found.classes) == (400, len(set(cluster)), 5)


@pytest.mark.parametrize("seed", range(3))
def test_names_and_order_do_not_matter_nor_clusters_and_phones_that_do_not_occur(seed):
    cluster, label = draw(seed)
    rng = np.random.default_rng(seed)
    order = rng.permutation(400)
    renamed = rng.permutation(30)[:12][cluster[order]], rng.permutation(9)[:5][label[order]]
    a, b = from_table(table_of(cluster, label, 12, 5)), from_table(table_of(*renamed, 30, 9))
    for score in SCORES:
        assert getattr(a, score) == pytest.approx(getattr(b, score), abs=1e-12)
    assert (a.clusters, a.classes) == (b.clusters, b.classes)


def test_the_limits():
    label = np.arange(60) % 4
    perfect = from_table(table_of(label, label, 4, 4))
    assert (perfect.pnmi, perfect.phone_purity, perfect.cluster_purity) == pytest.approx((1, 1, 1))
    one_cluster = from_table(table_of(np.zeros(60, int), label, 4, 4))
    assert (one_cluster.pnmi, one_cluster.phone_purity, one_cluster.cluster_purity) == pytest.approx((0, 0.25, 1))
    alone = from_table(table_of(np.arange(60), label, 60, 4))
    assert (alone.pnmi, alone.phone_purity, alone.cluster_purity) == pytest.approx((1, 1, 1 / 15))
    split = from_table(table_of(2 * label + (np.arange(60) // 4) % 2, label, 8, 4))
    assert (split.pnmi, split.phone_purity, split.cluster_purity) == pytest.approx((1, 1, 8 / 15))


def test_planted_agreement():
    """The cluster is the phone with probability 0.7, else any other one."""
    rng = np.random.default_rng(0)
    label = rng.integers(0, 8, 200_000)
    wrong = (label + rng.integers(1, 8, 200_000)) % 8
    found = from_table(table_of(np.where(rng.random(200_000) < 0.7, label, wrong), label, 8, 8))
    assert found.phone_purity == pytest.approx(0.7, abs=0.005)
    assert found.cluster_purity == pytest.approx(0.7, abs=0.005)
    channel = scipy.stats.entropy([0.7, *[0.3 / 7] * 7])
    assert found.pnmi == pytest.approx(1 - channel / np.log(8), abs=0.005)


@pytest.mark.parametrize(("label", "message"), [([], "0 frames"), ([3, 3, 3], "3 frames of 1 phones")])
def test_what_cannot_be_told_is_refused(label, message):
    with pytest.raises(Refused, match=message):
        from_table(table_of(np.zeros(len(label), int), np.array(label, dtype=int), 2, 4))


def test_the_jackknife_leaves_out_each_speaker():
    cluster, label = draw(0)
    speaker = np.random.default_rng(0).integers(0, 6, 400) * 3
    found = jackknife(cluster, label, speaker, 12, 5)
    for score in SCORES:
        assert found[score].value == getattr(from_table(table_of(cluster, label, 12, 5)), score)
        for i, left_out in enumerate(np.unique(speaker)):
            rest = speaker != left_out
            without = from_table(table_of(cluster[rest], label[rest], 12, 5))
            assert found[score].replicates[i] == getattr(without, score)
    with pytest.raises(Refused, match="1 speakers"):
        jackknife(cluster, label, np.zeros(400), 12, 5)
    with pytest.raises(Refused, match="1 phones"):
        jackknife(cluster, np.minimum(label, 1) * (speaker == 0), speaker, 12, 5)
