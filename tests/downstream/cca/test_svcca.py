"""SVCCA against its definition on the rows: SVD to 99 % of the variance, then plain CCA."""

import numpy as np
import pytest
import scipy.stats

from s3prl_plugin.analysis.statistics.view_moments import Moments
from s3prl_plugin.downstream.cca import svcca
from s3prl_plugin.downstream.cca.pair import PairOfViews
from s3prl_plugin.inference import intervals
from s3prl_plugin.inference.refusal import Refused

FOLDS = 5


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    latent = rng.standard_normal((500, 4))
    x = latent @ rng.standard_normal((4, 12)) @ np.diag(np.logspace(0, -2, 12)) + 0.02 * rng.standard_normal((500, 12))
    y = latent @ rng.standard_normal((4, 6)) * np.logspace(0, -2, 6) + 0.3 * rng.standard_normal((500, 6)) + 3
    return x - 7, y, rng.integers(0, FOLDS, 500)


def pair(x, y, fold):
    return PairOfViews([Moments.of(x[fold == f], y[fold == f]) for f in np.unique(fold)])


def truncated(view, train):
    """The rows along the singular directions of the training rows that hold 99 % of their variance."""
    centred = view - view[train].mean(axis=0)
    _, s, vt = np.linalg.svd(centred[train], full_matrices=False)
    kept = int(np.argmax(np.cumsum(s**2) >= 0.99 * (s**2).sum())) + 1
    return centred @ vt[:kept].T


def plainly(x, y, fold):
    """Per fold, the mean correlation of canonical variates on the held-out rows."""
    found = []
    for f in np.unique(fold):
        train, test = fold != f, fold == f
        u, v = truncated(x, train), truncated(y, train)
        q_u, q_v = np.linalg.qr(u[train]), np.linalg.qr(v[train])
        left, _, right = np.linalg.svd(q_u[0].T @ q_v[0], full_matrices=False)
        a, b = u @ np.linalg.solve(q_u[1], left), v @ np.linalg.solve(q_v[1], right.T)
        found.append(np.mean([scipy.stats.pearsonr(p, q).statistic for p, q in zip(a[test].T, b[test].T, strict=True)]))
    return found


def test_it_is_what_the_paper_defines(rows):
    estimate = svcca.cross_validate(pair(*rows))
    expected = plainly(*rows)
    assert estimate.value == pytest.approx(np.mean(expected), abs=1e-9)
    assert estimate.interval() == pytest.approx(intervals.nadeau_bengio(expected).interval(), abs=1e-9)


def test_replicates_are_the_same_without_a_fold(rows):
    x, y, fold = rows
    estimate = svcca.jackknife(pair(*rows))
    assert estimate.value == pytest.approx(np.mean(plainly(*rows)), abs=1e-9)
    for f in range(FOLDS):
        kept = fold != f
        assert estimate.replicates[f] == pytest.approx(np.mean(plainly(x[kept], y[kept], fold[kept])), abs=1e-9)


def rotation(d, seed):
    return np.linalg.qr(np.random.default_rng(seed).standard_normal((d, d)))[0]


def test_it_is_invariant_under_rotation_scale_and_offset_of_either_view_and_under_nothing_else(rows):
    x, y, fold = rows
    plain = svcca.cross_validate(pair(x, y, fold)).value
    moved = svcca.cross_validate(pair(-3 * x @ rotation(12, 1) + 50, 0.1 * y @ rotation(6, 2) - 9, fold)).value
    assert moved == pytest.approx(plain, abs=1e-8)
    scaled = svcca.cross_validate(pair(x * np.r_[1e3, np.ones(11)], y, fold)).value
    assert abs(scaled - plain) > 0.1


def test_the_whitening_holds_99_percent_with_the_fewest_directions(rows):
    moments = Moments.of(rows[0], rows[1]).x
    whitening = svcca.whiten_truncated(moments)
    values = np.sort(np.linalg.eigvalsh(moments.scatter))[::-1]
    kept = whitening.rank
    assert values[:kept].sum() >= 0.99 * values.sum() > values[: kept - 1].sum()
    np.testing.assert_allclose(whitening.map @ moments.scatter @ whitening.map.T, np.eye(kept), atol=1e-9)


def test_constant_dimensions_change_nothing_and_constant_views_are_refused(rows):
    x, y, fold = rows
    plain = svcca.cross_validate(pair(x, y, fold)).value
    with_constant = svcca.cross_validate(pair(np.column_stack([x, np.full(500, 1e6)]), y, fold)).value
    assert with_constant == pytest.approx(plain, abs=1e-9)
    with pytest.raises(Refused, match="constant"):
        svcca.cross_validate(pair(np.full_like(x, 0.1), y, fold))
