"""Partial CCA against its definition on the rows: regress with training coefficients, then the same CCA."""

import literal_r2
import numpy as np
import pytest
import scipy.stats

from s3prl_plugin.analysis.planning import labels
from s3prl_plugin.analysis.planning.labels import one_hot
from s3prl_plugin.analysis.statistics.view_moments import Moments
from s3prl_plugin.downstream.cca import r2
from s3prl_plugin.downstream.cca.controlled import ControlledPair
from s3prl_plugin.downstream.cca.default import cross_validate, cross_validate_pair, jackknife_pair
from s3prl_plugin.downstream.cca.pair import PairOfViews
from s3prl_plugin.inference.refusal import Refused

FOLDS = 5


@pytest.fixture(scope="module")
def tokens():
    """A layer that knows labels and durations; durations depend on the label."""
    rng = np.random.default_rng(0)
    label = rng.integers(0, 6, 900)
    log_duration = 0.5 * rng.standard_normal(6)[label] + 0.4 * rng.standard_normal(900)
    x = rng.standard_normal((6, 10))[label] + np.outer(log_duration, rng.standard_normal(10))
    x += 1.5 * rng.standard_normal((900, 10)) + 40
    return x, one_hot(label, np.arange(6)), log_duration, np.arange(900) % FOLDS


def deciles(log_duration):
    code = labels.quantile_of(np.rint(1000 * np.exp(log_duration)).astype(int))
    return one_hot(code, np.unique(code))


def controlled(x, y, z, fold, folds=FOLDS):
    both = np.column_stack([x, y])
    return ControlledPair([Moments.of(both[fold == f], z[fold == f]) for f in range(folds)], x.shape[1])


def per_fold(x, y, fold, folds=FOLDS):
    return [Moments.of(x[fold == f], y[fold == f]) for f in range(folds)]


def residuals(view, z, train):
    """What a least-squares fit on the training rows leaves of all rows."""
    design = np.column_stack([np.ones(len(z)), z])
    return view - design @ np.linalg.lstsq(design[train], view[train], rcond=None)[0]


def plainly(x, y, z, fold):
    """(mean training, mean held-out) correlation of the residuals, fold by fold, by the definition."""
    train_r, held_out_r = [], []
    for f in np.unique(fold):
        train, test = fold != f, fold == f
        u, v = residuals(x, z, train), residuals(y, z, train)[:, :-1]  # one-hot columns sum to one: drop the last
        roots = [np.linalg.cholesky(np.linalg.inv(np.cov(view[train].T))) for view in (u, v)]
        cross = np.cov(u[train].T, v[train].T)[: x.shape[1], x.shape[1] :]
        left, s, right = np.linalg.svd(roots[0].T @ cross @ roots[1], full_matrices=False)
        a, b = u @ roots[0] @ left, v @ roots[1] @ right.T
        train_r.append(s.mean())
        held_out_r.append(np.mean([scipy.stats.pearsonr(a[test, i], b[test, i]).statistic for i in range(len(s))]))
    return np.mean(train_r), np.mean(held_out_r)


def test_it_is_the_cca_of_residuals(tokens):
    x, y, log_duration, fold = tokens
    z = deciles(log_duration)
    scores = cross_validate_pair(controlled(x, y, z, fold), 5)
    train_r, r = plainly(x, y, z, fold)
    assert scores.train_correlations.mean() == pytest.approx(train_r, abs=1e-9)
    assert scores.r == pytest.approx(r, abs=1e-9)
    assert (scores.n, scores.n_over_d) == (900, 72.0)


def test_held_out_moments_are_those_of_residuals(tokens):
    x, y, log_duration, fold = tokens
    z = deciles(log_duration)
    pair = controlled(x, y, z, fold)
    left_out = frozenset([1, 3])
    pair.fit(left_out, 5)
    train = (fold != 1) & (fold != 3)
    u, v = residuals(x, z, train), residuals(y, z, train)
    found, expected = zip(
        *((pair.held_out(f, left_out), Moments.of(u[fold == f], v[fold == f])) for f in (1, 3)), strict=True
    )
    for one, other in zip(found, expected, strict=True):
        assert one.n == other.n
        np.testing.assert_allclose(one.scatter, other.scatter, atol=1e-8)
    # Means have no intercept taken off, which is the same for all folds.
    np.testing.assert_allclose(found[1].mean - found[0].mean, expected[1].mean - expected[0].mean, atol=1e-10)


def test_replicates_are_the_same_without_a_fold(tokens):
    x, y, log_duration, fold = tokens
    z = deciles(log_duration)
    found = jackknife_pair(controlled(x, y, z, fold), 5)
    for f in range(FOLDS):
        kept = fold != f
        _, r = plainly(x[kept], y[kept], z[kept], fold[kept])
        assert found.r.replicates[f] == pytest.approx(r, abs=1e-9)


def test_r2_is_that_of_residuals(tokens):
    x, y, log_duration, fold = tokens
    z = deciles(log_duration)
    found = r2.cross_validate(controlled(x, y, z, fold))
    expected = literal_r2.per_fold(x, y, fold, transform=lambda view, train: residuals(view, z, train))
    np.testing.assert_allclose(found.per_fold, expected, atol=1e-10)
    assert found.k == 5


def test_what_only_the_control_explains_is_gone():
    """A layer that knows durations alone tells labels by their durations, and nothing when these are held constant."""
    rng = np.random.default_rng(1)
    label = rng.integers(0, 6, 3000)
    log_duration = np.array([-1.5, -0.9, -0.3, 0.3, 0.9, 1.5])[label] + 0.5 * rng.standard_normal(3000)
    z, y, fold = deciles(log_duration), one_hot(label, np.arange(6)), np.arange(3000) % FOLDS
    x = z @ rng.standard_normal((z.shape[1], 8)) + 0.5 * rng.standard_normal((3000, 8))
    assert cross_validate(per_fold(x, y, fold), 5).r > 0.2
    found = r2.cross_validate(controlled(x, y, z, fold))
    low, high = found.interval()
    assert low < 0 < high
    assert abs(found.value) < 0.01


def test_a_control_that_knows_nothing_changes_little(tokens):
    x, y, _, fold = tokens
    z = deciles(np.random.default_rng(2).standard_normal(900))
    plain = r2.cross_validate(PairOfViews(per_fold(x, y, fold)))
    assert r2.cross_validate(controlled(x, y, z, fold)).value == pytest.approx(plain.value, abs=0.02)


def test_a_constant_control_changes_nothing(tokens):
    x, y, _, fold = tokens
    plain = cross_validate(per_fold(x, y, fold), 5)
    found = cross_validate_pair(controlled(x, y, np.ones((900, 1)), fold), 5)
    np.testing.assert_allclose(found.correlations, plain.correlations, atol=1e-9)
    assert found.pwcca == pytest.approx(plain.pwcca, abs=1e-9)


def test_it_is_invariant_under_invertible_maps_and_offsets(tokens):
    x, y, log_duration, fold = tokens
    z = deciles(log_duration)
    plain = cross_validate_pair(controlled(x, y, z, fold), 5)
    mapped = x @ np.random.default_rng(3).standard_normal((10, 10)) + 1e6
    found = cross_validate_pair(controlled(mapped, y, z * 7 - 2, fold), 5)
    np.testing.assert_allclose(found.correlations, plain.correlations, atol=1e-6)


def test_a_function_of_the_labels_is_one_null_direction_more(tokens):
    """As the log frequency of words would be."""
    x, y, _, fold = tokens
    z = (y @ np.array([0.3, 1.2, 2.0, 0.1, 5.0, 0.7]))[:, None]
    scores = cross_validate_pair(controlled(x, y, z, fold), 5)
    assert (scores.correlations[:, :4] != 0).all()
    assert (scores.correlations[:, 4] == 0).all()


def test_what_the_control_determines_is_left_out(tokens):
    x, y, log_duration, fold = tokens
    z = deciles(log_duration)
    plain = cross_validate_pair(controlled(x, y, z, fold), 5)
    with_copy = cross_validate_pair(controlled(np.column_stack([x, 3 * z[:, 2] + 5]), y, z, fold), 5)
    np.testing.assert_allclose(with_copy.correlations, plain.correlations, atol=1e-8)
    with pytest.raises(Refused, match="constant"):
        cross_validate_pair(controlled(z[:, :3], y, z, fold), 5)
    with pytest.raises(Refused, match="constant"):
        cross_validate_pair(controlled(x, y, y, fold), 5)


def test_deciles_are_tenths_that_do_not_divide_equal_durations():
    rng = np.random.default_rng(4)
    duration = rng.permutation(1000)
    codes = labels.quantile_of(duration)
    assert sorted(np.bincount(codes).tolist()) == [100] * 10
    assert (np.diff(codes[np.argsort(duration)]) >= 0).all()
    coarse = rng.choice([480, 640, 800], 1000, p=[0.7, 0.2, 0.1])
    codes = labels.quantile_of(coarse)
    assert all(len(set(codes[coarse == d].tolist())) == 1 for d in (480, 640, 800))
    assert len(set(codes.tolist())) == 3
    assert len(labels.quantile_of(np.zeros(0))) == 0
