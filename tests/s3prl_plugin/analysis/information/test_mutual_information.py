"""Mutual information against the published tool, scikit-learn, and the definition over all pairings."""

import itertools
import json
import math

import numpy as np
import pytest
import scipy.stats
from sklearn.metrics import adjusted_mutual_info_score, mutual_info_score
from sklearn.metrics.cluster import contingency_matrix
from sklearn.metrics.cluster import expected_mutual_information as sklearn_expected

from s3prl_plugin.analysis.information.mutual_information import (
    choose_clusters,
    conditional,
    contingency,
    expected_mutual_information,
    from_table,
    jackknife,
    label_entropy,
)
from s3prl_plugin.downstream.mi import mutual_information
from s3prl_plugin.errors import UserError
from s3prl_plugin.inference.refusal import Refused, chance_limit

ORACLES = ["tiny", "phone_good", "phone_random", "word_random", "word_good", "perfect", "const"]


def draw(seed, n=500, clusters=12, classes=5, noise=0.5):
    """Clusters that follow the label, up to noise."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, n)
    return np.where(rng.random(n) < noise, rng.integers(0, clusters, n), labels), labels


@pytest.mark.parametrize("name", ORACLES)
def test_it_is_the_published_tools(shared, name):
    folder = shared / "oracle" / "measures"
    expected = json.loads((folder / "mi.json").read_text())[name]
    with np.load(folder / "mi.npz", allow_pickle=False) as arrays:
        found = mutual_information(arrays[f"{name}_cluster"], arrays[f"{name}_label"])
    assert found.mi == pytest.approx(expected["MI_nats"], abs=1e-10)
    assert found.label_entropy == pytest.approx(expected["H_label"], abs=1e-10)
    assert found.cluster_entropy == pytest.approx(expected["H_cluster"], abs=1e-10)
    assert found.mi_over_h == pytest.approx(expected["ref_score_MI_over_Hlabel"], abs=1e-10)
    assert found.expected_mi == pytest.approx(expected["EMI_nats"], abs=1e-9)
    assert found.adjusted == pytest.approx(expected["bias_corrected_MI_over_H"], abs=1e-9)
    assert (found.n, found.clusters, found.classes) == (expected["n"], expected["K"], expected["C"])


@pytest.mark.parametrize("seed", range(4))
def test_it_is_scikit_learns(seed):
    clusters, labels = draw(seed)
    found = mutual_information(clusters, labels)
    table = contingency_matrix(labels, clusters, sparse=True)
    assert found.mi == pytest.approx(mutual_info_score(labels, clusters))
    assert found.expected_mi == pytest.approx(sklearn_expected(table, 500))
    # Theirs is normalised by the mean of both entropies, ours by the label's.
    theirs = adjusted_mutual_info_score(labels, clusters)
    mean_entropy = (found.label_entropy + found.cluster_entropy) / 2
    assert (found.mi - found.expected_mi) / (mean_entropy - found.expected_mi) == pytest.approx(theirs)


@pytest.mark.parametrize(
    ("clusters", "labels"),
    [([0, 0, 0, 1, 1, 2], list("aabbbc")), ([0, 0, 0, 0, 0, 1], list("aaaabb")), ([0, 0, 0, 0, 1, 1], list("aaaaab"))],
)
def test_chance_is_the_mean_over_all_pairings(clusters, labels):
    pairings = [mutual_info_score(clusters, list(order)) for order in itertools.permutations(labels)]
    assert mutual_information(clusters, labels).expected_mi == pytest.approx(np.mean(pairings))


def test_chance_of_large_counts_is_finite_and_right():
    sizes = np.array([400_000, 600_000, 9_000])
    classes = np.array([509_000, 300_000, 200_000])
    # With so many tokens chance is (K - 1)(C - 1) / 2n, to first order; these are 2.2 million terms.
    assert expected_mutual_information(sizes, classes) == pytest.approx(4 / (2 * 1_009_000), rel=0.001)


@pytest.mark.parametrize("seed", range(3))
def test_names_and_order_do_not_matter(seed):
    clusters, labels = draw(seed)
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(labels))
    renamed = np.array(["x", "q", "a", "m", "zz"])[rng.permutation(5)][labels[order]]
    a, b = mutual_information(clusters, labels), mutual_information(99 - clusters[order] * 3, renamed)
    assert (a.mi, a.expected_mi) == pytest.approx((b.mi, b.expected_mi), abs=1e-12)


def test_planted_information():
    """The cluster is the label with probability p, else any other one: MI is that of a symmetric channel."""
    rng = np.random.default_rng(0)
    n, classes, p = 200_000, 8, 0.7
    labels = rng.integers(0, classes, n)
    wrong = (labels + rng.integers(1, classes, n)) % classes
    clusters = np.where(rng.random(n) < p, labels, wrong)
    error = 1 - p
    truth = math.log(classes) + p * math.log(p) + error * math.log(error / (classes - 1))
    found = mutual_information(clusters, labels)
    assert found.mi == pytest.approx(truth, rel=0.01)
    assert found.adjusted == pytest.approx(truth / math.log(classes), rel=0.01)


def test_independent_clusters_are_zero_after_adjustment_though_not_before():
    rng = np.random.default_rng(1)
    found = [mutual_information(rng.integers(0, 200, 2000), rng.integers(0, 30, 2000)) for _ in range(20)]
    adjusted = [each.adjusted for each in found]
    assert np.mean([each.mi_over_h for each in found]) > 0.3
    assert abs(np.mean(adjusted)) < 3 * scipy.stats.sem(adjusted)
    assert np.std(adjusted) < 0.02


def test_the_limits():
    labels = np.arange(60) % 4
    one_cluster = mutual_information(np.zeros(60), labels)
    assert (one_cluster.mi, one_cluster.expected_mi, one_cluster.adjusted) == pytest.approx((0, 0, 0), abs=1e-12)
    perfect = mutual_information(labels * 7, labels)
    assert (perfect.mi_over_h, perfect.adjusted) == pytest.approx((1, 1))
    alone = mutual_information(np.arange(60), labels)
    assert alone.mi_over_h == pytest.approx(1)
    with pytest.raises(Refused, match="fewer would help"):
        alone.adjusted  # noqa: B018


@pytest.mark.parametrize(
    ("clusters", "labels", "message"), [([], [], "no tokens"), ([0, 1, 2], ["a", "a", "a"], "one class only")]
)
def test_what_has_no_value_is_refused(clusters, labels, message):
    with pytest.raises(Refused, match=message):
        mutual_information(clusters, labels)


@pytest.mark.parametrize(("clusters", "labels"), [([0, 1], [0]), ([[0, 1]], [[0, 1]]), (0, 0)])
def test_lists_that_do_not_fit_are_an_error(clusters, labels):
    with pytest.raises(UserError, match="same length"):
        mutual_information(clusters, labels)


def test_a_table_may_have_empty_rows_and_columns():
    clusters, labels = draw(3)
    table = np.zeros((40, 9), dtype=np.int64)
    np.add.at(table, (clusters * 3, labels), 1)
    assert from_table(table) == mutual_information(clusters, labels)
    assert (contingency(clusters, labels) == table[table.any(axis=1)][:, table.any(axis=0)]).all()


@pytest.mark.parametrize("table", [[[-1, 2], [3, 4]], [[0.5, 1], [1, 1]], [1, 2, 3]])
def test_what_is_no_table_is_an_error(table):
    with pytest.raises(UserError, match="whole counts"):
        from_table(table)


@pytest.mark.parametrize(
    ("n", "classes", "entropy", "clusters"),
    [
        (4815, 38, math.log(38), 200),  # the phones of the TIMIT sample
        (7600, 38, math.log(38), 200),
        (200_000, 38, math.log(38), 5000),
        (7500, 500, math.log(500), 50),
        (300, 40, math.log(40), 50),  # even 50 are too many; chance_limit says so
    ],
)
def test_the_number_of_clusters_keeps_chance_low(n, classes, entropy, clusters):
    chosen = choose_clusters(n, classes, entropy)
    assert chosen == clusters
    share = (chosen - 1) * (classes - 1) / (2 * n * entropy)
    assert share <= 0.25 or chosen == 50
    rng = np.random.default_rng(0)
    found = mutual_information(rng.integers(0, chosen, n), rng.integers(0, classes, n))
    assert (chance_limit(found.chance_share).grey or chance_limit(found.chance_share).refused) is None or share > 0.25


def test_the_number_of_clusters_needs_labels():
    for n, classes, entropy in [(0, 5, 1.0), (50, 1, 0.0)]:
        with pytest.raises(Refused, match="two classes"):
            choose_clusters(n, classes, entropy)


def test_label_entropy_is_scipys():
    labels = list("aabbbbc")
    assert label_entropy(labels) == pytest.approx(scipy.stats.entropy([2, 4, 1]))
    assert label_entropy([]) == 0
    assert label_entropy(["a"] * 9) == 0


def speakers_tables(rng, speakers=16, tokens=100, clusters=20, classes=8, own=60.0):
    """Per speaker, how often clusters and labels meet; every speaker has clusters of their own liking."""
    common = np.random.default_rng(3).dirichlet(np.full(clusters, 0.3), classes) + 0.001
    tables = np.zeros((speakers, clusters, classes), dtype=np.int64)
    for table in tables:
        counts = np.bincount(rng.integers(0, classes, tokens), minlength=classes)
        for label, count in enumerate(counts):
            table[:, label] = rng.multinomial(count, rng.dirichlet(own * common[label]))
    return tables


def test_the_jackknife_leaves_out_each_speaker():
    tables = speakers_tables(np.random.default_rng(0))
    result = jackknife(tables)
    assert result.information == from_table(tables.sum(axis=0))
    assert result.adjusted.value == result.information.adjusted
    assert result.adjusted.degrees == 15
    for left_out in range(16):
        without = from_table(np.delete(tables, left_out, axis=0).sum(axis=0))
        assert result.adjusted.replicates[left_out] == without.adjusted
        assert result.mi_over_h.replicates[left_out] == without.mi_over_h


def test_speakers_without_tokens_are_ignored():
    tables = speakers_tables(np.random.default_rng(0))
    with_silent = np.concatenate([tables, np.zeros_like(tables[:2])])
    assert jackknife(with_silent).adjusted.interval() == jackknife(tables).adjusted.interval()
    with pytest.raises(Refused, match="1 speakers"):
        jackknife(tables[:1])


def test_the_same_tokens_differ_by_nothing():
    result = jackknife(speakers_tables(np.random.default_rng(0)))
    difference = result.adjusted - result.adjusted
    assert (difference.value, *difference.interval()) == (0, 0, 0)


@pytest.mark.slow
@pytest.mark.parametrize(("speakers", "tokens", "own"), [(16, 100, 60.0), (40, 60, 60.0)])
def test_intervals_cover_the_expected_score(speakers, tokens, own):
    runs = 300
    found = []
    for run in range(runs):
        tables = speakers_tables(np.random.default_rng([speakers, run]), speakers, tokens, own=own)
        result = jackknife(tables)
        found.append([(each.value, *each.interval()) for each in (result.adjusted, result.mi_over_h)])
    values = np.array(found)
    expected = values[:, :, 0].mean(axis=0)
    coverage = ((values[:, :, 1] <= expected) & (expected <= values[:, :, 2])).mean(axis=0)
    few, many = scipy.stats.binom.ppf([0.005, 0.995], runs, [0.93, 0.98]) / runs
    assert (few <= coverage).all(), coverage
    assert (coverage <= many).all(), coverage


def test_given_a_stratum_it_is_the_weighted_mean_of_strata():
    rng = np.random.default_rng(5)
    tables = rng.poisson(3, (4, 6, 5))
    tables[3, :, 1:] = 0  # a stratum of one class has nothing to tell, and its tokens still count
    found = conditional(tables)
    n = tables.sum()
    shares = [(t.sum() / n, t) for t in tables[:3]]
    labels = [np.repeat(np.indices(t.shape).reshape(2, -1), t.ravel(), axis=1) for _, t in shares]
    expected = {
        "mi": sum(p * mutual_info_score(y, k) for (p, _), (k, y) in zip(shares, labels, strict=True)),
        "label_entropy": sum(p * scipy.stats.entropy(t.sum(0)) for p, t in shares),
        "expected_mi": sum(
            p * sklearn_expected(contingency_matrix(y, k, sparse=True), len(y))
            for (p, _), (k, y) in zip(shares, labels, strict=True)
        ),
    }
    for name, value in expected.items():
        assert getattr(found, name) == pytest.approx(value, rel=1e-9)
    assert found.n == n


def test_strata_that_a_confounder_makes_leave_nothing():
    rng = np.random.default_rng(6)
    stratum = rng.integers(5, size=4000)
    label, cluster = 2 * stratum + rng.integers(2, size=4000), 3 * stratum + rng.integers(3, size=4000)
    tables = np.zeros((5, 8, 15, 10), dtype=int)
    np.add.at(tables, (stratum, rng.integers(8, size=4000), cluster, label), 1)
    assert from_table(tables.sum(axis=(0, 1))).adjusted > 0.5
    found = jackknife(tables)
    assert abs(found.information.adjusted) < 0.01
    low, high = found.adjusted.interval()
    assert low < 0 < high
