"""CCA from moments against its definition on the rows: a generalised eigenproblem, and correlations of projections."""

import numpy as np
import pytest
import scipy.linalg
import scipy.stats

from s3prl_plugin.analysis.planning.labels import one_hot
from s3prl_plugin.analysis.statistics.view_moments import Moments, ViewMoments
from s3prl_plugin.downstream.cca import canonical
from s3prl_plugin.downstream.cca.canonical import correlations, determined, fit, precision, whiten
from s3prl_plugin.downstream.cca.pair import FoldedView


@pytest.fixture
def views():
    rng = np.random.default_rng(0)
    y = rng.standard_normal((400, 6))
    x = y @ rng.standard_normal((6, 10)) + 3 * rng.standard_normal((400, 10)) + 7
    return x, y


def directions_of(moments):
    return fit(whiten(moments.x), whiten(moments.y), moments.xy)


def by_eigenproblem(x, y):
    """Canonical correlations: Sxy inv(Syy) Syx a = rho^2 Sxx a."""
    joint = np.cov(x.T, y.T)
    d = x.shape[1]
    xx, xy, yy = joint[:d, :d], joint[:d, d:], joint[d:, d:]
    squares = scipy.linalg.eigh(xy @ np.linalg.solve(yy, xy.T), xx, eigvals_only=True)
    return np.sqrt(np.maximum(squares[::-1][: y.shape[1]], 0))


@pytest.mark.parametrize("swap", [False, True])
def test_training_correlations_solve_the_eigenproblem(views, swap):
    x, y = views
    found = directions_of(Moments.of(y, x) if swap else Moments.of(x, y))
    np.testing.assert_allclose(found.correlations, by_eigenproblem(x, y), atol=1e-10)


def test_held_out_correlations_are_those_of_projected_rows(views):
    x, y = views
    found = directions_of(Moments.of(x[:300], y[:300]))
    held_out = correlations(found, Moments.of(x[300:], y[300:]))
    a, b = x[300:] @ found.x.T, y[300:] @ found.y.T
    expected = [scipy.stats.pearsonr(a[:, i], b[:, i]).statistic for i in range(6)]
    np.testing.assert_allclose(held_out, expected, atol=1e-12)


def test_on_the_training_rows_they_are_the_singular_values(views):
    moments = Moments.of(*views)
    found = directions_of(moments)
    np.testing.assert_allclose(correlations(found, moments), found.correlations, atol=1e-12)


def test_variates_are_uncorrelated_with_each_other(views):
    moments = Moments.of(*views)
    found = directions_of(moments)
    np.testing.assert_allclose(found.x @ moments.x.scatter @ found.x.T, np.eye(6), atol=1e-10)
    np.testing.assert_allclose(found.y @ moments.y.scatter @ found.y.T, np.eye(6), atol=1e-10)
    np.testing.assert_allclose(found.x @ moments.xy @ found.y.T, np.diag(found.correlations), atol=1e-10)


def test_both_whitenings_give_the_same_scores(views, monkeypatch):
    train, test = Moments.of(*(v[:300] for v in views)), Moments.of(*(v[300:] for v in views))
    triangular = correlations(directions_of(train), test)
    monkeypatch.setattr(canonical, "_triangular", lambda _: None)
    np.testing.assert_allclose(correlations(directions_of(train), test), triangular, atol=1e-10)


def test_whitening_whitens():
    rng = np.random.default_rng(1)
    view = ViewMoments.of(rng.standard_normal((200, 5)) * [1, 1e-6, 1e6, 1, 1] + [0, 0, 0, 1e6, 0])
    whitening = whiten(view)
    assert whitening.rank == 5
    np.testing.assert_allclose(whitening.map @ view.scatter @ whitening.map.T, np.eye(5), atol=1e-9)


@pytest.mark.parametrize(
    ("spoil", "rank"),
    [
        (lambda x: np.column_stack([x, np.full(len(x), 0.1)]), 5),
        (lambda x: np.column_stack([x, np.full(len(x), 1e6)]), 5),
        (lambda x: np.column_stack([x, x[:, 0]]), 5),
        (lambda x: np.column_stack([x, x @ np.arange(1, 6) - 3]), 5),
        (lambda x: x[:4], 3),
        (lambda x: np.zeros_like(x), 0),
        (lambda x: x[:1], 0),
        (lambda x: x[:0], 0),
        (lambda x: one_hot(np.arange(len(x)) % 7, np.arange(9)), 6),
    ],
    ids=["constant", "huge constant", "duplicate", "combination", "few rows", "zeros", "one row", "empty", "one-hot"],
)
def test_directions_without_variance_are_dropped(spoil, rank):
    x = np.random.default_rng(2).standard_normal((100, 5))
    view = ViewMoments.of(spoil(x))
    whitening = whiten(view)
    assert whitening.rank == rank
    np.testing.assert_allclose(whitening.map @ view.scatter @ whitening.map.T, np.eye(rank), atol=1e-9)


@pytest.mark.parametrize("noise", [1e-16, 1e-10, 1e-8, 3e-7, 3e-6])
def test_a_null_direction_is_dropped_whatever_rounding_makes_of_it(noise):
    """Rounded as float32 rounds: the direction's variance is small, but not as small as arithmetic would leave it."""
    rng = np.random.default_rng(4)
    x = rng.standard_normal((2000, 40))
    x -= x.mean(axis=1, keepdims=True)
    assert whiten(ViewMoments.of(x + noise * rng.standard_normal(x.shape))).rank == 39


def test_a_small_direction_is_kept():
    rng = np.random.default_rng(5)
    x = rng.standard_normal((2000, 40))
    x += (1e-3 - 1) * x.mean(axis=1, keepdims=True)
    assert whiten(ViewMoments.of(x)).rank == 40


def test_a_direction_that_does_not_vary_on_held_out_rows_counts_zero(views):
    x, y = views
    found = directions_of(Moments.of(x, y))
    still = correlations(found, Moments.of(x[:50], np.tile(y[:1], (50, 1))))
    assert (still == 0).all()


def test_a_ridge_lowers_the_training_correlations(views):
    moments = Moments.of(*views)
    ridged = fit(whiten(moments.x, 0.5), whiten(moments.y, 0.5), moments.xy)
    assert (ridged.correlations < directions_of(moments).correlations).all()


@pytest.mark.parametrize("smallest", [1.0, 1e-6, 1e-16])
@pytest.mark.parametrize("constant", [False, True])
def test_a_precision_is_the_generalised_inverse(smallest, constant):
    """Of a view with a direction that is small, or as good as null, and of one with a dimension that is constant."""
    rng = np.random.default_rng(2)
    rows = rng.standard_normal((300, 8)) @ np.diag([1, 1, 1, 1, 1, 1, 1, np.sqrt(smallest)])
    rows = rows @ scipy.stats.ortho_group.rvs(8, random_state=0)
    view = ViewMoments.of(np.column_stack([rows, np.full(300, 3.0)]) if constant else rows)
    found, of_whitening = precision(view), whiten(view).precision()
    assert found.rank == of_whitening.rank == np.linalg.matrix_rank(view.scatter, tol=1e-10 * view.scatter.max())
    np.testing.assert_allclose(found.matrix, of_whitening.matrix, rtol=1e-6, atol=1e-6 * np.abs(found.matrix).max())
    again = view.scatter @ found.matrix @ view.scatter
    np.testing.assert_allclose(again, view.scatter, atol=1e-7 * view.scatter.max())


def normalised(seed):
    """Rows of 40 dimensions that add up to nothing, as after a layer normalisation."""
    rows = np.random.default_rng(seed).standard_normal((400, 40)) @ np.diag(np.geomspace(1, 1e-2, 40))
    return rows - rows.mean(axis=1, keepdims=True)


def generalised_inverse(view):
    """By eigenvectors."""
    return np.linalg.pinv(view.scatter, rcond=1e-10, hermitian=True)


@pytest.mark.parametrize("left_out", [[], [7], [3, 7]], ids=["none", "one", "one too many"])
def test_dimensions_that_others_determine_are_looked_at_again(left_out):
    """Whatever is left out, the inverse is one of the scatter, and of its rank."""
    view = ViewMoments.of(normalised(5))
    found = precision(view, left_out=np.array(left_out, dtype=np.intp))
    assert found.rank == 39
    seen, expected = (view.scatter @ each @ view.scatter for each in (found.matrix, generalised_inverse(view)))
    np.testing.assert_allclose(seen, expected, atol=1e-9 * view.scatter.max())


def test_no_dimension_is_left_out_that_others_do_not_determine():
    view = ViewMoments.of(np.random.default_rng(6).standard_normal((400, 40)))
    assert not determined(view).size
    found = precision(view, left_out=np.array([7]))
    assert found.rank == 40
    np.testing.assert_allclose(found.matrix, np.linalg.inv(view.scatter), rtol=1e-9, atol=1e-12)


def test_all_training_sets_leave_out_what_all_rows_determine(monkeypatch):
    """So that pivots are taken once a view; a dimension that varies in one fold only is none."""
    folds = [ViewMoments.of(normalised(seed)) for seed in range(4)]
    rows = normalised(4)
    rows[:, 5] += np.random.default_rng(7).standard_normal(len(rows))
    view, spoilt = FoldedView(folds), FoldedView([*folds, ViewMoments.of(rows)])
    taken, pivoted = [], scipy.linalg.lapack.dpstrf
    monkeypatch.setattr(scipy.linalg.lapack, "dpstrf", lambda *a, **k: taken.append(1) or pivoted(*a, **k))
    assert [view.precision(frozenset([i])).rank for i in range(4)] == [39] * 4
    assert len(taken) == 1
    assert [spoilt.precision(frozenset([i])).rank for i in range(5)] == [40] * 4 + [39]
    for i in range(4):
        training = view.training(frozenset([i]))
        seen = training.scatter @ view.precision(frozenset([i])).matrix @ training.scatter
        np.testing.assert_allclose(seen, training.scatter, atol=1e-9 * training.scatter.max())


def test_few_different_rows_need_no_eigenvectors(monkeypatch):
    """Their null directions are many, and what is left of each is rounding."""
    rng = np.random.default_rng(4)
    rows = rng.standard_normal((20, 48))[rng.integers(20, size=400)]
    view = ViewMoments.of(rows)
    by_eigenvectors = np.linalg.pinv(view.scatter, rcond=1e-10, hermitian=True)
    monkeypatch.setattr(canonical, "_spectral", None)
    found = precision(view)
    assert found.rank == whiten(view).rank == 19
    seen, of_pinv = (view.scatter @ each @ view.scatter for each in (found.matrix, by_eigenvectors))
    np.testing.assert_allclose(seen, of_pinv, atol=1e-9 * view.scatter.max())
