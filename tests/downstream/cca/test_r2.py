"""R2_CCA against its definition on the rows, its invariances, what it refuses; labels; the jackknife."""

import literal_r2
import numpy as np
import pytest
import scipy.stats
from sklearn.linear_model import LinearRegression

from s3prl_plugin.analysis.planning.labels import one_hot
from s3prl_plugin.analysis.statistics.view_moments import Moments
from s3prl_plugin.downstream.cca import r2, r2_cca
from s3prl_plugin.downstream.cca.pair import FoldedView, PairOfViews
from s3prl_plugin.errors import UserError
from s3prl_plugin.inference import intervals
from s3prl_plugin.inference.refusal import Refused

FOLDS = 5


@pytest.fixture(scope="module")
def rows():
    """Two views with correlations of very different sizes, and folds of uneven size."""
    rng = np.random.default_rng(0)
    latent = rng.standard_normal((500, 4))
    x = latent @ (np.diag([3, 1.5, 0.8, 0.3]) @ rng.standard_normal((4, 9))) + rng.standard_normal((500, 9)) + 2
    y = latent @ rng.standard_normal((4, 4)) + 0.5 * rng.standard_normal((500, 4)) - 1
    return x, y, rng.choice(FOLDS, 500, p=[0.3, 0.25, 0.2, 0.15, 0.1])


def pair(x, y, fold, folds=FOLDS, shared=None):
    return PairOfViews([Moments.of(x[fold == f], y[fold == f]) for f in range(folds)], shared)


def test_it_is_its_definition_on_the_rows(rows):
    found = r2_cca(*rows)
    np.testing.assert_allclose(found.per_fold, literal_r2.per_fold(*rows), atol=1e-12)
    assert found.value == pytest.approx(literal_r2.r2(*rows), abs=1e-12)
    assert (found.k, found.ranks, found.n) == (4, (9, 4), 500)
    assert found.n_train == 500 - np.bincount(rows[2]).max()


def test_one_row_far_outside_does_not_decide():
    """A direction that training hardly has, and one held-out row does: such rows are where segments meet silence."""
    rng = np.random.default_rng(2)
    y = rng.standard_normal((800, 4))
    x = np.column_stack([y @ rng.standard_normal((4, 6)) + rng.standard_normal((800, 6)), np.zeros((800, 2))])
    x[:, 6:] = 0.01 * rng.standard_normal((800, 2))
    fold = np.arange(800) % 8
    plain = r2_cca(x, y, fold)
    x[17, 7] = 3.0
    spoilt = r2_cca(x, y, fold)
    assert spoilt.value == pytest.approx(plain.value, rel=0.03)
    assert spoilt.limit.grey is None


def test_in_training_it_is_the_share_of_the_whitened_reference_that_a_regression_explains(rows):
    """Of many rows, where nothing is left to estimate: scikit-learn's R^2 of the whitened reference on the layer."""
    rng = np.random.default_rng(1)
    y = rng.standard_normal((40000, 3)) @ rng.standard_normal((3, 3))
    x = y @ rng.standard_normal((3, 6)) + 2 * rng.standard_normal((40000, 6))
    white = (y - y.mean(0)) @ np.linalg.cholesky(np.linalg.inv(np.cov(y.T)))
    share = LinearRegression().fit(x, white).score(x, white)
    assert r2_cca(x, y, np.arange(40000) % 8).value == pytest.approx(share, abs=1e-3)


def test_the_interval_is_nadeau_and_bengios_over_folds(rows):
    found = r2_cca(*rows)
    reach = found.per_fold.std(ddof=1) * np.sqrt(1 / FOLDS + 1 / (FOLDS - 1))
    for level in (0.95, 0.8):
        quantile = scipy.stats.t.ppf((1 + level) / 2, FOLDS - 1)
        assert found.interval(level) == pytest.approx((found.value - quantile * reach, found.value + quantile * reach))


def test_the_jackknife_is_the_estimate_without_each_fold(rows):
    x, y, fold = rows
    whole = r2.cross_validate(pair(*rows))
    found = r2.jackknife(pair(*rows), whole)
    without = [literal_r2.r2(x[fold != f], y[fold != f], fold[fold != f], k=4) for f in range(FOLDS)]
    np.testing.assert_allclose(found.replicates, without, atol=1e-12)
    assert found.value == whole.value
    assert found.interval() == pytest.approx(intervals.jackknife(whole.value, without).interval())


def test_a_shared_view_is_whitened_once_and_changes_nothing(rows, monkeypatch):
    from s3prl_plugin.downstream.cca import pair as views

    whitened = []
    monkeypatch.setattr(views, "precision", lambda *args, of=views.precision: whitened.append(1) or of(*args))
    x, y, fold = rows
    alone = [r2.cross_validate(pair(x, view, fold)).value for view in (y, y[:, :2] ** 2)]
    assert len(whitened) == 4 * FOLDS
    shared = FoldedView(pair(*rows).x.folds)
    together = [r2.cross_validate(pair(x, view, fold, shared=shared)).value for view in (y, y[:, :2] ** 2)]
    assert together == alone
    assert len(whitened) == 7 * FOLDS


def invertible(d, seed):
    """A map far from a rotation, with a condition of about 1e3."""
    rng = np.random.default_rng(seed)
    q, _ = np.linalg.qr(rng.standard_normal((d, d)))
    return q * np.logspace(-2, 1, d) @ np.linalg.qr(rng.standard_normal((d, d)))[0]


@pytest.mark.parametrize("seed", range(3))
def test_it_is_invariant_under_any_invertible_map_of_either_view(rows, seed):
    x, y, fold = rows
    mapped = r2_cca(x @ invertible(9, seed) + 5, y @ invertible(4, seed + 9) - 3, fold)
    np.testing.assert_allclose(mapped.per_fold, r2_cca(*rows).per_fold, atol=1e-9)
    assert mapped.n_eff_over_d == pytest.approx(r2_cca(*rows).n_eff_over_d)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda x: np.column_stack([x, x[:, 0]]),
        lambda x: np.column_stack([x, np.full(len(x), 3.3)]),
        lambda x: np.column_stack([x, x @ np.arange(9.0)]),
        lambda x: np.column_stack([x[:, :8], x[:, 8] * 1e9 + 1e12]),
        lambda x: (x + 1e5).astype(np.float64),
    ],
    ids=["duplicate", "constant", "combination", "one huge dimension", "huge offsets"],
)
def test_degenerate_dimensions_of_either_view_change_nothing(rows, spoil):
    x, y, fold = rows
    plain = r2_cca(x, y, fold)
    np.testing.assert_allclose(r2_cca(spoil(x), y, fold).per_fold, plain.per_fold, atol=1e-6)
    turned, spoilt = r2_cca(y, x, fold), r2_cca(y, spoil(x), fold)
    np.testing.assert_allclose(spoilt.per_fold, turned.per_fold, atol=1e-6)
    assert spoilt.k == turned.k == 9


def test_turned_round_it_is_the_same_sum_over_the_other_views_directions(rows):
    x, y, fold = rows
    turned = r2_cca(x, y, fold).turned()
    np.testing.assert_allclose(turned.per_fold, r2_cca(y, x, fold).per_fold, atol=1e-12)
    assert (turned.k, turned.ranks) == (9, (4, 9))


def test_missing_directions_count_zero_and_k_is_the_divisor(rows):
    x, y, fold = rows
    assert r2_cca(x[:, :2], y, fold).value < 0.51
    assert r2_cca(x[:, :2], y, fold, k=2).value == pytest.approx(2 * r2_cca(x[:, :2], y, fold).value)
    assert r2_cca(x, y, fold, k=8).value == pytest.approx(r2_cca(*rows).value / 2)


def test_labels_are_integers_strings_or_one_hot_columns():
    rng = np.random.default_rng(5)
    labels, fold = rng.integers(0, 6, 600), np.arange(600) % FOLDS
    x = rng.standard_normal((6, 12))[labels] + rng.standard_normal((600, 12))
    names = np.array(list("abcdef"))[labels]
    views = (labels, names, names.tolist(), names.astype(object), np.eye(6)[labels], np.eye(6, dtype=bool)[labels])
    found = [r2_cca(x, view, fold) for view in views]
    for each in found:
        assert each.k == 5
        np.testing.assert_allclose(each.per_fold, literal_r2.per_fold(x, np.eye(6)[labels], fold), atol=1e-12)
    for wrong in (labels.astype(float), labels.astype(np.float32), (labels + 0.5).astype(object)):
        with pytest.raises(UserError, match=r"holds labels, and these are float\d\d; give labels as integers"):
            r2_cca(x, wrong, fold)


def test_rows_of_rare_labels_are_dropped_and_counted():
    rng = np.random.default_rng(6)
    labels, fold = rng.integers(0, 4, 600), np.arange(600) % FOLDS
    x = rng.standard_normal((4, 8))[labels] + rng.standard_normal((600, 8))
    rare = labels.copy()
    rare[[0, 5, 10, 1]] = 9  # three in fold 0, one in fold 1
    kept = rare != 9
    found, expected = r2_cca(x, rare, fold), r2_cca(x[kept], labels[kept], fold[kept])
    assert (found.dropped, found.n, found.k) == (4, 596, 3)
    np.testing.assert_allclose(found.per_fold, expected.per_fold, atol=1e-12)


def test_effective_rows_are_the_rows_where_they_are_independent_and_what_is_repeated_is_no_further_data():
    rng = np.random.default_rng(7)
    x, y, fold = rng.standard_normal((1600, 200)), rng.standard_normal((1600, 10)), np.arange(1600) % 8
    assert r2_cca(x, y, fold).n_eff_over_d == pytest.approx(7, rel=0.05)
    thrice = r2_cca(*(np.repeat(view, 3, axis=0) for view in (x, y, fold)))
    assert thrice.n == 4800
    assert thrice.n_eff_over_d == pytest.approx(7, rel=0.1)
    assert r2_cca(y, x, fold).n_eff_over_d == pytest.approx(7, rel=0.05), "whichever view has fewer"


@pytest.mark.parametrize("times", [1, 8])
def test_zones_go_by_effective_rows_per_dimension(times):
    rng = np.random.default_rng(8)
    x, y, fold = rng.standard_normal((800, 60)), rng.standard_normal((800, 3)), np.arange(800) % 8

    def limit(n):
        return r2_cca(*(np.repeat(view[:n], times, axis=0) for view in (x, y, fold))).limit

    assert limit(400).grey is None
    assert "limited by data: 2." in limit(160).grey
    assert "more utterances and speakers would help" in limit(160).grey
    with pytest.raises(
        Refused, match=r"1\.. effective training rows per dimension, at least 1.3 needed; .* would help"
    ):
        limit(80)


def test_what_cannot_be_had_is_refused(rows):
    x, y, fold = rows
    for views, reason in (
        ((np.full_like(x, 0.7), y), "first view is constant"),
        ((x, np.full_like(y, 1e6)), "second view is constant"),
        ((x, np.zeros(500, dtype=int)), "two classes are needed"),
    ):
        with pytest.raises(Refused, match=reason):
            r2_cca(*views, fold)
    with pytest.raises(Refused, match="2 folds with rows, 3 needed"):
        r2_cca(x, y, fold % 2)
    three = pair(x, y, fold % 3, folds=3)
    of_three = r2.cross_validate(three)
    with pytest.raises(Refused, match="needs 4"):
        r2.jackknife(three, of_three)
    spoilt = x.copy()
    spoilt[3, 1] = np.nan
    for arguments, message in [
        ((spoilt, y, fold), "x has NaN or infinite values in 1 of 500 rows"),
        ((x[:-1], y, fold), "do not fit together"),
        ((x, y, fold, 0), "k=0: the mean is over one direction at least"),
    ]:
        with pytest.raises(UserError, match=message):
            r2_cca(*arguments)


def test_fold_numbers_are_names(rows):
    x, y, fold = rows
    assert r2_cca(x, y, 100 - 7 * fold).value == pytest.approx(r2_cca(*rows).value, abs=1e-14)


def test_a_class_absent_from_training_is_a_direction_less(rows):
    """Possible only where `labels.eligible` was not asked; then its direction counts 0, and nothing is NaN."""
    x, _, fold = rows
    y = one_hot(np.where(fold == 0, 2, np.arange(500) % 2), np.arange(3))
    found = r2.cross_validate(pair(x, y, fold))
    assert np.isfinite(found.per_fold).all()
    assert found.k == 2


@pytest.mark.parametrize("heavy", [False, True])
def test_a_view_with_itself_has_exactly_one_whatever_its_tails(heavy):
    rng = np.random.default_rng(11)
    x = rng.standard_normal((600, 12))
    if heavy:
        x[7] *= 60  # a row far outside of what the other folds have seen
    fold = np.arange(600) % 8
    assert r2_cca(x, x, fold).value == pytest.approx(1.0, abs=1e-9)
    assert r2_cca(x, x @ rng.standard_normal((12, 12)), fold).value == pytest.approx(1.0, abs=1e-6)
