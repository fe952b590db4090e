import tracemalloc

import numpy as np
import pytest
from sklearn.cluster import kmeans_plusplus
from threadpoolctl import threadpool_limits

from s3prl_plugin.analysis.information import clusters
from s3prl_plugin.analysis.information.clusters import DEFAULT, Clusters, KMeansSettings, learn, predict, start
from s3prl_plugin.inference.refusal import Refused


@pytest.fixture(scope="module")
def blobs():
    """Five well separated clouds in ten dimensions."""
    rng = np.random.default_rng(0)
    centre = 10 * rng.standard_normal((5, 10))
    label = rng.integers(5, size=900)
    return (centre[label] + rng.standard_normal((900, 10))).astype(np.float32), label


def test_clouds_are_told_apart_in_rows_that_were_not_trained_on(blobs):
    x, label = blobs
    cluster = predict(x[:600], x[600:], 5, 0, DEFAULT)
    pairs = set(zip(cluster.tolist(), label[600:].tolist(), strict=True))
    assert len(pairs) == 5


def test_neither_a_repetition_nor_threads_change_the_clusters(blobs):
    x, _ = blobs
    first = predict(x[:600], x[600:], 40, 3, DEFAULT)
    with threadpool_limits(limits=2):
        again = predict(x[:600], x[600:], 40, 3, DEFAULT)
    np.testing.assert_array_equal(first, again)
    assert (first != predict(x[:600], x[600:], 40, 4, DEFAULT)).any()


def test_more_clusters_than_rows_are_refused(blobs):
    with pytest.raises(Refused, match="30 training segments for 50 clusters"):
        predict(blobs[0][:30], blobs[0], 50, 0, DEFAULT)


def test_an_offset_or_a_scale_changes_nothing(blobs):
    x, _ = blobs
    at_home = predict(x[:600], x[600:], 20, 1, DEFAULT)
    for moved in (x + 1000, x * 1024.0, x * 2.0**-20):
        assert np.mean(at_home == predict(moved[:600], moved[600:], 20, 1, DEFAULT)) > 0.995


def test_nearest_is_the_nearest_by_brute_force():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(9000, 5)).astype(np.float32)
    learned = Clusters(np.full(5, 0.5), np.array([2.0, 2, 2, 2, 0]), rng.normal(size=(40, 5)).astype(np.float32))
    seen = (rows - 0.5) * [2, 2, 2, 2, 0]
    distance = ((seen[:, None] - learned.centres) ** 2).sum(2)
    assert np.array_equal(learned.nearest(rows), distance.argmin(1))


def test_settings_of_their_own_are_used(blobs):
    x, label = blobs
    learned = learn(x, 5, 1, KMeansSettings(10_000, 100, 3, patience=100, reassignment_ratio=0.0), "frames")
    assert len(learned) == 5
    assert len(set(zip(learned.nearest(x).tolist(), label.tolist(), strict=True))) == 5


@pytest.mark.parametrize("tabled", [clusters.TABLED, 0])
@pytest.mark.parametrize(("n", "k"), [(300, 2), (700, 120)])
def test_a_start_is_that_of_scikit_learn(n, k, tabled, monkeypatch):
    monkeypatch.setattr(clusters, "TABLED", tabled)
    rows = np.random.default_rng(0).standard_normal((n, 9)).astype(np.float32) * np.linspace(
        3, 0.1, 9, dtype=np.float32
    )
    expected, _ = kmeans_plusplus(rows, k, random_state=5)
    np.testing.assert_array_equal(start(rows, k, np.random.RandomState(5)), expected)


def test_a_start_among_many_rows_keeps_no_table_of_their_products():
    rows = np.random.default_rng(0).standard_normal((2 * clusters.TABLED, 4)).astype(np.float32)
    tracemalloc.start()
    start(rows, 10, np.random.RandomState(5))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 0.05 * 8 * len(rows) ** 2
